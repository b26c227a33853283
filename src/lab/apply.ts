import { type ApplyResult, applyManifests, type Client, connect, type Manifest } from '../client/index.ts'
import { type Pod, Pods, type Service, Services } from '../objects/index.ts'
import { podProblem, waitUntilSettled } from './settle.ts'
import type { LabSummary, UpOptions } from './up.ts'

/** What remains to be done once the lab's API answers. */
export interface Settling {
  readonly options: UpOptions
  readonly kubeconfig: string
  readonly nodes: number
  readonly manifests: readonly Manifest[]
  readonly startedAt: number
  readonly started: boolean
  readonly progress: (text: string) => void
}

/** A manifest was refused; the message has a line per object. */
export class ApplyError extends Error {}

/** Applies the manifests, waits until all is Ready or the time is over, and tells what there is. */
export async function settleLab(settling: Settling): Promise<LabSummary> {
  const { options, kubeconfig, nodes, manifests, progress } = settling
  const client = connect({ kubeconfig, userAgent: 'plumb-up' })
  try {
    const results = await applyAll(client, manifests, progress)
    const unsettled = await waitUntilSettled(client, nodes, options.timeoutMs)
    progress(unsettled.length === 0 ? 'everything is Ready' : `${unsettled.length} objects are not Ready`)
    const [pods, services] = await Promise.all([client.list<Pod>(Pods), client.list<Service>(Services)])
    const live = pods.items.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    const count = (outcome: string) => results.filter((result) => result.outcome === outcome).length
    return {
      name: options.name,
      kubeconfig,
      started: settling.started,
      ms: Math.round(performance.now() - settling.startedAt),
      nodes,
      pods: { ready: live.filter((pod) => podProblem(pod) === undefined).length, total: live.length },
      services: services.items.map(summarise),
      applied: { created: count('created'), configured: count('configured'), unchanged: count('unchanged') },
      unsettled,
      warnings: results.flatMap(({ outcome, message }) => (outcome === 'unknown-kind' && message ? [message] : [])),
    }
  } finally {
    client.close()
  }
}

async function applyAll(
  client: Client,
  manifests: readonly Manifest[],
  progress: (text: string) => void,
): Promise<ApplyResult[]> {
  if (manifests.length === 0) return []
  const results = await applyManifests(client, manifests)
  const failures = results.filter(({ outcome }) => outcome === 'failed').map(({ message }) => message)
  if (failures.length > 0) throw new ApplyError(failures.join('\n'))
  progress(`${results.length} objects applied`)
  return results
}

function summarise({ metadata, spec, status }: Service): LabSummary['services'][number] {
  const external = status?.loadBalancer?.ingress?.map(({ ip, hostname }) => ip ?? hostname ?? '') ?? []
  const ports = (spec.ports ?? []).map(
    ({ port, nodePort, protocol }) => `${port}${nodePort ? `:${nodePort}` : ''}/${protocol}`,
  )
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    type: spec.type ?? 'ClusterIP',
    addresses: [...(spec.clusterIPs ?? []), ...external].filter((address) => address !== ''),
    ports: ports.join(','),
  }
}
