import type { Family } from '../addr/index.ts'
import { chainNames, chains, compute, countLoopback, draw, goto, jumpTo, number } from './chains.ts'
import { type Expression, loopbackGuard, type Operation, type Rule, type Statement } from './lower.ts'
import type { Hashing } from './model.ts'
import { classElement, classId, classidOf, priority, sets, tableOf, words } from './sets.ts'

const { inside, translate, translateLocal, seated } = chainNames

/** What a port with `count` endpoints needs before the first Service has that many. */
export function growClass(family: Family, count: number, hashed?: Hashing['by']): readonly Operation[] {
  const chain = chainOf('lb', count, hashed)
  const element = classElement({ kind: 'balance', count, hashed }, chain)
  return [
    ...makeChain(family, chain, [{ statements: [find(family, count, hashed), goto(translate)] }]),
    { kind: 'add-elements', ...tableOf(family), set: sets[family].classes, elements: [element] },
  ]
}

/** The same for policy Local: pods and the node itself turn off, everybody else gets one of `count` endpoints or silence. */
export function growLocalClass(family: Family, count: number, hashed?: Hashing['by']): readonly Operation[] {
  const chain = chainOf('local', count, hashed)
  const rest: Rule =
    count === 0
      ? { statements: [{ kind: 'verdict', verdict: { kind: 'drop' } }] }
      : { statements: [find(family, count, hashed), goto(translateLocal)] }
  const element = classElement({ kind: 'local', count, hashed }, chain)
  return [
    ...makeChain(family, chain, [jumpTo(inside), rest]),
    { kind: 'add-elements', ...tableOf(family), set: sets[family].localClasses, elements: [element] },
  ]
}

function chainOf(kind: 'lb' | 'local', count: number, hashed: Hashing['by'] | undefined): string {
  return hashed === undefined ? `${kind}-${count}` : `${kind}-${hashed}-${count}`
}

function find(family: Family, count: number, hashed: Hashing['by'] | undefined): Statement {
  return hashed === undefined ? draw(count) : compute(family, count, hashed)
}

/** What affinity of `seconds` needs before the first Service has it: the client's time begins anew with each connection. */
export function growTimeout(family: Family, seconds: number): readonly Operation[] {
  const { affinity } = sets[family]
  const remember: Statement = {
    kind: 'update',
    operation: 'update',
    set: affinity.name,
    key: clientAndSeat(family),
    timeoutSeconds: seconds,
  }
  return makeChain(family, timeoutChain(seconds), [{ statements: [remember] }, { statements: [goto(seated)] }])
}

/** The rules of an affinity chain: whoever has a seat returns to it, the rest draw one. `local` is policy Local for who comes from outside. */
export function affinityRules(
  family: Family,
  seats: readonly number[],
  seconds: number,
  local: boolean,
  comment: string,
): readonly Rule[] {
  const take = (seat: number): Statement => ({ kind: 'set', target: 'meta priority', value: number(seat) })
  const remember = goto(timeoutChain(seconds))
  const { affinity } = sets[family]
  const [only] = seats
  if (seats.length === 1 && only !== undefined) {
    return [...(local ? [jumpTo(inside)] : []), { comment, statements: [take(only), remember] }]
  }
  const returns = seats.map(
    (seat): Rule => ({
      comment,
      statements: [
        take(seat),
        { kind: 'match', left: clientAndSeat(family), operator: '==', right: { set: affinity.name } },
        remember,
      ],
    }),
  )
  const draws = seats.map(
    (seat, index): Rule => ({
      statements: [{ kind: 'match', left: priority, operator: '==', right: classidOf(index) }, take(seat), remember],
    }),
  )
  return [...(local ? [jumpTo(inside)] : []), ...returns, { statements: [draw(seats.length)] }, ...draws]
}

function timeoutChain(seconds: number): string {
  return `remember-${seconds}`
}

function clientAndSeat(family: Family): Expression {
  return { kind: 'concat', of: [{ kind: 'payload', field: words[family].source }, priority] }
}

/** A table without contents: sets first, then the chains that use them. */
export function createTable(family: Family, loopbackNodePorts: boolean): readonly Operation[] {
  const at = tableOf(family)
  const declared = sets[family]
  const loopback = loopbackNodePorts && family === 4 ? [loopbackGuard(), countLoopback()] : []
  const all = [...chains(family), ...loopback]
  return [
    { kind: 'add-table', ...at },
    ...Object.values(declared).map((set): Operation => ({ kind: 'add-set', ...at, set })),
    // All chains before all rules, because they lead to each other.
    ...all.map(({ rules: _, ...chain }): Operation => ({ kind: 'add-chain', ...at, chain })),
    ...all.flatMap(({ name, rules }) => addRules(family, name, rules)),
    {
      kind: 'add-elements',
      ...at,
      set: declared.classes,
      elements: [{ key: classId({ kind: 'balance', count: 0, hashed: undefined }), value: 'drop' }],
    },
    ...growClass(family, 1),
  ]
}

/** A chain with rules, for a table that has no such chain. */
export function makeChain(family: Family, name: string, rules: readonly Rule[]): readonly Operation[] {
  return [{ kind: 'add-chain', ...tableOf(family), chain: { name } }, ...addRules(family, name, rules)]
}

/** Other rules for a chain that is there. */
export function rewriteChain(family: Family, chain: string, rules: readonly Rule[]): readonly Operation[] {
  return [{ kind: 'flush-chain', ...tableOf(family), chain }, ...addRules(family, chain, rules)]
}

function addRules(family: Family, chain: string, rules: readonly Rule[]): Operation[] {
  return rules.map((rule) => ({ kind: 'add-rule', ...tableOf(family), chain, rule }))
}
