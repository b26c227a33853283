import type { Answer, Setting } from '../explain/index.ts'
import type { Sources } from '../gateways/index.ts'

/** The objects as they are at one time: the same object until one of them changes. */
export interface State extends Setting {
  /** What gateways are compiled from. */
  readonly sources: Sources
}

/** A question in the words of `plumb why`; `internet` is a client outside. */
export interface WhyAsked {
  readonly from: string
  readonly to: string
  readonly protocol: 'tcp' | 'udp' | 'sctp' | 'icmp'
  readonly family?: '4' | '6'
  readonly method?: string
}

/** What `plumb show` tells of an object. */
export interface Shown {
  /** A view of `explain`: `plumb.network/show/v1`. */
  readonly data: unknown
  readonly well: boolean
}

/** An external address as the agents tell of it. */
export interface AddressLine {
  readonly address: string
  readonly node: string | undefined
  readonly why: string | undefined
  readonly heldSeconds: number | undefined
  readonly announcements: number | undefined
  readonly lastAnnouncedSeconds: number | undefined
  readonly answeredBy: readonly string[]
}

export type FlowKind = 'denied' | 'http'

/** A table of flows, as `plumb flows` prints it. */
export interface FlowTable {
  readonly head: readonly string[]
  readonly none: string
}

/** Flows that came since the last time, the latest last, and the nodes that did not answer. */
export interface FlowsSeen {
  readonly rows: readonly { readonly node: string; readonly cells: readonly string[]; readonly bad: boolean }[]
  readonly unasked: readonly { readonly node: string; readonly says: string }[]
}

/** Agents that can be asked. */
export interface Agents {
  addresses(): Promise<{ readonly lines: readonly AddressLine[]; readonly unasked: FlowsSeen['unasked'] }>
  readonly flows: Readonly<Record<FlowKind, FlowTable>>
  /** `points` is up to where each node was asked before; it is moved on. */
  askFlows(kind: FlowKind, points: Map<string, number>): Promise<FlowsSeen>
}

/** Where the page has its answers from: the same functions that the command line uses. */
export interface Source {
  /** `lab ui`, `manifests: examples/shop`. */
  readonly says: string
  /** What cannot be seen from here, for people. */
  readonly blind: readonly string[]
  state(): Promise<State>
  /** Calls back after objects changed, as often as they do; returns the way to stop. */
  onChange(changed: () => void): () => void
  /** The answer, or what is wrong with the question. */
  why(asked: WhyAsked): Promise<Answer | string>
  /** The view of `svc/NAMESPACE/NAME` and the like, or why there is none. */
  show(object: string): Promise<Shown | string>
  /** Absent where nothing runs, as with manifests. */
  readonly agents?: Agents
}
