import { covers, type HostPattern, hostText } from './host.ts'
import { compare } from './ingress-class.ts'
import { isSameList, Row } from './keyed.ts'
import type { HostTier, HttpRule } from './model.ts'
import { perObject } from './remember.ts'

/** Rules for a host of a listener, with what orders them among those of other routes. */
export interface Claim {
  readonly listener: string
  readonly host: HostPattern
  readonly created: string
  /** Kind, namespace and name of the route. */
  readonly object: string
  readonly rules: readonly HttpRule[]
}

interface Host {
  readonly listener: string
  readonly host: HostPattern
  readonly claims: Set<Claim>
}

/**
 * The tiers of an entrance. A host belongs to the most specific listener that means it, and only routes of that listener
 * are for it (listener isolation); among them rules of more specific hosts come first (HTTPRoute `hostnames`).
 */
export class Tiers {
  readonly #listenerByHost: ReadonlyMap<string, string>
  readonly #hosts = new Map<string, Host>()
  readonly #touched = new Set<string>()
  /** The wildcards whose rules others fall through to. */
  readonly #parents = new Set<string>()
  readonly #row = new Row<HostTier>()

  constructor(listeners: readonly { readonly id: string; readonly host: HostPattern }[]) {
    this.#listenerByHost = new Map(listeners.map(({ id, host }) => [hostText(host), id]))
    for (const { id, host } of listeners) {
      this.#hosts.set(hostText(host), { listener: id, host, claims: new Set() })
      this.#touched.add(hostText(host))
    }
  }

  add(claim: Claim): void {
    const { host, listener } = claim
    if (this.#ownerOf(host) !== listener) return
    const text = hostText(host)
    const known = this.#hosts.get(text) ?? { listener, host, claims: new Set() }
    known.claims.add(claim)
    this.#hosts.set(text, known)
    this.#touched.add(text)
  }

  remove(claim: Claim): void {
    const text = hostText(claim.host)
    const known = this.#hosts.get(text)
    if (known?.claims.delete(claim) !== true) return
    if (known.claims.size === 0 && !this.#listenerByHost.has(text)) this.#hosts.delete(text)
    this.#touched.add(text)
  }

  /** The tiers as they are now; one that says the same is the same object as before. */
  list(): readonly HostTier[] {
    const touched = this.#touchParents() ? [...this.#hosts.keys()] : []
    for (const text of new Set([...this.#touched, ...touched])) this.#compile(text)
    this.#touched.clear()
    return this.#row.list()
  }

  /** Answers whether other wildcards have rules than before. */
  #touchParents(): boolean {
    let changed = false
    for (const text of this.#touched) {
      if (text !== '*' && !text.startsWith('*.')) continue
      const isParent = (this.#hosts.get(text)?.claims.size ?? 0) > 0
      if (isParent === this.#parents.has(text)) continue
      if (isParent) this.#parents.add(text)
      else this.#parents.delete(text)
      changed = true
    }
    return changed
  }

  #compile(text: string): void {
    const known = this.#hosts.get(text)
    if (known === undefined) {
      this.#row.delete(text)
      return
    }
    const { listener, host, claims } = known
    const parent = this.#parentOf(host, listener)
    const rules = orderRules([...claims])
    const last = this.#row.get(text)
    if (last !== undefined && last.parent === parent && isSameList(last.rules, rules)) return
    this.#row.set(text, { listener, host, rules, ...(parent && { parent }) })
  }

  #parentOf(host: HostPattern, listener: string): HostPattern | undefined {
    if (this.#parents.size === 0) return undefined
    for (const text of widerTexts(host).slice(1)) {
      const wider = this.#parents.has(text) ? this.#hosts.get(text) : undefined
      if (wider !== undefined && wider.listener === listener && covers(wider.host, host)) return wider.host
    }
    return undefined
  }

  #ownerOf(host: HostPattern): string | undefined {
    for (const text of widerTexts(host)) {
      const found = this.#listenerByHost.get(text)
      if (found !== undefined) return found
    }
    return undefined
  }
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
