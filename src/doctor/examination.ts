import type { Address, Family } from '../addr/index.ts'
import type { BFDProfile, BGPAdvertisement, BGPPeer, Community } from '../bgp/index.ts'
import type { Snapshot } from '../cluster/index.ts'
import {
  type Answer,
  type ClusterFacts,
  confirm,
  type End,
  type Evidence,
  explainConnection,
  type Observation,
  observationsOf,
  type Step,
  withoutAgent,
} from '../explain/index.ts'
import type { AgentTrouble } from './agents.ts'
import type { ControlResult } from './control.ts'
import type { Stand } from './ladder.ts'
import type { Owners } from './owners.ts'
import { isGood, type Probe, type ProbeResult, renderPlace, wasSent } from './probe.ts'
import type { ProxyState, Stop } from './proxy.ts'
import type { Subject } from './subject.ts'

/** A socket that listens, as the kernel tells it. */
export interface ListeningAt {
  readonly transport: 'tcp' | 'udp'
  readonly address: Address
  readonly port: number
}

/** What a node is like apart from Plumb's own rules. */
export interface NodeState {
  readonly node: string
  /** `answers`, or why its agent does not; undefined where none of Plumb's is meant to run. */
  readonly agent: string | undefined
  /** Whether its kernel forwards packets of the family; undefined where it could not be read. */
  readonly forwarding: Readonly<Record<Family, boolean | undefined>>
  readonly conntrack: { readonly count: number; readonly max: number } | undefined
  /** Links by which the node reaches others, with their MTU in bytes; undefined where they could not be read. */
  readonly links?: readonly { readonly name: string; readonly mtu: number }[]
  /** nftables tables that are not Plumb's, e.g. `ip filter`. */
  readonly foreignTables: readonly string[]
  /** What kube-proxy left there; undefined where it was not looked for. */
  readonly proxy?: ProxyState
  /** Rules of others that end what probes ask for, on this node. */
  readonly stops?: readonly Stop[]
  /** What of its rules could not be read, and why. */
  readonly unread?: readonly string[]
  /** Connections of the subject that lead to an address that is none of its endpoints. */
  readonly stale?: readonly StaleConnection[]
  /** Clients that connect to where nobody is. */
  readonly lost?: readonly LostClient[]
  /** Where a thousand connections or more leave for one endpoint under one address. */
  readonly crowd?: CrowdedPath
  /** `net.ipv4.ip_local_port_range`, of which the node's own connections get their ports. */
  readonly localPorts?: string | undefined
}

/** A client that asks for a pod address that no pod has. */
export interface LostClient {
  readonly client: Address
  /** `address:port` */
  readonly asked: string
}

/** Connections that leave a node for one endpoint under one address: each needs a port of its own. */
export interface CrowdedPath {
  readonly as: Address
  /** `address:port` */
  readonly endpoint: string
  readonly connections: number
}

/** What a kernel counts: packets dropped by rp_filter, TCP segments with a wrong checksum, connections that tracking refused, neighbours for which there was no room. */
export type Counter = 'reverse-path' | 'checksum' | 'tracking' | 'neighbours'

/** A counter that rose while probes were sent. */
export interface Rise {
  /** `node/node-1`, `pod/shop/web` */
  readonly place: string
  readonly counter: Counter
  readonly by: number
}

/** An entry of connection tracking whose endpoint is gone. */
export interface StaleConnection {
  readonly transport: 'tcp' | 'udp'
  readonly client: string
  readonly asked: string
  readonly endpoint: string
}

/** Everything that was collected, plain data but for the snapshot. */
export interface Collected {
  readonly snapshot: Snapshot
  readonly subject: Subject
  readonly stand: Stand
  readonly facts: ClusterFacts
  readonly results: readonly ProbeResult[]
  /** What kernels said to the questions of the model, by the question in JSON. */
  readonly kernel: ReadonlyMap<string, Evidence>
  /** Listening sockets by pod. */
  readonly sockets: ReadonlyMap<string, readonly ListeningAt[]>
  readonly nodes: readonly NodeState[]
  /** Proxies apart from the cluster, before the same backends. */
  readonly controls: readonly ControlResult[]
  /** Who answers for the external addresses on their segments. */
  readonly owners?: readonly Owners[]
  readonly rises?: readonly Rise[]
  readonly bgp?: BgpObjects
  /** What is wrong with Plumb's own parts in the cluster. */
  readonly agents?: readonly AgentTrouble[]
  /** Nodes that could not be asked, and why. */
  readonly unasked?: readonly string[]
}

/** What routers are to be told, and what nodes say of their sessions with them. Passwords are not in it. */
export interface BgpObjects {
  readonly peers: readonly BGPPeer[]
  readonly advertisements: readonly BGPAdvertisement[]
  readonly profiles: readonly BFDProfile[]
  readonly communities: readonly Community[]
}

/** A probe with what the model says of it. */
export interface Tested {
  readonly result: ProbeResult
  readonly probe: Probe
  readonly good: boolean
  /** Undefined for what never leaves its namespace. */
  readonly answer: Answer | undefined
}

/** What rules look at. */
export interface Examination extends Collected {
  /** Without the probes that could not be sent: of them nothing is known. */
  readonly tested: readonly Tested[]
  /** Steps at which a kernel disagrees with the model, each once. */
  readonly disagreements: readonly Step[]
}

/** The model's own answer to each probe; loopback asks no network. */
export function explainProbe(
  collected: Pick<Collected, 'snapshot' | 'stand' | 'facts'>,
  probe: Probe,
): Answer | undefined {
  if (probe.rung === 'loopback' || probe.rung === 'name') return undefined
  const { from, address, port, transport } = probe
  const outside = collected.stand.outside.find((one) => one.includes(':') === address.includes(':'))
  if (from.kind === 'outside' && outside === undefined) return undefined
  const end: End = from.kind === 'outside' ? { kind: 'address', address: outside! } : from
  const question = { from: end, to: { kind: 'address', address } as const, port, transport }
  return withoutAgent(explainConnection(collected.snapshot, question, collected.facts), collected.facts)
}

/** The questions that the kernels must answer for all probes, each once. */
export function kernelQuestions(answers: readonly Answer[]): readonly Observation[] {
  return [...new Map(answers.flatMap(observationsOf).map((one) => [JSON.stringify(one), one])).values()]
}

/** Holds what was collected against the model. */
export function examine(collected: Collected): Examination {
  const tested = collected.results.filter(wasSent).map((result): Tested => {
    const model = explainProbe(collected, result.probe)
    return { result, probe: result.probe, good: isGood(result), answer: model && confirmed(model, collected.kernel) }
  })
  const steps = tested.flatMap(({ answer }) =>
    answer === undefined ? [] : [...answer.steps, ...answer.branches.flatMap((one) => one.steps)],
  )
  const wrong = steps.filter(({ observed }) => observed?.kind === 'disagrees')
  const disagreements = [...new Map(wrong.map((one) => [`${one.node} ${one.observed?.says}`, one])).values()]
  return { ...collected, tested, disagreements }
}

function confirmed(model: Answer, kernel: Collected['kernel']): Answer {
  const evidence = new Map<Observation, Evidence>()
  for (const one of observationsOf(model)) {
    const found = kernel.get(JSON.stringify(one))
    if (found !== undefined) evidence.set(one, found)
  }
  return evidence.size === 0 ? model : confirm(model, evidence)
}

/** Probes at a gateway: what the network makes of them the model of connections tells, what the gateway does is another's. */
export function testRequest(
  collected: Pick<Collected, 'snapshot' | 'stand' | 'facts'>,
  results: readonly ProbeResult[],
): readonly Tested[] {
  return results.filter(wasSent).map((result) => ({
    result,
    probe: result.probe,
    good: isGood(result),
    answer: explainProbe(collected, result.probe),
  }))
}

/** The tested probes of a rung. */
export function on({ tested }: Examination, ...names: readonly Probe['rung'][]): readonly Tested[] {
  return tested.filter(({ probe }) => names.includes(probe.rung))
}

/** Those of a rung that start in a pod, by its key. */
export function inPod(examination: Examination, rung: Probe['rung'], pod: string): readonly Tested[] {
  return on(examination, rung).filter(({ probe }) => renderPlace(probe.from) === `pod/${pod}`)
}

/** By how much a counter rose in a place while probes were sent. */
export function roseAt(rises: readonly Rise[], place: string, counter: Counter): number {
  return rises.find((one) => one.place === place && one.counter === counter)?.by ?? 0
}

/** Whether a policy keeps somebody out who is no client, a node or an endpoint itself, while the client gets through: it fails as it should. */
export function isMeant({ probe, answer, good }: Tested, tested: readonly Tested[]): boolean {
  if (good || answer?.verdict.kind !== 'deny' || !/policy\//.test(answer.verdict.because.object)) return false
  const isOther = probe.from.kind === 'node' || probe.rung === 'hairpin'
  const clients = tested.filter((one) => one.probe.rung === 'client-pod')
  return isOther && probe.rung !== 'gateway' && clients.length > 0 && clients.every((one) => one.good)
}
