import { createHash } from 'node:crypto'
import { encode } from './encode.ts'
import { renderAction } from './lower-actions.ts'
import type { Part } from './lower-entry.ts'
import type { Called } from './lower-spares.ts'
import { answering } from './lower-words.ts'
import type { HttpAction, HttpRule, ValueMatch, WeightedTarget } from './model.ts'

/** The maps in which things of the model may have entries in common. */
export const sharedMaps = ['groups', 'regexes', 'actions', 'weights', 'shares'] as const

/** What hits lead on to, each once. */
export class Hits {
  readonly groups = new Map<string, string>()
  readonly regexes = new Map<string, string>()
  readonly actions = new Map<string, string>()
  readonly weights = new Map<string, string>()
  readonly shares = new Map<string, string>()
  readonly #known = new Map<HttpAction, string>()
  readonly #called: Called

  constructor(called: Called) {
    this.#called = called
  }

  entries(): Part {
    return sharedMaps.flatMap((map) => [...this[map]].map(([key, value]) => [map, key, value] as const))
  }

  /** The first of the rules whose conditions hold. */
  firstOf(rules: readonly HttpRule[], key: string): string {
    const reached: string[] = []
    for (const rule of rules) {
      const conditions = this.#conditionsOf(rule)
      const hit = this.of(rule.action)
      if (conditions.length === 0 && reached.length === 0) return hit
      reached.push(`${conditions.join(';')}>${hit}`)
      if (conditions.length === 0) break
    }
    this.groups.set(encode(key), reached.join(' '))
    return `?${encode(key)}`
  }

  /** `broken` answers for what cannot be. */
  of(action: HttpAction, broken: string = answering.broken): string {
    const known = this.#known.get(action)
    if (known !== undefined) return known
    const hits = action.targets.map((target, at) =>
      this.#hitOf(action, target, broken, action.targets.length > 1 ? `.${at}` : ''),
    )
    const hit = hits.length === 0 ? this.#answered(action) : hits.length === 1 ? hits[0]! : this.#shared(action, hits)
    this.#known.set(action, hit)
    return hit
  }

  /** No backend is asked: either a filter answers, or nobody can. */
  #answered(action: HttpAction): string {
    const backend = action.filters.length > 0 ? answering.filters : answering.closed
    return this.#hitOf(action, { weight: 1, target: { kind: 'backend', id: backend }, filters: [] }, backend, '')
  }

  #hitOf(action: HttpAction, { target, filters }: WeightedTarget, broken: string, suffix: string): string {
    const [backend, ...own] = this.#called(target.kind === 'backend' ? target.id : broken).split('@')
    const all = [...action.filters, ...filters]
    if (all.length === 0 && action.timeoutMs === undefined)
      return ['=', backend, action.id, ...own.flatMap((id) => ['', id])].join('|')
    const id = encode(`${action.id}${suffix}`)
    this.actions.set(id, renderAction(all, action.timeoutMs, this.#called))
    const sign = all.some(({ kind }) => kind === 'mirror') ? '*' : '+'
    return [sign, backend, action.id, id, ...own].join('|')
  }

  /** Weights become numbered shares, of which a random one is drawn. */
  #shared({ id, targets }: HttpAction, hits: readonly string[]): string {
    const shares = sharesOf(targets.map(({ weight }) => weight))
    const key = encode(id)
    this.weights.set(`%${key}`, String(shares.length))
    for (const [at, target] of shares.entries()) this.shares.set(`%${key}|${at}`, hits[target]!)
    return `%${key}`
  }

  #conditionsOf({ path, method, headers, query }: HttpRule): string[] {
    const value = (kind: string, { name, kind: how, value: text }: ValueMatch): string =>
      how === 'exact'
        ? `${kind}:${encode(name)}:${encode(text)}`
        : `${kind.toUpperCase()}:${encode(name)}:${this.#regex(text)}`
    return [
      ...(path.kind === 'regex' ? [`p:${this.#regex(path.value)}`] : []),
      ...(method === undefined ? [] : [`m:${encode(method)}`]),
      ...headers.map((match) => value('h', match)),
      ...query.map((match) => value('q', match)),
    ]
  }

  /** Regular expressions share a map: what is compared begins with the id of the one that is meant. */
  #regex(text: string): string {
    const id = createHash('sha256').update(text).digest('hex').slice(0, 12)
    this.regexes.set(`^${id}:(?:${text.replaceAll(' ', '\\x20').replaceAll('\t', '\\t')})$`, '1')
    return id
  }
}

const mostShares = 1000

/** Indexes of the weights, each as often as its share; exact up to 1,000 shares, at least one for each beyond. */
export function sharesOf(weights: readonly number[]): number[] {
  const divisor = weights.reduce(greatestCommonDivisor, 0) || 1
  const total = weights.reduce((sum, weight) => sum + weight, 0) / divisor
  const scale = total > mostShares ? mostShares / total : 1
  return weights.flatMap((weight, at) => {
    const count = weight === 0 ? 0 : Math.max(1, Math.round((weight / divisor) * scale))
    return Array.from({ length: count }, () => at)
  })
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}
