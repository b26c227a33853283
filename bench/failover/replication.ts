import { setTimeout as pause } from 'node:timers/promises'
import { parseAddress } from '../../src/addr/index.ts'
import { openHost } from '../../src/host/index.ts'
import { Standby } from '../../src/standby/standby.ts'
import type { Row } from '../row.ts'

/** One holder and one standby on a wire, and connections that begin as fast as the kernel is told of them. */
export async function* replication(): AsyncIterable<Row> {
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

function row(metric: string, value: number, unit: string, beside: Pick<Row, 'peer' | 'ratio'> = {}): Row {
  return { bench: 'failover', metric, value, unit, ...beside }
}

/** CPU time since, in milliseconds. */
function spent(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1000
}
