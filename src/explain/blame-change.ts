import { isDeepStrictEqual } from 'node:util'
import { type Address, findAddress } from '../addr/index.ts'
import { type Because, keyOf, type Snapshot } from '../cluster/index.ts'
import type { KubeObject, Pod } from '../objects/index.ts'
import { explainPolicies, type Grant, policiesFor } from '../policies/index.ts'
import type { Setting } from './setting.ts'

/** A connection between two workloads; whichever is undefined is no pod, one that is an address may be any. */
export interface Changed {
  readonly from: string | undefined
  readonly to: string | undefined
  readonly protocol: 'tcp' | 'udp' | 'sctp'
  readonly port: number
}

/** A port that a grant has. */
export function portOf(grant: Grant): Pick<Changed, 'protocol' | 'port'> {
  const [first] = grant.kind === 'all' ? [] : grant.ports
  const port = first?.[1][0]
  return first === undefined || port === undefined
    ? { protocol: 'tcp', port: 80 }
    : { protocol: first[0], port: port.first || 1 }
}

/** Finds the object whose change opened or closed a connection: what decides it now or decided it before, and is not the same in both states. */
export class Blamer {
  readonly #sides: readonly Side[]

  constructor(before: Setting, after: Setting) {
    this.#sides = [after, before].map(sideOf)
  }

  connection({ from, to, protocol, port }: Changed): Because {
    const deciding = this.#sides.flatMap(({ snapshot, podOf }) => {
      const [source, destination] = [from, to].map((name) => name && (addressOf(podOf.get(name)) ?? findAddress(name)))
      if (!source || !destination) return []
      const { sides, denied } = explainPolicies(snapshot, { source, destination, protocol, port })
      return [...(denied === undefined ? [] : [denied]), ...sides].map(({ verdict }) => verdict.because)
    })
    const selecting = this.#sides.flatMap(({ snapshot, podOf }) =>
      [from, to].flatMap((name) => {
        const pod = name === undefined ? undefined : podOf.get(name)
        if (pod === undefined || pod.spec.hostNetwork === true) return []
        const { admin, own, baseline } = policiesFor(snapshot, pod)
        return [...admin, ...own, ...baseline].map(({ object }): Because => ({ object, field: 'spec', value: '' }))
      }),
    )
    const changed = [...deciding, ...selecting].find(({ object }) => this.#isChanged(object))
    return changed ?? this.#labels(from) ?? this.#labels(to) ?? deciding[0] ?? gone(from ?? to ?? '')
  }

  /** Of reasons the one whose object changed, else the first. */
  pick(reasons: readonly (Because | undefined)[]): Because {
    const known = reasons.filter((one) => one !== undefined)
    return known.find(({ object }) => this.#isChanged(object)) ?? known[0] ?? gone('')
  }

  #isChanged(object: string): boolean {
    const [after, before] = this.#sides.map(({ snapshot }) => findObject(snapshot, object))
    if (after === undefined && before === undefined) return false
    return !isDeepStrictEqual(contentOf(after), contentOf(before))
  }

  /** A workload whose labels or whose existence changed, or its namespace's labels. */
  #labels(name: string | undefined): Because | undefined {
    if (name === undefined) return undefined
    const [after, before] = this.#sides.map(({ podOf }) => podOf.get(name))
    if (after === undefined || before === undefined) return after === before ? undefined : gone(name)
    if (!isDeepStrictEqual(after.metadata.labels, before.metadata.labels))
      return { object: name, field: 'metadata.labels', value: JSON.stringify(after.metadata.labels ?? {}) }
    const namespace = after.metadata.namespace ?? ''
    const [now, then] = this.#sides.map(({ snapshot }) => snapshot.namespaces.get(namespace)?.metadata.labels)
    return isDeepStrictEqual(now, then)
      ? undefined
      : { object: `namespace/${namespace}`, field: 'metadata.labels', value: JSON.stringify(now ?? {}) }
  }
}

interface Side {
  readonly snapshot: Snapshot
  /** One pod of each workload. */
  readonly podOf: ReadonlyMap<string, Pod>
}

function sideOf({ snapshot, workloadOf }: Setting): Side {
  const podOf = new Map<string, Pod>()
  for (const [key, pod] of snapshot.pods) {
    const name = workloadOf.get(key) ?? `pod/${keyOf(pod)}`
    if (!podOf.has(name)) podOf.set(name, pod)
  }
  return { snapshot, podOf }
}

function addressOf(pod: Pod | undefined): Address | undefined {
  return findAddress(pod?.status?.podIPs?.[0]?.ip ?? '')
}

function gone(object: string): Because {
  return { object, field: 'metadata.name', value: '' }
}

const collections = {
  networkpolicy: 'policies',
  clusternetworkpolicy: 'clusterPolicies',
  adminnetworkpolicy: 'adminPolicies',
  baselineadminnetworkpolicy: 'baselinePolicies',
  service: 'services',
  endpointslice: 'slices',
  egress: 'egresses',
  node: 'nodes',
  pod: 'pods',
  namespace: 'namespaces',
} as const

function findObject(snapshot: Snapshot, object: string): KubeObject | undefined {
  const [kind = '', ...key] = object.split('/')
  const collection = Object.hasOwn(collections, kind) ? collections[kind as keyof typeof collections] : undefined
  return collection && snapshot[collection].get(key.join('/'))
}

/** What people write of an object. */
function contentOf(object: KubeObject | undefined): unknown {
  if (object === undefined) return undefined
  const { metadata, status: _, ...rest } = object as KubeObject & { status?: unknown }
  return { rest, labels: metadata.labels, annotations: metadata.annotations }
}
