import { spawnSync } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { parseAddress } from '../../src/addr/index.ts'
import { defaultTiming } from '../../src/announce/index.ts'
import { buildWires, type Wires } from '../../src/speaker/segment.fixture.ts'
import type { Row } from '../row.ts'
import { hasKeepalived, Keepalived } from './keepalived.ts'
import { type Keeper, Plumb } from './keeper.ts'

const address = parseAddress('192.0.2.100')
const percent = 20
const seconds = 60

/** How often an address changes hands while nothing fails, but one of five messages that reach a machine is lost; keepalived beside it at as many advertisements. */
export async function* loss(): AsyncIterable<Row> {
  const kinds: readonly ((wires: Wires) => Keeper)[] = [
    (wires) => new Plumb(wires, address, defaultTiming),
    ...(hasKeepalived() ? [(wires: Wires) => new Keepalived(wires, address, defaultTiming.intervalMs)] : []),
  ]
  const [own, peer] = await Promise.all(kinds.map(changes))
  yield {
    bench: 'failover',
    metric: `${percent} % of all messages lost for ${seconds} s, changes of holder`,
    value: own ?? Number.NaN,
    unit: '',
    ...(peer !== undefined && { peer: `keepalived's ${peer}` }),
  }
}

async function changes(start: (wires: Wires) => Keeper): Promise<number> {
  const wires = buildWires(3)
  const keeper = start(wires)
  const { network } = wires.client.namespace
  // Whoever takes the address tells it, and the client takes in all of that.
  network.setSysctl('net.ipv4.conf.eth0.arp_accept', 1)
  network.setSysctl('net.ipv4.neigh.eth0.locktime', 0)
  try {
    await keeper.start()
    await pause(3000)
    for (const { namespace } of wires.machines) {
      const rules = `table netdev lossy {\n chain in {\n type filter hook ingress device "eth0" priority 0;\n numgen random mod 100 < ${percent} drop\n }\n}`
      const done = namespace.run(() => spawnSync('nft', ['-f', '-'], { input: rules, encoding: 'utf8' }))
      if (done.status !== 0) throw new Error(`nft: ${done.stderr}`)
    }
    let count = 0
    let holder = holderIn(wires)
    if (holder === undefined) throw new Error(`${keeper.name}: nobody took the address`)
    const end = performance.now() + seconds * 1000
    while (performance.now() < end) {
      await pause(5)
      const now = holderIn(wires)
      if (now !== holder) count++
      holder = now
    }
    return count
  } finally {
    await keeper.stop()
    wires.close()
  }
}

/** Whose MAC address the client has. */
function holderIn({ client, machines }: Wires): string | undefined {
  const { network } = client.namespace
  const mac = network.neighbours().find((one) => one.address === address)?.mac
  return machines.find((machine) => machine.mac === mac)?.name
}
