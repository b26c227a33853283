import { type Labels, matches } from '../cluster/index.ts'
import type { LabelSelector } from '../objects/index.ts'
import {
  type Content,
  type Grant,
  grantOf,
  isEmpty,
  type Kin,
  type PodsPeer,
  sayPeer,
  type TieredContent,
} from '../policies/index.ts'

/** A pod that is not there, but that a policy means: whoever makes one gets the grant. */
export interface Stranger {
  /** `pods app=x in shop` */
  readonly who: string
  readonly selections: ReadonlySet<string>
}

/**
 * One pod for each pod peer that means none of those there are, with exactly the labels that its selectors ask for, and whatever other peers
 * that pod belongs to. None for selectors that no pod can satisfy.
 */
export function strangersOf(kin: readonly Kin[]): readonly Stranger[] {
  const peers = new Map<string, PodsPeer>()
  for (const { egress, ingress } of kin) {
    for (const peer of [...peersOf(egress), ...peersOf(ingress)]) peers.set(peer.id, peer)
  }
  const known = new Set(kin.flatMap(({ selections }) => [...selections]))
  return [...peers.values()].flatMap((peer) => {
    if (known.has(peer.id)) return []
    const pod = representative(peer)
    if (pod === undefined) return []
    const selections = [...peers.values()].filter((other) => selects(other, pod)).map(({ id }) => id)
    return [{ who: `${sayPeer(peer)} (none yet)`, selections: new Set(selections) }]
  })
}

/** What a stranger may ask of a pod. */
export function exposureTo({ ingress, ports }: Kin, { selections }: Stranger): Grant | undefined {
  const grant = grantOf(ingress, { selections }, ports)
  // Where everybody may come in, nobody in particular need be named.
  const anybody = grantOf(ingress, { selections: new Set() }, ports)
  return isEmpty(grant) || JSON.stringify(plain(grant)) === JSON.stringify(plain(anybody)) ? undefined : grant
}

function plain(grant: Grant): unknown {
  return grant.kind === 'all' ? 'all' : [[...grant.ports].sort(), grant.others]
}

interface Representative {
  readonly namespace: string
  readonly namespaceLabels: Labels
  readonly labels: Labels
}

function representative({ namespaces, pods }: PodsPeer): Representative | undefined {
  const labels = satisfy(pods)
  if (labels === undefined) return undefined
  if (namespaces.kind === 'one') {
    const { namespace } = namespaces
    return { namespace, namespaceLabels: { 'kubernetes.io/metadata.name': namespace }, labels }
  }
  const namespaceLabels = satisfy(namespaces.selector)
  if (namespaceLabels === undefined) return undefined
  const namespace = namespaceLabels['kubernetes.io/metadata.name'] ?? '(any)'
  return { namespace, namespaceLabels: { ...namespaceLabels, 'kubernetes.io/metadata.name': namespace }, labels }
}

/** The fewest labels that a selector selects. */
function satisfy(selector: LabelSelector): Labels | undefined {
  const labels: Record<string, string> = { ...selector.matchLabels }
  for (const { key, operator, values } of selector.matchExpressions ?? []) {
    if (operator === 'In' && labels[key] === undefined && values?.[0] !== undefined) labels[key] = values[0]
    if (operator === 'Exists' && labels[key] === undefined) labels[key] = 'any'
  }
  return matches(selector, labels) ? labels : undefined
}

function selects({ namespaces, pods }: PodsPeer, pod: Representative): boolean {
  if (!matches(pods, pod.labels)) return false
  if (namespaces.kind === 'one') return namespaces.namespace === pod.namespace
  return matches(namespaces.selector, pod.namespaceLabels)
}

function peersOf({ admin, own, baseline }: TieredContent): readonly PodsPeer[] {
  const wide = [...admin, ...baseline].flatMap(({ rules }) => rules.flatMap(({ entries }) => entries))
  return [...wide, ...entriesOf(own)].flatMap(({ pods }) => pods)
}

function entriesOf(content: Content) {
  return content.kind === 'closed' ? content.entries : []
}
