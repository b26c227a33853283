import { type ApplyResult, applyManifests, type Client, connect, type Manifest } from '../client/index.ts'
import { type Pod, Pods, type Service, Services } from '../objects/index.ts'
import { podProblem, waitUntilSettled } from './settle.ts'
import { standInDefinitions } from './stand-in-kind.ts'
import type { LabSummary, UpOptions } from './summary.ts'

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
      warnings: results.flatMap(({ message }) => message ?? []),
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
  let results = await applyManifests(client, manifests)
  const unknown = results.filter(({ outcome }) => outcome === 'unknown-kind')
  const definitions = standInDefinitions(unknown.map(({ manifest }) => manifest))
  if (definitions.length > 0) {
    // Kept like custom resources, so that an application comes up whole; nobody acts on them.
    const defined = definitions.map((object): Manifest => ({ object, source: 'stand-in', document: 1, line: 1 }))
    const again = await applyManifests(client, [...defined, ...unknown.map(({ manifest }) => manifest)])
    const kept = again
      .slice(defined.length)
      .map((result, i) => ({ ...result, message: result.message ?? told(unknown[i]) }))
    results = [...results.filter(({ outcome }) => outcome !== 'unknown-kind'), ...kept]
  }
  const failures = results.filter(({ outcome }) => outcome === 'failed').map(({ message }) => message)
  if (failures.length > 0) throw new ApplyError(failures.join('\n'))
  progress(`${results.length} objects applied`)
  return results
}

/** What is said of an object whose kind nobody defines. */
function told(result: ApplyResult | undefined): string {
  const { apiVersion, kind, metadata } = result?.manifest.object ?? { apiVersion: '', kind: '', metadata: { name: '' } }
  return `${kind} "${metadata.name}": nobody defines ${apiVersion}; it is stored as it is, and nothing acts on it`
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
