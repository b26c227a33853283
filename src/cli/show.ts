import type { Snapshot } from '../cluster/index.ts'
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
import type { Sources } from '../gateways/index.ts'
import { agentsOfLab } from './agents.ts'
import { holdersOf } from './ask-speakers.ts'
import { parseTarget } from './asked.ts'
import { exit, print, say } from './output.ts'
import { type Cluster, openCluster } from './read-cluster.ts'

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

/** What is drawn from. */
export interface ShownFrom {
  readonly snapshot: Snapshot
  /** Read when an Ingress or a Gateway is asked for. */
  sources(): Promise<Sources>
  /** Who holds external addresses, in words. */
  holders(): Promise<ReadonlyMap<string, string>>
}

/** `plumb show TYPE/NAME`: exit status 0 when it is well, 1 when something keeps it from serving, 3 when it could not be read. */
export async function runShow(target: string, options: ShowOptions): Promise<void> {
  const object = parseShown(target, options.namespace)
  if (typeof object === 'string') {
    say(`plumb show: ${object}`)
    process.exitCode = exit.usage
    return
  }
  const cluster = await openCluster('plumb show', options)
  if (cluster === undefined) return
  const from: ShownFrom = {
    snapshot: cluster.snapshot,
    sources: async () => (await import('./doctor-request.ts')).readSources(cluster),
    holders: () => holdersIn(cluster),
  }
  const shown = await show(object, from).finally(() => cluster.client.close())
  if (typeof shown === 'string') {
    say(`plumb show: ${shown}`)
    process.exitCode = exit.cannot
    return
  }
  print(options.output === 'json' ? JSON.stringify(shown.data, null, 2) : shown.text)
  process.exitCode = shown.well ? exit.ok : exit.found
}

/** The object that is meant, or what is wrong with the words. */
export function parseShown(target: string, namespace: string): Entry | End | string {
  const object = parseEntry(target, namespace) ?? parseTarget(target, namespace)
  if (typeof object !== 'string' && Object.hasOwn(shownKinds, object.kind)) return object
  return `"${target}" is not svc/NAME, pod/NAME, ingress/NAME, gateway/NAME or egress/NAME`
}

/** An object with all that takes part in it, or why it cannot be shown. */
export async function show(object: Entry | End, from: ShownFrom): Promise<Shown | string> {
  switch (object.kind) {
    case 'egress': {
      const view = egressView(from.snapshot, object.name)
      return typeof view === 'string' ? view : { data: view, text: renderEgressView(view), well: view.well }
    }
    case 'ingress':
    case 'gateway':
      return showEntry(from, object.kind, object)
    default:
      return showEnd(from, object)
  }
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

async function showEntry(
  { snapshot, ...from }: ShownFrom,
  kind: 'ingress' | 'gateway',
  { namespace, name }: Pick<Entry, 'namespace' | 'name'>,
): Promise<Shown | string> {
  const found = (kind === 'ingress' ? ingressView : gatewayView)(snapshot, await from.sources(), namespace, name)
  if (typeof found === 'string') return found
  const holders = await from.holders()
  const addresses = found.addresses.map(({ address }) => {
    const holder = holders.get(address)
    return { address, ...(holder === undefined ? {} : { holder }) }
  })
  const view = { ...found, addresses }
  const well = view.health.kind === 'serves' || view.health.kind === 'ignored'
  return { data: view, text: renderEntryView(view, Date.now()), well }
}

/** A lab's agents are asked; of another cluster's it is known what they wrote. */
async function holdersIn({ lab, snapshot }: Cluster): Promise<ReadonlyMap<string, string>> {
  return lab === undefined ? holderWords(snapshot) : holdersOf(agentsOfLab(lab))
}

async function showEnd({ snapshot, ...from }: ShownFrom, end: End): Promise<Shown | string> {
  const found = findEnd(snapshot, end)
  if (found.kind === 'unknown') return found.says
  if (found.service !== undefined) {
    const holders = found.service.spec.type === 'LoadBalancer' ? await from.holders() : new Map<string, string>()
    const way = withHolders(wayIn(snapshot, found.service), holders)
    const well = way.health.kind === 'serves' || way.health.kind === 'ignored'
    return { data: way, text: renderWayIn(way), well }
  }
  if (found.pod === undefined) return `${found.label} cannot be shown`
  const view = podView(snapshot, found.pod)
  return { data: view, text: renderPodView(view), well: view.ready }
}
