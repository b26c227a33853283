/** Nodes and a client on one switch, each a namespace, with engines that speak for real. */
import type { TestContext } from 'node:test'
import { type Address, parseAddress } from '../addr/index.ts'
import { defaultTiming } from '../announce/index.ts'
import { type Host, HostError, type Namespace, openHost } from '../host/index.ts'
import { decodeArp, decodeNeighbourFrame } from '../netlink/index.ts'
import type { EngineEvent, Spoken } from './engine.ts'
import { type EngineHandle, startEngine } from './engine-handle.ts'

export const virtual = { 4: parseAddress('192.0.2.100'), 6: parseAddress('2001:db8::100') }
const key = Buffer.from('a key for the test')
const port = 10261

export interface Machine {
  readonly name: string
  readonly namespace: Namespace
  readonly addresses: readonly Address[]
  readonly mac: string
  readonly events: EngineEvent[]
  engine: EngineHandle | undefined
}

export interface Segment {
  readonly host: Host
  readonly wire: Namespace
  readonly machines: readonly Machine[]
  readonly client: Machine
  start(machine: Machine): EngineHandle
  /** Ends the engine as a crash does: without a word. */
  crash(machine: Machine): Promise<void>
  claim(addresses: readonly Address[], links?: readonly string[]): void
  /** The machine whose MAC address the client has for the address. */
  seenByClient(address: Address): string | undefined
  /** Asks on the wire who has the address; every machine that answers within the time. */
  whoAnswers(address: Address, forMs?: number): Promise<string[]>
}

/** Machines on one switch, without engines. */
export interface Wires {
  readonly host: Host
  readonly wire: Namespace
  readonly machines: readonly Machine[]
  readonly client: Machine
  close(): void
}

/** Wires `count` machines and a client to one switch; throws a `HostError` without privileges. */
export function buildWires(count: number): Wires {
  const host = openHost()
  const open: Namespace[] = []
  const create = (): Namespace => {
    const namespace = host.createNamespace()
    open.push(namespace)
    namespace.network.setLink('lo', { up: true })
    namespace.network.setSysctl('net.ipv6.conf.all.accept_dad', 0)
    namespace.network.setSysctl('net.ipv6.conf.default.accept_dad', 0)
    return namespace
  }
  const wire = create()
  wire.network.addBridge('switch')
  wire.network.setLink('switch', { up: true })
  const plug = (name: string, number: number): Machine => {
    const namespace = create()
    wire.network.addVeth({ name, peerName: 'eth0', peerNamespace: namespace })
    wire.network.setLink(name, { master: 'switch', up: true })
    namespace.network.setLink('eth0', { up: true })
    const addresses = [parseAddress(`192.0.2.${number}`), parseAddress(`2001:db8::${number}`)]
    namespace.network.addAddress('eth0', addresses[0]!, 24)
    namespace.network.addAddress('eth0', addresses[1]!, 64)
    const mac = namespace.network.findLink('eth0')?.mac ?? ''
    return { name, namespace, addresses, mac, events: [], engine: undefined }
  }
  const machines = Array.from({ length: count }, (_, i) => plug(`n${i + 1}`, i + 1))
  const client = plug('client', 200)
  const close = (): void => {
    for (const namespace of open) namespace.close()
  }
  return { host, wire, machines, client, close }
}

/** A segment for one test, removed after it; undefined, and the test skipped, without privileges. */
export function makeSegment(t: TestContext, count: number): Segment | undefined {
  let wires: Wires
  try {
    wires = buildWires(count)
  } catch (error) {
    if (!(error instanceof HostError) || error.code !== 'denied' || process.env.CI !== undefined) throw error
    t.skip(error.message)
    return undefined
  }
  t.after(() => wires.close())
  const { host, wire, machines, client } = wires
  let spoken: readonly Spoken[] = []
  const segment: Segment = {
    host,
    wire,
    machines,
    client,
    start(machine) {
      const engine = startEngine({
        ...{ node: machine.name, boot: `${machine.name} ${performance.now()}`, timing: defaultTiming, key, port, host },
        namespace: machine.namespace,
        onEvent: (event) => machine.events.push(event),
      })
      machine.engine = engine
      engine.command({ kind: 'members', members: machines.map(({ name, addresses }) => ({ name, addresses })) })
      engine.command({ kind: 'addresses', addresses: spoken })
      return engine
    },
    async crash(machine) {
      await machine.engine?.close()
      machine.engine = undefined
    },
    claim(addresses, links) {
      const because = { object: 'service/ns/web', field: 'status.loadBalancer.ingress[0].ip', value: '' }
      const eligible = machines.map(({ name }) => name)
      spoken = addresses.map((address) => ({ claim: { address, eligible, use: 'LoadBalancer', because }, links }))
      for (const { engine } of machines) engine?.command({ kind: 'addresses', addresses: spoken })
    },
    seenByClient(address) {
      const mac = client.namespace.network.neighbours().find((one) => one.address === address)?.mac
      return mac === undefined ? undefined : (machines.find((one) => one.mac === mac)?.name ?? mac)
    },
    whoAnswers: (address, forMs = 200) => whoAnswers(segment, address, forMs),
  }
  t.after(async () => {
    for (const machine of machines) await segment.crash(machine)
  })
  return segment
}

async function whoAnswers({ client, machines }: Segment, address: Address, forMs: number): Promise<string[]> {
  const { network } = client.namespace
  const link = network.findLink('eth0')!
  const macs = new Set<string>()
  const kind = address.includes(':') ? 'neighbour-discovery' : 'arp'
  const socket = network.openFrames(
    link,
    kind,
    (bytes) => {
      const arp = decodeArp(bytes)
      if (arp?.operation === 'reply' && arp.sender === address) macs.add(arp.senderMac)
      const neighbour = decodeNeighbourFrame(bytes)
      if (neighbour?.message.kind === 'advertisement' && neighbour.target === address) macs.add(neighbour.etherSource)
    },
    () => undefined,
  )
  const { LinkSpeaker } = await import('./link-speaker.ts')
  const silent = { mayAnswer: () => false, onClaim: () => undefined, onLost: () => undefined, onDown: () => undefined }
  const speaker = new LinkSpeaker(network, link, link.mac ?? '', silent)
  try {
    for (let i = 0; i < 3; i++) {
      speaker.probe(address)
      await new Promise((resolve) => setTimeout(resolve, forMs / 3))
    }
    return [...macs].map((mac) => machines.find((one) => one.mac === mac)?.name ?? mac)
  } finally {
    speaker.close()
    socket.close()
  }
}

/** Asks until there is an answer; 20 s at most. */
export async function until<T>(what: string, ask: () => T | undefined | false): Promise<T> {
  const end = Date.now() + 20_000
  for (;;) {
    const answer = ask()
    if (answer !== undefined && answer !== false) return answer
    if (Date.now() > end) throw new Error(`not within 20 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
