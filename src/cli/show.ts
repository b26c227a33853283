import {
  type End,
  egressView,
  findEnd,
  gatewayView,
  holderWords,
  ingressView,
  podView,
  renderEgressView,
  renderEntryView,
  renderPodView,
  renderWayIn,
  wayIn,
  withHolders,
} from '../explain/index.ts'
import { agentsOfLab } from './agents.ts'
import { holdersOf } from './ask-speakers.ts'
import { exit, print, say } from './output.ts'
import { type Cluster, openCluster } from './read-cluster.ts'
import { parseTarget } from './why.ts'

interface ShowOptions {
  name: string
  kubeconfig?: string
  context?: string
  namespace: string
  output: 'text' | 'json'
}

/** What is shown: text, the same as data, and whether it is well. */
interface Shown {
  readonly data: unknown
  readonly text: string
  readonly well: boolean
}

/** `plumb show TYPE/NAME`: exit status 0 when it is well, 1 when something keeps it from serving, 3 when it could not be read. */
export async function runShow(target: string, options: ShowOptions): Promise<void> {
  const entry = parseEntry(target, options.namespace)
  const end = entry ?? parseTarget(target, options.namespace)
  if (typeof end === 'string' || !Object.hasOwn(shownKinds, end.kind)) {
    say(`plumb show: "${target}" is not svc/NAME, pod/NAME, ingress/NAME, gateway/NAME or egress/NAME`)
    process.exitCode = exit.usage
    return
  }
  const cluster = await openCluster('plumb show', options)
  if (cluster === undefined) return
  const shown = await (entry === undefined ? showEnd(cluster, end as End) : showEntry(cluster, entry)).finally(() =>
    cluster.client.close(),
  )
  if (typeof shown === 'string') {
    say(`plumb show: ${shown}`)
    process.exitCode = exit.cannot
    return
  }
  print(options.output === 'json' ? JSON.stringify(shown.data, null, 2) : shown.text)
  process.exitCode = shown.well ? exit.ok : exit.found
}

const shownKinds = { pod: true, service: true, ingress: true, gateway: true, egress: true }

interface Entry {
  readonly kind: 'ingress' | 'gateway' | 'egress'
  readonly namespace: string
  readonly name: string
}

const entryKinds: Readonly<Record<string, Entry['kind']>> = {
  ingress: 'ingress',
  ingresses: 'ingress',
  ing: 'ingress',
  gateway: 'gateway',
  gateways: 'gateway',
  gtw: 'gateway',
  egress: 'egress',
  egresses: 'egress',
}

/** `ingress/NAME`, `gateway/NAMESPACE/NAME`, `egress/NAME`; undefined for all else. */
function parseEntry(text: string, namespace: string): Entry | undefined {
  const [type = '', ...names] = text.split('/')
  const kind = Object.hasOwn(entryKinds, type) ? entryKinds[type] : undefined
  const most = kind === 'egress' ? 1 : 2
  if (kind === undefined || names.length < 1 || names.length > most || names.includes('')) return undefined
  return { kind, namespace: names.length === 2 ? (names[0] ?? '') : namespace, name: names.at(-1) ?? '' }
}

async function showEntry(cluster: Cluster, { kind, namespace, name }: Entry): Promise<Shown | string> {
  const { snapshot } = cluster
  if (kind === 'egress') {
    const view = egressView(snapshot, name)
    return typeof view === 'string' ? view : { data: view, text: renderEgressView(view), well: view.well }
  }
  const { readSources } = await import('./doctor-request.ts')
  const sources = await readSources(cluster)
  const found = (kind === 'ingress' ? ingressView : gatewayView)(snapshot, sources, namespace, name)
  if (typeof found === 'string') return found
  const holders = await holdersIn(cluster)
  const addresses = found.addresses.map(({ address }) => {
    const holder = holders.get(address)
    return { address, ...(holder === undefined ? {} : { holder }) }
  })
  const view = { ...found, addresses }
  const well = view.health.kind === 'serves' || view.health.kind === 'ignored'
  return { data: view, text: renderEntryView(view, Date.now()), well }
}

async function showEnd(cluster: Cluster, end: End): Promise<Shown | string> {
  return show(cluster, end, isLoadBalancer(cluster, end) ? await holdersIn(cluster) : new Map())
}

/** A lab's agents are asked; of another cluster's it is known what they wrote. */
async function holdersIn({ lab, snapshot }: Cluster): Promise<ReadonlyMap<string, string>> {
  return lab === undefined ? holderWords(snapshot) : holdersOf(agentsOfLab(lab))
}

function isLoadBalancer({ snapshot }: Cluster, end: End): boolean {
  const found = findEnd(snapshot, end)
  return found.kind === 'found' && found.service?.spec.type === 'LoadBalancer'
}

function show({ snapshot }: Cluster, end: End, holders: ReadonlyMap<string, string>): Shown | string {
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
