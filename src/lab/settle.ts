import type { Client, Informer } from '../client/index.ts'
import { serviceNameLabel } from '../cluster/index.ts'
import { selects } from '../endpoints/index.ts'
import {
  type DaemonSet,
  DaemonSets,
  type Deployment,
  Deployments,
  type EndpointSlice,
  EndpointSlices,
  type KubeObject,
  type Node,
  Nodes,
  type Pod,
  Pods,
  type Service,
  Services,
  type StatefulSet,
  StatefulSets,
} from '../objects/index.ts'

/** Something that is not as it should be yet, and why. */
export interface Unsettled {
  readonly object: string
  readonly reason: string
}

interface Caches {
  readonly nodes: Informer<Node>
  readonly pods: Informer<Pod>
  readonly deployments: Informer<Deployment>
  readonly statefulSets: Informer<StatefulSet>
  readonly daemonSets: Informer<DaemonSet>
  readonly services: Informer<Service>
  readonly slices: Informer<EndpointSlice>
}

/**
 * Waits until all nodes, workloads and pods are Ready and Services know of their pods, or until `timeoutMs` is over; resolves to what is not.
 * Pods that have completed count as settled; Jobs are not waited for.
 */
export async function waitUntilSettled(client: Client, nodeCount: number, timeoutMs: number): Promise<Unsettled[]> {
  const caches: Caches = {
    nodes: client.informer<Node>(Nodes),
    pods: client.informer<Pod>(Pods),
    deployments: client.informer<Deployment>(Deployments),
    statefulSets: client.informer<StatefulSet>(StatefulSets),
    daemonSets: client.informer<DaemonSet>(DaemonSets),
    services: client.informer<Service>(Services),
    slices: client.informer<EndpointSlice>(EndpointSlices),
  }
  const informers = Object.values(caches) as Informer<KubeObject>[]
  try {
    await Promise.all(informers.map((informer) => informer.start()))
    return await new Promise<Unsettled[]>((resolve) => {
      const timer = setTimeout(() => resolve(findUnsettled(caches, nodeCount)), timeoutMs)
      const check = (): void => {
        if (findUnsettled(caches, nodeCount).length > 0) return
        clearTimeout(timer)
        resolve([])
      }
      for (const informer of informers) informer.onChange(check)
      check()
    })
  } finally {
    for (const informer of informers) informer.close()
  }
}

function findUnsettled(caches: Caches, nodeCount: number): Unsettled[] {
  const { nodes, pods, deployments, statefulSets, daemonSets, services, slices } = caches
  const found: Unsettled[] = []
  if (nodes.size < nodeCount) found.push({ object: 'nodes', reason: `${nodes.size} of ${nodeCount} are registered` })
  for (const node of nodes.values()) {
    const ready = node.status?.conditions?.find(({ type }) => type === 'Ready')
    if (ready?.status !== 'True')
      found.push({ object: `node/${node.metadata.name}`, reason: ready?.message ?? 'not Ready' })
  }
  for (const one of deployments.values()) {
    const { status = {}, spec } = one
    const counts = [status.updatedReplicas ?? 0, status.readyReplicas ?? 0]
    note(found, 'deployment', one, status.observedGeneration, Math.min(...counts), spec.replicas ?? 1)
  }
  for (const one of statefulSets.values()) {
    note(
      found,
      'statefulset',
      one,
      one.status?.observedGeneration,
      one.status?.readyReplicas ?? 0,
      one.spec.replicas ?? 1,
    )
  }
  for (const one of daemonSets.values()) {
    const wanted = one.status?.desiredNumberScheduled ?? 0
    note(found, 'daemonset', one, one.status?.observedGeneration, one.status?.numberReady ?? 0, wanted)
  }
  for (const pod of pods.values()) {
    const reason = podProblem(pod)
    if (reason !== undefined) found.push({ object: `pod/${pod.metadata.namespace}/${pod.metadata.name}`, reason })
  }
  const served = new Set(
    [...slices.values()]
      .filter(({ endpoints }) => endpoints.some(({ conditions }) => conditions?.ready !== false))
      .map(({ metadata }) => `${metadata.namespace}/${metadata.labels?.[serviceNameLabel]}`),
  )
  for (const service of services.values()) {
    const key = `${service.metadata.namespace}/${service.metadata.name}`
    if (served.has(key) || ![...pods.values()].some((pod) => isReady(pod) && selects(service, pod))) continue
    found.push({ object: `service/${key}`, reason: 'none of its pods that are Ready is in an EndpointSlice' })
  }
  return found
}

const isReady = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp === undefined &&
  status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true

function note(
  found: Unsettled[],
  kind: string,
  { metadata }: KubeObject,
  observed: number | undefined,
  ready: number,
  wanted: number,
): void {
  if ((observed ?? 0) >= (metadata.generation ?? 0) && ready >= wanted) return
  found.push({
    object: `${kind}/${metadata.namespace}/${metadata.name}`,
    reason: `${ready} of ${wanted} replicas are Ready`,
  })
}

/** Why a pod is not Ready, or undefined when it is or need not be. */
export function podProblem({ metadata, status, spec }: Pod): string | undefined {
  if (metadata.deletionTimestamp !== undefined || status?.phase === 'Succeeded') return undefined
  const condition = (type: string) => status?.conditions?.find((one) => one.type === type)
  if (condition('Ready')?.status === 'True') return undefined
  if (status?.phase === 'Failed') return status.message ?? status.reason ?? 'Failed'
  if (!spec.nodeName) return condition('PodScheduled')?.message ?? 'not scheduled'
  const statuses = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]
  const waiting = statuses.find(({ state }) => state?.waiting?.message !== undefined)?.state?.waiting
  if (waiting !== undefined) return `${waiting.reason}: ${waiting.message}`
  return condition('Initialized')?.message ?? condition('Ready')?.message ?? 'starting'
}
