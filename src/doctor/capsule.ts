import { keyOf, type Snapshot, snapshotOf } from '../cluster/index.ts'
import type { ClusterFacts, Evidence } from '../explain/index.ts'
import type { GatewayModel } from '../gateways/index.ts'
import type { KubeObject, Service } from '../objects/index.ts'
import type { AgentTrouble } from './agents.ts'
import type { ControlResult } from './control.ts'
import type { BgpObjects, Collected, ListeningAt, NodeState, Rise } from './examination.ts'
import type { Stand } from './ladder.ts'
import type { Owners } from './owners.ts'
import type { ProbeResult } from './probe.ts'
import { type Subject, subjectsOf } from './subject.ts'

/** One port of one Service, as it was collected. */
export interface SavedSubject {
  readonly service: string
  /** As `spec.ports[].port` says it, with the protocol: two ports may share a number. */
  readonly port: number
  readonly protocol: string
  readonly path: string
  readonly stand: Stand
  readonly results: readonly ProbeResult[]
  readonly kernel: readonly (readonly [string, Evidence])[]
  readonly sockets: readonly (readonly [string, readonly ListeningAt[]])[]
  readonly nodes: readonly NodeState[]
  readonly controls: readonly ControlResult[]
  readonly owners?: readonly Owners[]
  readonly rises?: readonly Rise[]
  readonly bgp?: BgpObjects
  readonly agents?: readonly AgentTrouble[]
  readonly unasked?: readonly string[]
}

/** Everything that was looked at, in one file: it can be judged again anywhere, without the cluster. */
export interface Capsule {
  readonly schema: 'plumb.network/capsule/v1'
  /** RFC 3339 */
  readonly taken: string
  readonly facts: ClusterFacts
  readonly objects: readonly KubeObject[]
  readonly subjects: readonly SavedSubject[]
  /** What comes in from outside, without keys and passwords. */
  readonly gateways?: GatewayModel
  /** What kernels said beyond what subjects have, by question. */
  readonly kernel?: readonly (readonly [string, Evidence])[]
}

/** Puts what was collected into a capsule. Secrets are not among the objects; values of environment variables and managed fields are left out. */
export function saveCapsule(
  snapshot: Snapshot,
  facts: ClusterFacts,
  collected: readonly Collected[],
  taken: string,
): Capsule {
  const kinds = [
    'nodes',
    'namespaces',
    'services',
    'slices',
    'pods',
    'policies',
    'clusterPolicies',
    'adminPolicies',
    'baselinePolicies',
    'egresses',
    'addressPools',
    'l2Statuses',
    'bgpStatuses',
    'l2Advertisements',
  ] as const
  const all = snapshot as unknown as Readonly<Record<string, ReadonlyMap<string, KubeObject> | undefined>>
  return {
    schema: 'plumb.network/capsule/v1',
    taken,
    facts,
    objects: kinds.flatMap((kind) => [...(all[kind]?.values() ?? [])]).map(redact),
    subjects: collected.map(
      ({ subject, stand, results, kernel, sockets, nodes, controls, owners = [], rises = [], ...more }) => ({
        service: keyOf(subject.service),
        port: subject.port.port,
        protocol: subject.port.protocol ?? 'TCP',
        path: subject.path,
        stand,
        results,
        kernel: [...kernel],
        sockets: [...sockets],
        nodes,
        controls,
        owners,
        rises,
        ...whatThereIs(more),
      }),
    ),
  }
}

function whatThereIs({ bgp, agents, unasked }: Pick<Collected, 'bgp' | 'agents' | 'unasked'>) {
  return {
    ...(bgp === undefined ? {} : { bgp }),
    ...(agents === undefined ? {} : { agents }),
    ...(unasked === undefined ? {} : { unasked }),
  }
}

/** A subject of which nothing is collected yet. */
export function emptySubject({ service, port, path }: Subject, stand: Stand): SavedSubject {
  const own = { service: keyOf(service), port: port.port, protocol: port.protocol ?? 'TCP', path, stand }
  return { ...own, results: [], kernel: [], sockets: [], nodes: [], controls: [] }
}

/** Takes out what nobody needs for a diagnosis and some would not show. */
function redact(object: KubeObject): KubeObject {
  const {
    managedFields: _,
    annotations,
    ...metadata
  } = object.metadata as KubeObject['metadata'] & { managedFields?: unknown; annotations?: Record<string, string> }
  const { 'kubectl.kubernetes.io/last-applied-configuration': __, ...kept } = annotations ?? {}
  const copy = {
    ...object,
    metadata: { ...metadata, ...(annotations === undefined ? {} : { annotations: kept }) },
  } as KubeObject & { spec?: Readonly<Record<string, unknown>> }
  if (object.kind !== 'Pod' || copy.spec === undefined) return copy
  const withoutEnv = ['containers', 'initContainers', 'ephemeralContainers'].flatMap((field) => {
    const list = copy.spec?.[field] as readonly { env?: unknown }[] | undefined
    return list === undefined ? [] : [[field, list.map(({ env: ___, ...rest }) => rest)] as const]
  })
  return { ...copy, spec: { ...copy.spec, ...Object.fromEntries(withoutEnv) } } as KubeObject
}

/** Reads a capsule's text; a text says what is wrong with it. */
export function readCapsule(text: string): Capsule | string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'is not JSON'
  }
  const capsule = value as Partial<Capsule> | null
  if (typeof capsule !== 'object' || capsule?.schema !== 'plumb.network/capsule/v1')
    return 'is no capsule of this version (schema plumb.network/capsule/v1)'
  if (!Array.isArray(capsule.objects) || !Array.isArray(capsule.subjects) || capsule.facts === undefined)
    return 'lacks objects, subjects or facts'
  return capsule as Capsule
}

/** What was collected, as it was when the capsule was taken. */
export function openCapsule({ objects, subjects, facts }: Capsule): readonly Collected[] {
  const snapshot = snapshotOf(objects)
  return subjects.flatMap(({ service, port, protocol, path, kernel, sockets, ...rest }): Collected[] => {
    const found = snapshot.services.get(service)
    const all = found === undefined ? [] : subjectsOf(snapshot, found as Service, { port, path })
    const subject = typeof all === 'string' ? undefined : all.find((one) => (one.port.protocol ?? 'TCP') === protocol)
    if (subject === undefined) return []
    return [{ snapshot, subject, facts, kernel: new Map(kernel), sockets: new Map(sockets), ...rest }]
  })
}
