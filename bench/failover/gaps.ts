import { spawnSync } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { type Address, parseAddress } from '../../src/addr/index.ts'
import { defaultTiming, type Timing, timingOf } from '../../src/announce/index.ts'
import { spawnIn } from '../../src/host/index.ts'
import { buildWires, type Machine, type Wires } from '../../src/speaker/segment.fixture.ts'
import type { Row } from '../row.ts'
import { goneAfterMs, hasKeepalived, Keepalived } from './keepalived.ts'
import { echo, type Keeper, Plumb } from './keeper.ts'
import { Probing, percentile, prober } from './probing.ts'

const runs = Number(process.env.PLUMB_RUNS ?? 20)
const port = 7
const virtual = { 4: parseAddress('192.0.2.100'), 6: parseAddress('2001:db8::100') }

const faults = ['kill -9', 'SIGSTOP', 'link down', 'partition', 'planned move'] as const
type Fault = (typeof faults)[number]

interface Plan {
  readonly title: string
  readonly timing: Timing
  /** Of keepalived. */
  readonly advertisementMs: number
  readonly address: Address
  readonly faults: readonly Fault[]
}

const fast = timingOf(50)
// keepalived counts in hundredths of a second, so its time is Plumb's here and not the other way round.
const asLong = timingOf(Math.round(goneAfterMs(160) / (defaultTiming.leaseMs / defaultTiming.intervalMs)))

/** What is measured one after the other, in each of two rows of machines, so that little else runs at the same time. */
const lanes: readonly (readonly Plan[])[] = [
  [{ title: 'each 200 ms', timing: defaultTiming, advertisementMs: 200, address: virtual[4], faults }],
  [
    { title: 'each 50 ms', timing: fast, advertisementMs: 50, address: virtual[4], faults },
    {
      title: 'each 200 ms, IPv6',
      timing: defaultTiming,
      advertisementMs: 200,
      address: virtual[6],
      faults: ['partition'],
    },
    {
      title: `both wait ${Math.round(asLong.leaseMs)} ms`,
      ...{ timing: asLong, advertisementMs: 160, address: virtual[4], faults: ['partition', 'link down'] },
    },
  ],
]

/** By fault: how long the client had no answer, and after what time another machine had the address, in milliseconds. */
type Measured = ReadonlyMap<Fault, { readonly gaps: number[]; readonly takeovers: number[] }>

/**
 * The gap that a client outside sees when the machine with an address fails: probes each millisecond to the address, answered by whichever machine has it.
 * keepalived does the same on machines of its own at the same time, with as many advertisements as there are heartbeats, or waiting as long as Plumb does.
 */
export async function* gaps(): AsyncIterable<Row> {
  const kinds = hasKeepalived() ? [own, peer] : [own]
  const measured = lanes.map(async (plans) => {
    const results: { plan: Plan; measured: Measured[] }[] = []
    for (const plan of plans) {
      const both = await Promise.allSettled(kinds.map((kind) => measure(plan, kind(plan))))
      // A failure is told when everything has ended that was started.
      const failed = both.find((one) => one.status === 'rejected')
      if (failed !== undefined) throw failed.reason
      results.push({ plan, measured: both.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])) })
    }
    return results
  })
  const results = await Promise.allSettled(measured)
  for (const lane of results) {
    if (lane.status === 'rejected') throw lane.reason
    for (const { plan, measured } of lane.value)
      for (const fault of plan.faults) if (measured[0]) yield* rows(plan, fault, measured[0], measured[1])
  }
}

const own =
  ({ timing, address }: Plan) =>
  (wires: Wires) =>
    new Plumb(wires, address, timing)
const peer =
  ({ advertisementMs, address }: Plan) =>
  (wires: Wires) =>
    new Keepalived(wires, address, advertisementMs)

function* rows({ title, advertisementMs }: Plan, fault: Fault, own: Measured, peer?: Measured): Iterable<Row> {
  const row = (metric: string, value: number, other?: number): Row => ({
    bench: 'failover',
    metric: `${fault}, ${title}, ${metric} of ${runs}`,
    value,
    unit: 'ms',
    ...(other !== undefined && {
      peer: `keepalived's ${other.toFixed(0)} ms at an advert_int of ${advertisementMs / 1000} s`,
    }),
    ...(other !== undefined && other > 0 && { ratio: value / other }),
  })
  for (const [name, percent] of [
    ['p50', 50],
    ['p99', 99],
  ] as const) {
    const of = (measured: Measured | undefined, what: 'gaps' | 'takeovers'): number | undefined =>
      measured && percentile(measured.get(fault)?.[what] ?? [], percent)
    yield row(`gap ${name}`, of(own, 'gaps') ?? Number.NaN, of(peer, 'gaps'))
    // A killed process leaves its kernel, which goes on, so that only the next holder shows how fast it was.
    if (fault === 'kill -9' || fault === 'SIGSTOP')
      yield row(`next holder ${name}`, of(own, 'takeovers') ?? Number.NaN, of(peer, 'takeovers'))
  }
}

async function measure({ address, faults }: Plan, start: (wires: Wires) => Keeper): Promise<Measured> {
  const wires = buildWires(3)
  const keeper = start(wires)
  const echoes = wires.machines.map((machine) => echo(machine, address, port))
  const words = [prober, address, String(port), 'udp']
  const child = spawnIn(wires.client.namespace, process.execPath, words, { stdio: ['pipe', 'pipe', 'inherit'] })
  const probing = new Probing(child)
  const measured = new Map(faults.map((fault) => [fault, { gaps: [] as number[], takeovers: [] as number[] }]))
  try {
    await probing.open()
    await keeper.start()
    for (let run = 0; run < runs; run++)
      for (const fault of faults) {
        const { gap, takeover } = await one(wires, keeper, probing, fault, address)
        measured.get(fault)?.gaps.push(gap)
        measured.get(fault)?.takeovers.push(takeover)
      }
    return measured
  } finally {
    probing.close()
    for (const one of echoes) one.close()
    await keeper.stop()
    wires.close()
  }
}

/** Lets the machine that has the address fail, waits until another has it, and mends everything. */
async function one(
  wires: Wires,
  keeper: Keeper,
  probing: Probing,
  fault: Fault,
  address: Address,
): Promise<{ gap: number; takeover: number }> {
  await probing.calm(`${keeper.name} before ${fault}`)
  const owner = findOwner(wires, address)
  if (owner === undefined) throw new Error('the client does not know who has the address')
  // At any moment between two heartbeats.
  await pause(Math.random() * 200)
  await probing.mark()
  const begun = performance.now()
  const mend = breakDown(wires, keeper, owner, fault)
  const end = begun + 15_000
  while (performance.now() < end && (findOwner(wires, address) ?? owner) === owner) await pause(2)
  const takeover = performance.now() - begun
  const gap = await probing.gap(`${keeper.name} after ${fault} of ${owner.name}`)
  mend()
  await keeper.recover(owner)
  return { gap, takeover }
}

function findOwner({ client, machines }: Wires, address: Address): Machine | undefined {
  const mac = client.namespace.network.neighbours().find((one) => one.address === address)?.mac
  return machines.find((machine) => machine.mac === mac)
}

/** Makes it fail; the answer makes it good again. */
function breakDown(wires: Wires, keeper: Keeper, owner: Machine, fault: Fault): () => void {
  switch (fault) {
    case 'kill -9':
      keeper.signal(owner, 'SIGKILL')
      return () => undefined
    case 'SIGSTOP':
      keeper.signal(owner, 'SIGSTOP')
      return () => keeper.signal(owner, 'SIGCONT')
    case 'link down':
      wires.wire.network.setLink(owner.name, { up: false })
      return () => wires.wire.network.setLink(owner.name, { up: true })
    case 'partition':
      nft(owner, cutOff)
      return () => nft(owner, 'delete table netdev cut')
    case 'planned move':
      keeper.handOver(owner)
      return () => undefined
    default:
      return fault satisfies never
  }
}

const chain = (name: string, hook: string): string =>
  `chain ${name} {\n type filter hook ${hook} device "eth0" priority 0; policy drop;\n}\n`
/** Everything in and out is lost, while the link stays up. */
const cutOff = `table netdev cut {\n${chain('in', 'ingress')}${chain('out', 'egress')}}`

function nft({ namespace }: Machine, rules: string): void {
  const done = namespace.run(() => spawnSync('nft', ['-f', '-'], { input: rules, encoding: 'utf8' }))
  if (done.status !== 0) throw new Error(`nft: ${done.stderr}`)
}
