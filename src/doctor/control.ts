import { type Address, familyOf } from '../addr/index.ts'
import type { Snapshot } from '../cluster/index.ts'
import type { Place } from './probe.ts'
import { frontsOf, type Subject } from './subject.ts'

/** A proxy that has nothing to do with the cluster, put in front of the same backends: what it meets too is not the LB's doing. */
export interface ControlPlan {
  /** HAProxy unless told; nginx beside it where it is installed: two that know nothing of one another say more than one. */
  readonly by?: 'haproxy' | 'nginx'
  readonly place: Place
  /** Whose addresses the backends are. */
  readonly to: 'pods' | 'node ports'
  readonly backends: readonly { readonly address: Address; readonly port: number }[]
  readonly speech: 'connect' | 'http' | 'https' | 'h2c'
  readonly host: string
  readonly path: string
  readonly tries: number
}

/** One request through the control. */
export interface ControlTry {
  /** 0 where no status came. */
  readonly status: number
  /** `address:port` of the server that was tried. */
  readonly server: string
  /** HAProxy's termination state: `--` for an answer of the server's own (Configuration Manual 8.5). */
  readonly state: string
  /** Who ended it, in words. */
  readonly says: string
  /** Whether the answer, good or bad, is the server's own. */
  readonly own: boolean
  /** -1 for what never came to be. */
  readonly connectMs: number
  readonly firstByteMs: number
}

export interface ControlResult {
  readonly plan: ControlPlan
  readonly tries: readonly ControlTry[]
  /** Why there are no tries. */
  readonly unseen?: string
}

const maxTries = 8

/** The controls that tell a subject's LB, backends and way apart: on a node before the pods, and outside before the node ports. */
export function controlPlans(
  snapshot: Snapshot,
  subject: Subject,
  outside: readonly Address[],
): readonly ControlPlan[] {
  const { speech, path, service } = subject
  if (speech === 'datagram' || speech === 'dns') return []
  const ready = subject.backends.filter((one) => one.ready && familyOf(one.address) === 4)
  const backends = (ready.length > 0 ? ready : subject.backends)
    .slice(0, maxTries)
    .map(({ address, port }) => ({ address, port }))
  const host = `${service.metadata.name}.${service.metadata.namespace ?? ''}`
  const common = { speech, host, path }
  const node = [...snapshot.nodes.keys()].sort()[0]
  // nginx speaks neither h2c nor, in most packages, plain streams.
  const proxies = speech === 'http' || speech === 'https' ? (['haproxy', 'nginx'] as const) : (['haproxy'] as const)
  const before = proxies.flatMap((by): ControlPlan[] =>
    node === undefined || backends.length === 0
      ? []
      : [{ ...common, by, place: { kind: 'node', name: node }, to: 'pods', backends, tries: backends.length }],
  )
  const fronts = frontsOf(snapshot, subject).filter(
    ({ kind, address }) => kind === 'node-port' && outside.some((one) => familyOf(one) === familyOf(address)),
  )
  const ports = fronts.slice(0, maxTries).map(({ address, port }) => ({ address, port }))
  return ports.length === 0
    ? before
    : [
        ...before,
        ...proxies.map(
          (by): ControlPlan => ({
            ...common,
            by,
            place: { kind: 'outside' },
            to: 'node ports',
            backends: ports,
            tries: ports.length,
          }),
        ),
      ]
}

/** Names of the proxies, as people write them. */
export const controlNames = { haproxy: 'HAProxy', nginx: 'nginx' } as const

/** Whether it is missed that a control could not run: nginx is a second one, where it is installed. */
export function isMissed({ plan, unseen }: ControlResult): boolean {
  return unseen !== undefined && plan.by !== 'nginx'
}

/** Whether the control was served each time by a server that did not fail. */
export function isControlGood({ tries }: ControlResult): boolean {
  return tries.length > 0 && tries.every(({ own, status }) => own && status < 500)
}
