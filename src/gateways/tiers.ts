import { covers, type HostPattern, hostText } from './host.ts'
import { compare } from './ingress-class.ts'
import type { HostTier, HttpRule } from './model.ts'
import { isSameList, perObject } from './remember.ts'

/** Rules for a host of a listener, with what orders them among those of other routes. */
export interface Claim {
  readonly listener: string
  readonly host: HostPattern
  readonly created: string
  /** Kind, namespace and name of the route. */
  readonly object: string
  readonly rules: readonly HttpRule[]
}

/**
 * The tiers of an entrance. A host belongs to the most specific listener that means it, and only routes of that listener
 * are for it (listener isolation); among them rules of more specific hosts come first (HTTPRoute `hostnames`).
 */
export function compileTiers(
  listeners: readonly { readonly id: string; readonly host: HostPattern }[],
  claims: readonly Claim[],
): HostTier[] {
  const listenerByHost = new Map(listeners.map(({ id, host }) => [hostText(host), id]))
  const ownerOf = (host: HostPattern): string | undefined => {
    for (const text of widerTexts(host)) {
      const found = listenerByHost.get(text)
      if (found !== undefined) return found
    }
    return undefined
  }
  const tiers = new Map<string, { listener: string; host: HostPattern; claims: Claim[] }>()
  for (const { id, host } of listeners) tiers.set(hostText(host), { listener: id, host, claims: [] })
  for (const claim of claims) {
    if (ownerOf(claim.host) !== claim.listener) continue
    const text = hostText(claim.host)
    const tier = tiers.get(text) ?? { listener: claim.listener, host: claim.host, claims: [] }
    tier.claims.push(claim)
    tiers.set(text, tier)
  }
  return [...tiers.values()].map(({ listener, host, claims: own }) => {
    const parent = widerTexts(host)
      .slice(1)
      .map((text) => tiers.get(text))
      .find(
        (tier) => tier !== undefined && tier.listener === listener && tier.claims.length > 0 && covers(tier.host, host),
      )
    return sameTier({ listener, host, rules: orderRules(own), ...(parent && { parent: parent.host }) })
  })
}

/** The last tier for a host that began with the same rule. */
const tiersOf = perObject((_: HttpRule): HostTier[] => [])

/** The tier itself, or the one that was the same before, so that what was made of that stays true. */
function sameTier(tier: HostTier): HostTier {
  const [first] = tier.rules
  if (first === undefined) return tier
  const known = tiersOf(first)
  const at = known.findIndex(
    ({ listener, host, parent }) =>
      listener === tier.listener && isSameHost(host, tier.host) && isSameHost(parent, tier.parent),
  )
  const last = known[at]
  if (last !== undefined && isSameList(last.rules, tier.rules)) return last
  known[at < 0 ? known.length : at] = tier
  return tier
}

function isSameHost(a: HostPattern | undefined, b: HostPattern | undefined): boolean {
  if (a === b) return true
  if (a === undefined || b === undefined || a.kind !== b.kind) return false
  return a.kind === 'any' || a.name === (b as typeof a).name
}

/** The texts of all patterns that mean everything that this one means, the most specific first, itself included. */
const widerTexts = perObject((host: HostPattern): readonly string[] => {
  if (host.kind === 'any') return ['*']
  const texts = [hostText(host)]
  for (let dot = host.name.indexOf('.'); dot >= 0; dot = host.name.indexOf('.', dot + 1))
    texts.push(`*.${host.name.slice(dot + 1)}`)
  return [...texts, '*']
})

/** Precedence as HTTPRouteMatch and GRPCRouteMatch have it; a regular expression stands between Exact and PathPrefix. */
function orderRules(claims: readonly Claim[]): readonly HttpRule[] {
  const [only] = claims
  if (claims.length === 1 && only!.rules.length === 1) return only!.rules
  return claims
    .flatMap(({ created, object, rules }) => rules.map((rule, at) => ({ rule, created, object, at })))
    .sort(
      (a, b) =>
        kindRank[a.rule.path.kind] - kindRank[b.rule.path.kind] ||
        b.rule.path.value.length - a.rule.path.value.length ||
        Number(b.rule.method !== undefined) - Number(a.rule.method !== undefined) ||
        b.rule.headers.length - a.rule.headers.length ||
        b.rule.query.length - a.rule.query.length ||
        compare(a.created, b.created) ||
        compare(a.object, b.object) ||
        a.at - b.at,
    )
    .map(({ rule }) => rule)
}

const kindRank = { exact: 0, regex: 1, prefix: 2 }
