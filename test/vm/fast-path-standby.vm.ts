import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { parseAddress, parsePrefix } from '../../src/addr/index.ts'
import { host, serveTcp } from '../../src/agent/rig.fixture.ts'
import { replaceFastPath } from '../../src/fastpath/index.ts'
import type { Namespace } from '../../src/host/index.ts'
import { buildWires, type Machine } from '../../src/speaker/segment.fixture.ts'
import { Standby } from '../../src/standby/standby.ts'

const virtual = parseAddress('192.0.2.100')

function nft(namespace: Namespace, rules: string): void {
  const done = namespace.run(() => spawnSync('nft', ['-f', '-'], { input: rules, encoding: 'utf8' }))
  assert.equal(done.status, 0, done.stderr)
}

test('a connection that went by the fast path of its holder goes on at the next', { timeout: 240_000 }, async (t) => {
  const wires = buildWires(3)
  t.after(() => wires.close())
  const [a, b, server] = wires.machines as [Machine, Machine, Machine]
  const { client } = wires
  const closing = serveTcp(
    { name: 'server', namespace: server.namespace, addresses: { 4: server.addresses[0]!, 6: server.addresses[1]! } },
    4,
    8080,
    true,
  )
  t.after(() => closing.close())
  const members = [a, b].map(({ name, addresses }) => ({ name, addresses: [addresses[0]!] }))
  const standbys = new Map<Machine, Standby>()
  for (const machine of [a, b]) {
    const { namespace, name } = machine
    namespace.network.setSysctl('net.ipv4.ip_forward', 1)
    namespace.network.setSysctl('net.ipv4.conf.all.send_redirects', 0)
    namespace.network.setSysctl('net.ipv4.conf.eth0.send_redirects', 0)
    nft(
      namespace,
      `table ip services {
  chain in {
    type nat hook prerouting priority -100;
    ip daddr ${virtual} tcp dport 80 dnat to ${server.addresses[0]}:8080
  }
}`,
    )
    // There is conntrack since something asks for it.
    namespace.network.setSysctl('net.netfilter.nf_conntrack_acct', 1)
    await namespace.network.commit(replaceFastPath(['eth0']))
    const standby = new Standby({
      ...{ node: name, port: 10_262, key: Buffer.from('a key for the test'), host, namespace },
      onTrouble: (message) => assert.fail(message),
    })
    t.after(() => standby.close())
    await standby.configure({
      members,
      addresses: [{ address: virtual, ports: [{ protocol: 'tcp', port: 80 }], standbys: [a.name, b.name] }],
      podPrefixes: { [a.name]: [parsePrefix('10.244.0.0/24')], [b.name]: [parsePrefix('10.244.1.0/24')] },
      boundPrefixes: [],
    })
    standbys.set(machine, standby)
  }
  const announce = ({ mac }: Machine): void => {
    for (const { namespace } of [client, server])
      namespace.network.setNeighbour({ address: virtual, link: 'eth0', mac, state: 'permanent' })
  }
  for (const standby of standbys.values()) await standby.setOwners(new Map([[virtual, a.name]]))
  await standbys.get(a)?.take(virtual)
  announce(a)

  const socket = new Socket({ fd: host.connectTcp(client.namespace, virtual, 80).fd })
  t.after(() => socket.destroy())
  await once(socket, 'data')
  const talk = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i++) {
      socket.write(`line ${i}\n`)
      const [back] = (await once(socket, 'data')) as [Buffer]
      assert.equal(back.toString(), `line ${i}\n`)
    }
  }
  const isOffloaded = ({ namespace }: Machine): boolean =>
    namespace.network.connections().some(({ original, offloaded }) => original.destination === virtual && offloaded)
  await talk(60)
  assert.ok(isOffloaded(a), 'it goes by the fast path')
  // Longer than the flowtable looks after its entries, several times.
  for (let i = 0; i < 5; i++) {
    await pause(1000)
    await talk(5)
  }
  assert.ok(isOffloaded(a), 'it still does')
  assert.equal(standbys.get(b)?.state().copies[0]?.flows, 1)

  wires.wire.network.setLink(a.name, { up: false })
  const begun = performance.now()
  await standbys.get(b)?.take(virtual)
  announce(b)
  await talk(60)
  t.diagnostic(`it went on, 60 lines after ${Math.round(performance.now() - begun)} ms`)
  assert.ok(isOffloaded(b), 'by the fast path of the next holder')
})
