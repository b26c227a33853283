import type { Address } from '../addr/index.ts'
import type { Endpoint } from '../objects/index.ts'
import { type Because, maxEndpoints, type NodeView, type Use } from './model.ts'

/** An endpoint before the choice. */
export interface Offer {
  readonly address: Address
  readonly port: number
  readonly node: string | undefined
  readonly zone: string | undefined
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
  readonly weight: number
  readonly hints: Endpoint['hints']
  readonly because: Because
}

/** What the choice came to. `anywhere` tells whether any endpoint in the cluster could serve: it parts reject from drop. */
export interface Choice {
  readonly scope: 'cluster' | 'local'
  readonly uses: readonly Use[]
  readonly anywhere: boolean
}

/**
 * Kubernetes' choice among the endpoints of one Service port (kube-proxy's CategorizeEndpoints). `local` is the traffic
 * policy Local, to which topology hints never apply. The uses are in the order of the offers.
 */
export function chooseEndpoints(offers: readonly Offer[], local: boolean, node: NodeView): Choice {
  const unique = withoutDoubles(offers)
  const kept = unique === offers ? undefined : new Set(unique)
  const anywhere = unique.some((offer) => offer.ready || (offer.serving && offer.terminating))
  const choose = local ? chooseLocal(unique, node) : chooseCluster(unique, node)
  const scope = local ? 'local' : 'cluster'
  let chosen = 0
  const uses = offers.map((offer): Use => {
    if (kept?.has(offer) === false) return listedTwice
    const use = choose(offer)
    if (use.kind === 'chosen' && ++chosen > maxEndpoints) return beyondLimit
    return use
  })
  return { scope, uses, anywhere }
}

// Shared, so that a hundred thousand candidates do not carry a hundred thousand reasons.
const ready: Use = { kind: 'chosen', why: 'ready' }
const hintedNode: Use = { kind: 'chosen', why: 'hinted-node' }
const hintedZone: Use = { kind: 'chosen', why: 'hinted-zone' }
const here: Use = { kind: 'chosen', why: 'local' }
const fallback: Use = { kind: 'chosen', why: 'terminating-fallback' }
const notReady: Use = { kind: 'passed-over', why: 'not-ready' }
const terminating: Use = { kind: 'passed-over', why: 'terminating' }
const hintedElsewhere: Use = { kind: 'passed-over', why: 'hinted-elsewhere' }
const otherNode: Use = { kind: 'passed-over', why: 'other-node' }
const listedTwice: Use = { kind: 'passed-over', why: 'listed-twice' }
const beyondLimit: Use = { kind: 'passed-over', why: 'beyond-limit' }

function chooseCluster(offers: readonly Offer[], node: NodeView): (offer: Offer) => Use {
  const topology = topologyOf(offers, node)
  if (offers.some((offer) => offer.ready)) {
    return (offer) => {
      if (!offer.ready) return passOver(offer)
      if (topology === 'none') return ready
      if (topology === 'node') return hintsNode(offer, node.name) ? hintedNode : hintedElsewhere
      return hintsZone(offer, node.zone) ? hintedZone : hintedElsewhere
    }
  }
  return (offer) => (offer.serving && offer.terminating ? fallback : passOver(offer))
}

function chooseLocal(offers: readonly Offer[], node: NodeView): (offer: Offer) => Use {
  const anyReady = offers.some((offer) => offer.node === node.name && offer.ready)
  return (offer) => {
    if (offer.node !== node.name) return otherNode
    if (offer.ready) return here
    return !anyReady && offer.serving && offer.terminating ? fallback : passOver(offer)
  }
}

function passOver(offer: Offer): Use {
  return offer.terminating ? terminating : notReady
}

/** Hints count only when every ready endpoint has them and one names this node, else this zone (all or nothing). */
function topologyOf(offers: readonly Offer[], node: NodeView): 'node' | 'zone' | 'none' {
  const considered = offers.filter((offer) => offer.ready)
  const hinted = (hint: 'forNodes' | 'forZones') => considered.every((offer) => (offer.hints?.[hint]?.length ?? 0) > 0)
  if (considered.some((offer) => hintsNode(offer, node.name)) && hinted('forNodes')) return 'node'
  if (considered.some((offer) => hintsZone(offer, node.zone)) && hinted('forZones')) return 'zone'
  return 'none'
}

function hintsNode(offer: Offer, node: string): boolean {
  return offer.hints?.forNodes?.some(({ name }) => name === node) ?? false
}

function hintsZone(offer: Offer, zone: string | undefined): boolean {
  return zone !== undefined && (offer.hints?.forZones?.some(({ name }) => name === zone) ?? false)
}

/** An endpoint that moves between slices is in both for a while: the better one counts, the first among equals. */
function withoutDoubles(offers: readonly Offer[]): readonly Offer[] {
  const best = new Map<string, Offer>()
  for (const offer of offers) {
    const id = `${offer.address} ${offer.port}`
    const other = best.get(id)
    if (other === undefined || rank(offer) > rank(other)) best.set(id, offer)
  }
  return best.size === offers.length ? offers : [...best.values()]
}

function rank(offer: Offer): number {
  return offer.ready ? 2 : offer.serving ? 1 : 0
}
