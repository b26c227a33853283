import type { Address } from '../addr/index.ts'
import { candidateRules } from './candidates.ts'
import { findElement, type Packet } from './meet.ts'
import type { Chain, Element, Hook, Rule, Ruleset, Statement, Verdict } from './ruleset.ts'

/** One thing that may become of a packet. */
export interface Way {
  /** Of a hundred such packets, those that take it, as far as chance alone decides. */
  readonly percent: number
  readonly packet: Packet
  /** `pass` while nobody has ended it. */
  readonly end: 'pass' | 'drop' | 'reject'
  /** The rule or policy that ended or translated it last. */
  readonly at: Place | undefined
  readonly masqueraded: boolean
  /** Rules that it meets or not by what cannot be known beforehand. */
  readonly unsure: readonly string[]
}

/** Where a rule stands. */
export interface Place {
  readonly table: string
  readonly chain: string
  /** The rule's text, or `policy drop`. */
  readonly rule: string
  readonly packets?: number
}

/** What rules ask of the node and cannot tell themselves. */
export interface Surroundings {
  isLocal(address: Address): boolean
}

/** Ways that are followed at once; past it an unknown match is taken as not met. */
const maxWays = 8192
/** NFT_JUMP_STACK_SIZE (net/netfilter/nf_tables.h). */
const maxDepth = 16
/** Rules that are looked at for one packet and base chain; what is beyond is taken as not there. */
const maxRules = 1_000_000

/** Where a way stands after a chain. */
interface Step {
  readonly way: Way
  readonly how: 'fell' | 'accepted' | 'ended'
}

/** A packet through all base chains of a hook, in the order of their priorities. */
export function walkHook(
  rulesets: readonly Ruleset[],
  hook: Hook,
  from: readonly Way[],
  around: Surroundings,
): readonly Way[] {
  const inOrder = rulesets
    .flatMap((ruleset) => basesOf(ruleset).map((chain) => ({ ruleset, chain })))
    .filter(({ chain }) => chain.base?.hook === hook)
    .sort((a, b) => (a.chain.base?.priority ?? 0) - (b.chain.base?.priority ?? 0))
  let ways = from
  for (const { ruleset, chain } of inOrder) {
    ways = ways.flatMap((way): readonly Way[] => {
      // A connection is translated once for each direction of NAT.
      if (way.end !== 'pass' || (chain.base?.translates === true && isDone(way, hook))) return [way]
      const walker = new Walker(ruleset, around, maxWays)
      return walker.chain(way, chain, 0).map((step) => closeBase(step, chain))
    })
  }
  return merge(ways)
}

const bases = new WeakMap<Ruleset, readonly Chain[]>()

function basesOf(ruleset: Ruleset): readonly Chain[] {
  const found = bases.get(ruleset) ?? [...ruleset.chains.values()].filter(({ base }) => base !== undefined)
  bases.set(ruleset, found)
  return found
}

function isDone(way: Way, hook: Hook): boolean {
  return hook === 'postrouting' || hook === 'input' ? way.masqueraded : way.packet.translated
}

function closeBase({ way, how }: Step, { base, table, name }: Chain): Way {
  if (how !== 'fell' || base?.policy !== 'drop') return way
  return { ...way, end: 'drop', at: { table, chain: name, rule: 'policy drop' } }
}

class Walker {
  readonly #ruleset: Ruleset
  readonly #around: Surroundings
  #left: number
  #rules = maxRules

  constructor(ruleset: Ruleset, around: Surroundings, left: number) {
    this.#ruleset = ruleset
    this.#around = around
    this.#left = left
  }

  chain(way: Way, chain: Chain, depth: number): readonly Step[] {
    if (depth > maxDepth || this.#rules <= 0) return [{ way, how: 'fell' }]
    const done: Step[] = []
    let live: readonly Way[] = [way]
    for (const rule of candidateRules(chain, way.packet)) {
      const next: Way[] = []
      this.#rules -= live.length
      for (const one of live) {
        for (const { way: after, how } of this.#rule(one, chain, rule, depth)) {
          if (how === 'next') next.push(after)
          else done.push({ way: after, how })
        }
      }
      live = next
      if (live.length === 0) break
    }
    return [...done, ...live.map((one): Step => ({ way: one, how: 'fell' }))]
  }

  #rule(way: Way, chain: Chain, rule: Rule, depth: number): readonly After[] {
    const left: After[] = []
    let live: readonly Way[] = [way]
    for (const statement of rule.statements) {
      const next: Way[] = []
      for (const one of live) {
        for (const { way: after, how } of this.#statement(one, statement, chain, rule, depth)) {
          if (how === 'on') next.push(after)
          else left.push({ way: after, how })
        }
      }
      live = next
      if (live.length === 0) break
    }
    return [...left, ...live.map((one): After => ({ way: one, how: 'next' }))]
  }

  #statement(way: Way, statement: Statement, chain: Chain, rule: Rule, depth: number): readonly Within[] {
    switch (statement.kind) {
      case 'note':
        return [{ way, how: 'on' }]
      case 'match':
        return this.#match(way, statement, chain, rule)
      case 'unknown':
        return this.#fork(way, rule, undefined)
      case 'look-up': {
        const found = findElement(
          this.#elements(statement.among, chain),
          statement.fields,
          way.packet,
          this.#around.isLocal,
        )
        // What cannot be looked up is taken as not there, and said.
        if (found === 'maybe') return [{ way: doubt(way, rule), how: 'on' }]
        return found?.then === undefined ? [{ way, how: 'on' }] : this.#verdict(way, found.then, chain, rule, depth)
      }
      case 'choose':
        return statement.verdicts.flatMap((one) =>
          this.#verdict({ ...way, percent: way.percent / statement.verdicts.length }, one, chain, rule, depth),
        )
      case 'verdict':
        return this.#verdict(way, statement.verdict, chain, rule, depth)
      case 'mark': {
        const mark = ((way.packet.mark & ~statement.mask) ^ statement.value) >>> 0
        return [{ way: { ...way, packet: { ...way.packet, mark } }, how: 'on' }]
      }
      case 'translate': {
        const { address: destination = way.packet.destination, port: destinationPort = way.packet.destinationPort } =
          statement
        const packet = { ...way.packet, destination, destinationPort, translated: true }
        return [{ way: { ...way, packet, at: placeOf(chain, rule) }, how: 'accepted' }]
      }
      case 'masquerade':
        return [{ way: { ...way, masqueraded: true }, how: 'accepted' }]
      default:
        return statement satisfies never
    }
  }

  #match(
    way: Way,
    { among, fields, not, percent }: Extract<Statement, { kind: 'match' }>,
    chain: Chain,
    rule: Rule,
  ): readonly Within[] {
    if (percent !== undefined) return this.#fork(way, rule, percent)
    const found = findElement(this.#elements(among, chain), fields, way.packet, this.#around.isLocal)
    if (found === 'maybe') return this.#fork(way, rule, undefined)
    return [{ way, how: (found === undefined) === not ? 'on' : 'next' }]
  }

  /** Both ways: met and not met. */
  #fork(way: Way, rule: Rule, percent: number | undefined): readonly Within[] {
    const unsure = percent === undefined
    if (this.#left <= 0 && unsure) return [{ way: doubt(way, rule), how: 'next' }]
    this.#left -= 1
    const met = (way.percent * (percent ?? 0)) / 100
    const rest = { way: { ...way, percent: way.percent - met }, how: 'next' as const }
    const on = unsure ? doubt({ ...way, percent: met }, rule) : { ...way, percent: met }
    if (percent === 100) return [{ way: on, how: 'on' }]
    return [{ way: on, how: 'on' }, rest]
  }

  #verdict(way: Way, verdict: Verdict, chain: Chain, rule: Rule, depth: number): readonly Within[] {
    switch (verdict.kind) {
      case 'accept':
        return [{ way, how: 'accepted' }]
      case 'drop':
      case 'reject':
        return [{ way: { ...way, end: verdict.kind, at: placeOf(chain, rule) }, how: 'ended' }]
      case 'return':
        return [{ way, how: 'fell' }]
      case 'continue':
        return [{ way, how: 'on' }]
      case 'jump':
      case 'goto': {
        const target = this.#ruleset.chains.get(`${chain.table} ${verdict.chain}`)
        if (target === undefined) return [{ way: doubt(way, rule), how: 'on' }]
        const fell = verdict.kind === 'jump' ? ('on' as const) : ('fell' as const)
        return this.chain(way, target, depth + 1).map(({ way: after, how }) => ({
          way: after,
          how: how === 'fell' ? fell : how,
        }))
      }
      default:
        return verdict satisfies never
    }
  }

  #elements(among: readonly Element[] | { readonly set: string }, { table }: Chain): readonly Element[] {
    return 'set' in among ? (this.#ruleset.sets.get(`${table} ${among.set}`) ?? []) : among
  }
}

/** After a rule: the next one, or the end of the chain. */
interface After {
  readonly way: Way
  readonly how: Step['how'] | 'next'
}

/** After a statement: the rule goes `on`, or its chain with the `next` rule, or the chain is over. */
interface Within {
  readonly way: Way
  readonly how: After['how'] | 'on'
}

function doubt(way: Way, { text }: Rule): Way {
  return way.unsure.includes(text) || way.unsure.length > 8 ? way : { ...way, unsure: [...way.unsure, text] }
}

function placeOf({ table, name }: Chain, { text, packets }: Rule): Place {
  return { table, chain: name, rule: text, ...(packets === undefined ? {} : { packets }) }
}

/** Ways that end alike are one. */
function merge(ways: readonly Way[]): readonly Way[] {
  const found = new Map<string, Way>()
  for (const way of ways) {
    const { destination, destinationPort, mark } = way.packet
    const id = `${destination} ${destinationPort} ${mark} ${way.end} ${way.masqueraded} ${way.at?.table} ${way.at?.chain} ${way.at?.rule}`
    const known = found.get(id)
    const unsure = known === undefined || known.unsure.length > way.unsure.length ? way.unsure : known.unsure
    found.set(id, { ...way, percent: way.percent + (known?.percent ?? 0), unsure })
  }
  return [...found.values()]
}
