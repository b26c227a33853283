import { findEnd, podView, renderPodView, renderWayIn, wayIn, withHolders } from '../explain/index.ts'
import { holdersOf } from './addresses.ts'
import { exit, print, say } from './output.ts'
import { type Cluster, openCluster } from './read-cluster.ts'
import { parseTarget } from './why.ts'

interface ShowOptions {
  name: string
  kubeconfig?: string
  namespace: string
  output: 'text' | 'json'
}

/** What is shown: text, the same as data, and whether it is well. */
interface Shown {
  readonly data: unknown
  readonly text: string
  readonly well: boolean
}

/** `plumb show svc/NAME`: exit status 0 when it is well, 1 when something keeps it from serving, 3 when it could not be read. */
export async function runShow(target: string, options: ShowOptions): Promise<void> {
  const end = parseTarget(target, options.namespace)
  if (typeof end === 'string' || (end.kind !== 'service' && end.kind !== 'pod')) {
    say(`plumb show: "${target}" is not svc/NAME or pod/NAME`)
    process.exitCode = exit.usage
    return
  }
  const cluster = await openCluster('plumb show', options)
  if (cluster === undefined) return
  cluster.client.close()
  const held = cluster.lab !== undefined && isLoadBalancer(cluster, end)
  const holders = held ? await holdersOf(options.name) : new Map()
  const shown = show(cluster, end, holders)
  if (typeof shown === 'string') {
    say(`plumb show: ${shown}`)
    process.exitCode = exit.cannot
    return
  }
  print(options.output === 'json' ? JSON.stringify(shown.data, null, 2) : shown.text)
  process.exitCode = shown.well ? exit.ok : exit.found
}

function isLoadBalancer({ snapshot }: Cluster, end: Parameters<typeof findEnd>[1]): boolean {
  const found = findEnd(snapshot, end)
  return found.kind === 'found' && found.service?.spec.type === 'LoadBalancer'
}

function show(
  { snapshot }: Cluster,
  end: Parameters<typeof findEnd>[1],
  holders: ReadonlyMap<string, string>,
): Shown | string {
  const found = findEnd(snapshot, end)
  if (found.kind === 'unknown') return found.says
  if (found.service !== undefined) {
    const way = withHolders(wayIn(snapshot, found.service), holders)
    const well = way.health.kind === 'serves' || way.health.kind === 'ignored'
    return { data: way, text: renderWayIn(way), well }
  }
  if (found.pod === undefined) return `${found.label} cannot be shown`
  const view = podView(snapshot, found.pod)
  return { data: view, text: renderPodView(view), well: view.ready }
}
