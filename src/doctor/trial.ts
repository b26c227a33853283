import { keyOf, LiveSnapshot, matches, type Snapshot } from '../cluster/index.ts'
import { hasSelectedEndpoints, isManagedSlice, ServiceEndpoints, selects, ZoneCapacity } from '../endpoints/index.ts'
import { wayIn } from '../explain/index.ts'
import type { EndpointSlice, Service } from '../objects/index.ts'
import type { Cause, Patch } from './cause.ts'
import { type Examination, explainProbe } from './examination.ts'
import { ladder } from './ladder.ts'
import { applyPatch } from './patch.ts'
import { renderPlace } from './probe.ts'
import { subjectsOf } from './subject.ts'
import { addressText } from './words.ts'

/** What the model says of a remedy before anybody applies it. */
export interface Trial {
  /** Whether every probe that failed would get through, as far as objects and sockets tell. */
  readonly helps: boolean
  readonly says: string
  /** What else would be another than before. */
  readonly changes: readonly string[]
}

/** Tries a cause's patch on a copy of the objects: endpoints are chosen and ways explained again. Undefined where there is no patch, or of neither a Service nor a NetworkPolicy. */
export function tryFix(examination: Examination, { fix }: Cause): Trial | undefined {
  const { snapshot, subject, stand, tested } = examination
  if (fix.patch?.kind === 'NetworkPolicy') return tryPolicy(examination, fix.patch)
  if (fix.patch === undefined || fix.patch.kind !== 'Service') return undefined
  const before = subject.service
  const after = applyPatch(before, fix.patch)
  const then = withService(snapshot, after)
  const subjects = subjectsOf(then, after, {})
  const own = typeof subjects === 'string' ? undefined : subjects.find(({ port }) => port.port === subject.port.port)
  if (own === undefined) return { helps: false, says: 'the port would be gone', changes: [] }
  const failed = new Set(
    tested.filter(({ good }) => !good).map(({ probe }) => `${probe.rung} ${renderPlace(probe.from)}`),
  )
  const again = ladder(then, own, stand).filter(({ rung, from }) => failed.has(`${rung} ${renderPlace(from)}`))
  const denied = again.flatMap((probe) => {
    const answer = explainProbe({ ...examination, snapshot: then }, probe)
    return answer?.verdict.kind === 'deny'
      ? [`${renderPlace(probe.from)} → ${addressText(probe)}: ${answer.verdict.says}`]
      : []
  })
  const deaf = own.backends.flatMap(({ pod, port, ready }) => {
    const sockets = pod === undefined ? undefined : examination.sockets.get(keyOf(pod))
    const heard = sockets === undefined || sockets.some((one) => one.port === port && one.transport === own.transport)
    return !ready || heard ? [] : [`nothing listens on ${port}/${own.transport} in pod/${keyOf(pod!)}`]
  })
  const wrong = [...denied, ...(own.backends.length === 0 ? ['there would still be no endpoint'] : []), ...deaf]
  const says =
    wrong.length === 0
      ? `tried on the model: ${again.length} of ${again.length} probes that failed would get through`
      : `tried on the model: ${wrong.slice(0, 2).join('; ')}`
  return { helps: wrong.length === 0, says, changes: compare(snapshot, before, then, after) }
}

/** A rule more in a NetworkPolicy: what was denied may pass, and so may others like that client. */
function tryPolicy(examination: Examination, patch: Patch): Trial | undefined {
  const { snapshot, tested } = examination
  const key = `${patch.namespace}/${patch.name}`
  const policy = snapshot.policies.get(key)
  if (policy === undefined) return undefined
  const then = copyOf(snapshot)
  then.put('policies', key, applyPatch(policy, patch))
  // Nodes that are kept out are no clients.
  const lost = tested.filter(({ good }) => !good)
  const ofPods = lost.filter(({ probe }) => probe.from.kind !== 'node')
  const failed = ofPods.length > 0 ? ofPods : lost
  const denied = failed.flatMap(({ probe }) => {
    const answer = explainProbe({ ...examination, snapshot: then }, probe)
    return answer?.verdict.kind === 'deny'
      ? [`${renderPlace(probe.from)} → ${addressText(probe)}: ${answer.verdict.says}`]
      : []
  })
  const selected = [...snapshot.pods.values()].filter(
    (pod) => pod.metadata.namespace === patch.namespace && matches(policy.spec?.podSelector, pod.metadata.labels),
  )
  return {
    helps: denied.length === 0,
    says:
      denied.length === 0
        ? `tried on the model: ${failed.length} of ${failed.length} probes that failed would get through`
        : `tried on the model: ${denied.slice(0, 2).join('; ')}`,
    changes: selected.length > 1 ? [`the policy is for ${selected.length} pods, all of which it opens so`] : [],
  }
}

/** A copy of what a Service's meaning rests on. */
export function copyOf(snapshot: Snapshot): LiveSnapshot {
  const copy = new LiveSnapshot()
  const kinds = ['services', 'slices', 'nodes', 'pods', 'namespaces', 'policies'] as const
  for (const kind of kinds) for (const [key, object] of snapshot[kind]) copy.put(kind, key, object as never)
  return copy
}

/** The snapshot with another version of a Service, and the slices that the controllers would write for it. */
export function withService(snapshot: Snapshot, service: Service): LiveSnapshot {
  const copy = copyOf(snapshot)
  const key = keyOf(service)
  copy.put('services', key, service)
  if (!hasSelectedEndpoints(service)) return copy
  const zones = new ZoneCapacity()
  for (const [name, node] of snapshot.nodes) zones.setNode(name, node)
  const findNode = (name: string) => snapshot.nodes.get(name)
  const endpoints = new ServiceEndpoints(service, { findNode, zoneShares: () => zones.shares })
  for (const pod of snapshot.pods.values()) if (selects(service, pod)) endpoints.setPod(keyOf(pod), pod)
  for (const slice of snapshot.slicesOf(key))
    if (isManagedSlice(slice, service.metadata.name)) copy.put('slices', keyOf(slice), undefined)
  endpoints.plan().create.forEach((slice, at) => {
    const named: EndpointSlice = { ...slice, metadata: { ...slice.metadata, name: `${service.metadata.name}-${at}` } }
    copy.put('slices', keyOf(named), named)
  })
  return copy
}

function compare(snapshot: Snapshot, before: Service, then: Snapshot, after: Service): readonly string[] {
  const [old, now] = [wayIn(snapshot, before), wayIn(then, after)]
  const lost = old.entrances.filter(
    ({ address, port }) => !now.entrances.some((one) => one.address === address && one.port === port),
  )
  const pods = (way: typeof old): ReadonlySet<string> =>
    new Set(way.pods.flatMap(({ pod, use }) => (use === 'ready' ? [pod] : [])))
  const [had, has] = [pods(old), pods(now)]
  const joined = [...has].filter((one) => !had.has(one))
  const left = [...had].filter((one) => !has.has(one))
  const others = (after.spec.ports ?? []).length - 1
  const shared = joined.flatMap((key) => servicesOf(then, key, keyOf(after)))
  return [
    ...(joined.length > 0 ? [`pods join: ${joined.join(', ')}`] : []),
    ...(shared.length > 0 ? [`they also serve ${[...new Set(shared)].join(', ')}`] : []),
    ...(left.length > 0 ? [`pods leave: ${left.join(', ')}`] : []),
    ...lost.map((one) => `${addressText(one)} does not answer any more`),
    ...(joined.length + left.length > 0 && others > 0 ? [`the same for its ${others} other ports`] : []),
    ...(before.spec.externalTrafficPolicy === 'Local' && after.spec.externalTrafficPolicy === 'Cluster'
      ? ['pods see the address of a node instead of the client’s']
      : []),
  ]
}

function servicesOf(snapshot: Snapshot, pod: string, except: string): string[] {
  const found = snapshot.pods.get(pod)
  return [...snapshot.services].flatMap(([key, service]) =>
    key !== except && found !== undefined && selects(service, found) ? [`service/${key}`] : [],
  )
}
