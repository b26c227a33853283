import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import fc from 'fast-check'
import { parseAddress } from '../src/addr/index.ts'
import { partitions } from '../src/announce/partitions.fixture.ts'
import { openHost } from '../src/host/index.ts'
import { Standby } from '../src/standby/standby.ts'
import { TestLab } from '../test/lab.fixture.ts'
import type { Row } from './row.ts'

const count = Number(process.env.PLUMB_CONNECTIONS ?? 1000)
const histories = Number(process.env.PLUMB_HISTORIES ?? 1000)
const manifest = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 9
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: example/web, ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}
`

const faults = ['planned move', 'kill -9', 'SIGSTOP', 'partition'] as const

/** What becomes of TCP connections, half of them busy, when the holder of their address fails; what that costs; and whether two ever hold one address. */
export async function* bench(): AsyncIterable<Row> {
  yield* replication()
  yield* connections()
  const begun = performance.now()
  const { failed, numRuns } = fc.check(partitions, { numRuns: histories })
  yield row(`dual ownership in ${numRuns} random histories (virtual clock)`, failed ? 1 : 0, 'histories')
  yield row('the same, time', (performance.now() - begun) / 1000, 's')
}

function row(metric: string, value: number, unit: string, beside: Pick<Row, 'peer' | 'ratio'> = {}): Row {
  return { bench: 'survival', metric, value, unit, ...beside }
}

async function* connections(): AsyncIterable<Row> {
  const lab = new TestLab('bench-survival')
  const folder = mkdtempSync(join(tmpdir(), 'plumb-survival-'))
  writeFileSync(join(folder, 'web.yaml'), manifest)
  try {
    await lab.start('-f', join(folder, 'web.yaml'))
    for (const fault of faults) {
      const { address, node } = await held(lab)
      const clients = await lab.openClients(address, count)
      const mend = await breakDown(lab, fault, address, node)
      // Pods of a machine that is gone are gone too.
      const others = nodes.filter((one) => one !== node)
      const { all, alive } = await clients.count(fault === 'partition' ? others : nodes)
      await mend()
      clients.close()
      const what = fault === 'partition' ? `${fault}, with pods of other nodes` : fault
      yield row(`${what}: connections of ${all} that go on`, alive, '', { peer: 'of all', ratio: alive / all })
    }
  } finally {
    await lab.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

const nodes = ['node-1', 'node-2', 'node-3']

/** Waits until one node holds the address and nobody else answers. */
async function held(lab: TestLab): Promise<{ address: string; node: string }> {
  for (let left = 600; left > 0; left--) {
    const { stdout } = await lab.cli('addresses', '-o', 'json')
    const [line] = JSON.parse(stdout || '[]') as { address: string; node?: string; answeredBy: string[] }[]
    if (line?.node !== undefined && line.answeredBy.join() === line.node)
      return { address: line.address, node: line.node }
    await pause(100)
  }
  throw new Error('nobody holds the address')
}

/** Makes it fail; the answer makes it good again. */
async function breakDown(
  lab: TestLab,
  fault: (typeof faults)[number],
  address: string,
  node: string,
): Promise<() => Promise<unknown>> {
  const onNode = (...words: string[]) => lab.cli('exec', '--node', node, '--', ...words)
  const agent = lab.findAgent(node) ?? Number.NaN
  switch (fault) {
    case 'planned move':
      await lab.cli('addresses', 'move', address, nodes.find((one) => one !== node) ?? '')
      return async () => undefined
    case 'kill -9':
      process.kill(agent, 'SIGKILL')
      return async () => undefined
    case 'SIGSTOP':
      process.kill(agent, 'SIGSTOP')
      return async () => process.kill(agent, 'SIGCONT')
    case 'partition':
      await onNode('nft', cutOff)
      return () => onNode('nft', 'delete table netdev cut')
    default:
      return fault satisfies never
  }
}

const chain = (name: string, hook: string): string =>
  `add chain netdev cut ${name} { type filter hook ${hook} device "eth0" priority 0; policy drop; }`
const cutOff = `add table netdev cut; ${chain('in', 'ingress')}; ${chain('out', 'egress')}`

/** One holder and one standby on a wire, and connections that begin as fast as the kernel is told of them. */
async function* replication(): AsyncIterable<Row> {
  const host = openHost()
  const address = parseAddress('192.0.2.100')
  const members = ['a', 'b'].map((name, index) => ({ name, addresses: [parseAddress(`192.0.2.${index + 1}`)] }))
  const [a, b] = [host.createNamespace(), host.createNamespace()]
  a.network.addVeth({ name: 'eth0', peerName: 'eth0', peerNamespace: b })
  const begin = (total: number, from: number): number => {
    const cpu = process.cpuUsage()
    for (let i = 0; i < total; i++) {
      const [client, endpoint] = [parseAddress(`203.0.113.${(i >> 14) + 1}`), parseAddress('10.244.2.7')]
      const port = from + (i & 0x3fff)
      a.network.addConnection({
        ...{ family: 4, protocol: 6, timeoutSeconds: 1000 },
        original: { source: client, sourcePort: port, destination: address, destinationPort: 80 },
        reply: { source: endpoint, sourcePort: 8080 + (i >> 14), destination: address, destinationPort: port },
      })
    }
    return spent(cpu)
  }
  const standbys = [a, b].map((namespace, index) => {
    const { name, addresses } = members[index]!
    namespace.network.setLink('eth0', { up: true })
    namespace.network.addAddress('eth0', addresses[0]!, 24)
    const options = { node: name, port: 10_262, key: Buffer.from('a key for the bench'), host, namespace }
    return new Standby({ ...options, onTrouble: (message) => console.error(message) })
  })
  const [holder, standby] = standbys as [Standby, Standby]
  try {
    const total = 10_000
    const alone = begin(total, 1024)
    for (const one of standbys) {
      const addresses = [{ address, ports: [{ protocol: 'tcp' as const, port: 80 }], standbys: ['a', 'b'] }]
      await one.configure({ members, addresses, podPrefixes: {}, boundPrefixes: [] })
      await one.setOwners(new Map([[address, 'a']]))
    }
    const copied = (): number => standby.state().copies[0]?.flows ?? 0
    let begun = performance.now()
    await holder.take(address)
    while (copied() < total) await pause(2)
    yield row(`a standby that is new knows ${total} connections after`, performance.now() - begun, 'ms')
    const sent = holder.state().sentBytes
    yield row('on the wire to each standby, a connection', sent / total, 'B')
    const cpu = process.cpuUsage()
    const telling = begin(total, 20_000)
    while (copied() < 2 * total) await pause(2)
    const all = spent(cpu) - telling
    yield row('CPU of holder and standby for a new connection', ((all + telling - alone) * 1000) / total, 'µs', {
      peer: `making it in the kernel by netlink ${((alone * 1000) / total).toFixed(1)} µs`,
      ratio: (all + telling - alone) / alone,
    })
    begun = performance.now()
    await standby.take(address)
    yield row(`${2 * total} connections carried on in`, performance.now() - begun, 'ms')
  } finally {
    for (const one of standbys) one.close()
    for (const namespace of [a, b]) namespace.close()
  }
}

/** CPU time since, in milliseconds. */
function spent(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1000
}
