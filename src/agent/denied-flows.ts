import type { Address } from '../addr/index.ts'
import { keyOf, type ObjectKey, type Snapshot } from '../cluster/index.ts'
import type { Network } from '../host/index.ts'
import { decodeIpPacket, type IpPacket, type LoggedPacket } from '../netlink/index.ts'
import type { NodePlan } from '../nodeplan/index.ts'
import { nodeAddresses } from '../pods/index.ts'
import { deniedLogGroup, logPrefixes } from '../policies/index.ts'
import type { Log } from './contract.ts'
import { type CutConnection, protocolOf } from './cut-denied.ts'
import { listenToLog } from './logged-packets.ts'
import type { DeniedFlow } from './observe.ts'

/** Enough for the longest headers that ports come after. */
const packetBytes = 128

/** What the agent knows of a flow before it is counted. */
export type NamedFlow = Omit<DeniedFlow, 'sequence' | 'firstSeen' | 'lastSeen' | 'packets'>

type Direction = NamedFlow['direction']
type Ends = Pick<IpPacket, 'source' | 'destination' | 'protocol' | 'destinationPort'>

/** Listens to the packets that policies' rules have logged, and hands each on by the names of its ends and of the policies. */
export class DeniedFlows {
  readonly #snapshot: Snapshot
  readonly #plan: Pick<NodePlan, 'blame'>
  readonly #onFlow: (flow: NamedFlow) => void
  readonly #watch: { close(): void }

  constructor(
    sources: { readonly network: Network; readonly snapshot: Snapshot; readonly plan: Pick<NodePlan, 'blame'> },
    onFlow: (flow: NamedFlow) => void,
    log: Log,
  ) {
    this.#snapshot = sources.snapshot
    this.#plan = sources.plan
    this.#onFlow = onFlow
    // Policies hold all the same; only nobody is told of what they deny.
    const trouble = 'denied flows cannot be followed yet'
    const group = { group: deniedLogGroup, bytes: packetBytes, trouble }
    this.#watch = listenToLog(sources.network, group, (packet) => this.#take(packet), log)
  }

  close(): void {
    this.#watch.close()
  }

  #take({ family, prefix, bytes }: LoggedPacket): void {
    const what = kinds.get(prefix)
    const packet = decodeIpPacket(family, bytes)
    if (what === undefined || packet === undefined) return
    const { direction, mode } = what
    const policies = this.#blame(direction, mode, packet)
    this.#tell(mode === 'enforce' ? 'denied' : 'audited', direction, packet, policies)
  }

  /** A live connection that policies deny since they have changed: by those of this node's pods at either end that do. */
  cut({ port, ...ends }: CutConnection): void {
    const packet = { ...ends, destinationPort: port }
    for (const direction of ['egress', 'ingress'] as const) {
      const policies = this.#blame(direction, 'enforce', packet)
      if (policies.length > 0) this.#tell('cut', direction, packet, policies)
    }
  }

  #tell(verdict: NamedFlow['verdict'], direction: Direction, packet: Ends, policies: readonly string[]): void {
    const { source, destination } = packet
    const [subject, peer] = direction === 'egress' ? [source, destination] : [destination, source]
    const pod = this.#podAt(subject)
    if (pod === undefined) return
    const peerPod = this.#podAt(peer)
    const node = peerPod === undefined ? this.#nodeAt(peer) : undefined
    this.#onFlow({
      verdict,
      direction,
      pod,
      address: subject,
      peer: {
        address: peer,
        ...(peerPod === undefined ? {} : { pod: peerPod }),
        ...(node === undefined ? {} : { node }),
      },
      ...portOf(packet),
      policies,
    })
  }

  #podAt(address: Address): ObjectKey | undefined {
    const pod = this.#snapshot.findPod(address)
    return pod && keyOf(pod)
  }

  #nodeAt(address: Address): string | undefined {
    for (const node of this.#snapshot.nodes.values()) {
      if (Object.values(nodeAddresses(node)).includes(address)) return node.metadata.name
    }
    return undefined
  }

  /** By the model and not by the rule: what holds now, none when policies have changed since the packet. */
  #blame(direction: Direction, mode: 'enforce' | 'audit', packet: Ends): readonly string[] {
    const { source, destination, protocol, destinationPort = 0 } = packet
    const word = protocolOf(protocol)
    const verdict = this.#plan.blame(direction, source, destination, word, destinationPort)
    if (verdict === undefined) return []
    return mode === 'audit' ? verdict.audited : verdict.kind === 'deny' ? verdict.policies : []
  }
}

const kinds = new Map(
  (['egress', 'ingress'] as const).flatMap((direction) =>
    (['enforce', 'audit'] as const).map((mode) => [logPrefixes[direction][mode], { direction, mode }] as const),
  ),
) as ReadonlyMap<string, { readonly direction: 'egress' | 'ingress'; readonly mode: 'enforce' | 'audit' }>

function portOf({ protocol, destinationPort }: Ends): { protocol: string; port?: number } {
  const word = protocolOf(protocol)
  const name = word === 'icmp' && protocol !== 1 && protocol !== 58 ? `ip protocol ${protocol}` : word
  return { protocol: name, ...(destinationPort === undefined ? {} : { port: destinationPort }) }
}
