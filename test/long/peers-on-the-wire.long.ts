// Other programs on the same wire: keepalived with an address of ours, before and after a node holds it.
import assert from 'node:assert/strict'
import { type ChildProcess, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { spawnIn } from '../../src/host/index.ts'
import { type Machine, makeSegment, until, virtual } from '../../src/speaker/segment.fixture.ts'

const address = virtual[4]

/** keepalived as the only master of the address at a machine; ends with the test. */
function keepalived(t: TestContext, machine: Machine): void {
  const folder = mkdtempSync(join(tmpdir(), 'plumb-wire-'))
  const file = join(folder, 'keepalived')
  writeFileSync(
    `${file}.conf`,
    `vrrp_instance other {
  state MASTER
  interface eth0
  virtual_router_id 52
  priority 200
  virtual_ipaddress {
    ${address}/32
  }
}
`,
  )
  const words = ['-n', '-P', '-l', '-f', `${file}.conf`, '-p', `${file}.pid`, '-r', `${file}.vrrp`]
  const child: ChildProcess = spawnIn(machine.namespace, 'keepalived', words, { stdio: 'ignore' })
  t.after(async () => {
    child.kill('SIGTERM')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    rmSync(folder, { recursive: true, force: true })
  })
}

for (const when of ['before', 'after'] as const) {
  test(`keepalived has the address ${when} a node holds it: its MAC address is told`, {
    timeout: 60_000,
  }, async (t) => {
    if (spawnSync('keepalived', ['--version']).error !== undefined) return t.skip('keepalived is not installed')
    const segment = makeSegment(t, 2)
    if (segment === undefined) return
    const { client, machines } = segment
    const begin = (): void => {
      segment.claim([address])
      for (const machine of machines) segment.start(machine)
    }
    const has = (kind: string) => machines.some(({ events }) => events.some((event) => event.kind === kind))
    if (when === 'after') {
      begin()
      await until('a node holds it', () => has('taken'))
      await until('and has said so', () => machines.some(({ name }) => segment.seenByClient(address) !== name))
    }
    keepalived(t, client)
    await until('keepalived has it', () => client.namespace.network.addresses().some((one) => one.address === address))
    if (when === 'before') begin()
    const begun = performance.now()
    await until('it is told', () =>
      machines.some(({ events }) => events.some((event) => event.kind === 'foreign' && event.mac === client.mac)),
    )
    t.diagnostic(`told ${Math.round(performance.now() - begun)} ms after keepalived and the nodes met`)
    if (when === 'after') return
    // Nobody answers beside keepalived; its own kernel does not ask itself.
    await until('the nodes have let go', () =>
      machines.every(
        ({ events }) => events.findLast(({ kind }) => kind === 'taken' || kind === 'lost')?.kind !== 'taken',
      ),
    )
    assert.deepEqual(await segment.whoAnswers(address), [])
  })
}

test('a machine that had the address first, and gives it up: a node takes it within a minute', {
  timeout: 120_000,
}, async (t) => {
  const segment = makeSegment(t, 2)
  if (segment === undefined) return
  const { client, machines } = segment
  const { network } = client.namespace
  network.addAddress('eth0', address, 32)
  segment.claim([address])
  for (const machine of machines) segment.start(machine)
  const isTold = ({ events }: Machine) => events.some((event) => event.kind === 'foreign' && event.mac === client.mac)
  await until('it is told', () => machines.some(isTold))
  network.deleteAddress('eth0', address, 32)
  const begun = Date.now()
  while ((await segment.whoAnswers(address)).length === 0) assert.ok(Date.now() - begun < 60_000, 'nobody takes it')
  const [holder] = await segment.whoAnswers(address)
  assert.ok(machines.some(({ name }) => name === holder))
  t.diagnostic(`${holder} answers ${Date.now() - begun} ms after the other machine gave it up`)
})
