import fc from 'fast-check'
import type { Chain, Element, Expression, Rule, SetDeclaration, Statement, Table } from '../index.ts'

/** A ruleset with packets to send through it. */
export interface Case {
  readonly table: Table
  readonly elements: Readonly<Record<string, readonly Element[]>>
  readonly packets: readonly { family: 4 | 6; source: number; destination: number; destinationPort: number }[]
}

/** The addresses that the namespace has. */
export const hostOf = (family: 4 | 6, host: number): string => (family === 4 ? `10.0.0.${host}` : `fd00::${host}`)

const sets: SetDeclaration[] = [
  { name: 'hosts', key: ['ipv4_addr'] },
  { name: 'ranges', key: ['ipv4_addr'], flags: ['interval'] },
  { name: 'ranges6', key: ['ipv6_addr'], flags: ['interval'] },
  { name: 'flows', key: ['ipv4_addr', 'inet_proto', 'inet_service'], flags: ['interval'] },
  { name: 'pairs', key: ['ipv6_addr', 'ipv6_addr'] },
  { name: 'marks', key: ['mark'] },
  { name: 'verdicts', key: ['inet_service'], value: ['verdict'] },
  { name: 'classes', key: ['ipv4_addr', 'inet_proto', 'inet_service'], value: ['classid'] },
  { name: 'by-class', key: ['classid'], value: ['verdict'] },
  { name: 'endpoints', key: ['ipv4_addr', 'inet_proto', 'inet_service'], value: ['ipv4_addr', 'inet_service'] },
]

const host = fc.integer({ min: 1, max: 4 })
const port = fc.integer({ min: 1000, max: 1003 })
const chainName = fc.constantFrom('a', 'b', 'c')
const operator = fc.constantFrom('==' as const, '!=' as const)
const payload = (field: Extract<Expression, { kind: 'payload' }>['field']): Expression => ({ kind: 'payload', field })
const meta = (key: Extract<Expression, { kind: 'meta' }>['key']): Expression => ({ kind: 'meta', key })
const v4 = host.map((n) => hostOf(4, n))
const v6 = host.map((n) => hostOf(6, n))
const flow: Expression = { kind: 'concat', of: [payload('ip daddr'), meta('l4proto'), payload('th dport')] }
const rangeOf = (of: fc.Arbitrary<number>, text: (n: number) => string) =>
  fc.tuple(of, of).map(([a, b]) => `${text(Math.min(a, b))}-${text(Math.max(a, b))}`)
const block = fc.oneof(
  v4,
  rangeOf(host, (n) => hostOf(4, n)),
  fc.constantFrom('10.0.0.0/30', '10.0.0.2/31', '10.0.0.0/8', '192.168.0.0/16', '0.0.0.0/1'),
)
const block6 = fc.oneof(
  v6,
  rangeOf(host, (n) => hostOf(6, n)),
  fc.constantFrom('fd00::/126', 'fd00::2/127', 'fd00::/8', '2001:db8::/32'),
)
const ports = fc.oneof(port.map(String), rangeOf(port, String))
const some = <T>(of: fc.Arbitrary<T>) => fc.uniqueArray(of, { minLength: 1, maxLength: 3 })
const name = fc.constantFrom('"lo"', '"l*"', '"eth0"')

type Right = Extract<Statement, { kind: 'match' }>['right']
const match = (left: Expression, right: fc.Arbitrary<Right>): fc.Arbitrary<Statement> =>
  fc.record({ kind: fc.constant('match' as const), left: fc.constant(left), operator, right })
const named = (set: string): fc.Arbitrary<Right> => fc.constant({ set })
const anyOf = (of: fc.Arbitrary<string>): fc.Arbitrary<Right> => some(of).map((list) => ({ of: list }))

/** Matches that a packet of either family may meet. */
const common = [
  match(meta('l4proto'), fc.constantFrom('udp', 'tcp')),
  match(meta('nfproto'), fc.constantFrom('ipv4', 'ipv6')),
  match(meta('iifname'), name),
  match(meta('oifname'), name),
  match(meta('mark'), fc.oneof(fc.constantFrom('0', '1', '0-1', '2'), named('marks'), anyOf(fc.constantFrom('0', '1', '2')))),
  match({ kind: 'bitwise', of: meta('mark'), mask: 0xff, xor: 0 }, fc.constantFrom('0', '1')),
  match(meta('priority'), fc.constantFrom('706c:1', 'none')),
  match({ kind: 'ct', key: 'direction' }, fc.constant('original')),
  match(payload('th dport'), fc.oneof(ports, anyOf(port.map(String)))),
  match(payload('th sport'), fc.constantFrom('20000-20100', '1000')),
  match({ kind: 'fib', of: ['daddr'], result: 'type' }, fc.constantFrom('local', 'unicast')),
  fc.constantFrom('new', 'established', 'new,invalid').map(
    (right): Statement => ({ kind: 'match', left: { kind: 'ct', key: 'state' }, operator: '==', right }),
  ),
  fc.constantFrom('dnat', 'snat,dnat').map(
    (right): Statement => ({ kind: 'match', left: { kind: 'ct', key: 'status' }, operator: '==', right }),
  ),
]
const ipv4 = [
  match(payload('ip saddr'), fc.oneof(block, named('hosts'), named('ranges'), anyOf(v4))),
  match(payload('ip daddr'), fc.oneof(block, named('hosts'), named('ranges'), anyOf(block))),
  match(flow, named('flows')),
  match({ kind: 'ct', key: 'ip daddr', direction: 'original' }, fc.oneof(v4, named('ranges'))),
  match({ kind: 'ct', key: 'ip saddr', direction: 'reply' }, v4),
]
const ipv6 = [
  match(payload('ip6 saddr'), fc.oneof(block6, named('ranges6'))),
  match(payload('ip6 daddr'), fc.oneof(block6, anyOf(v6))),
  match({ kind: 'concat', of: [payload('ip6 saddr'), payload('ip6 daddr')] }, named('pairs')),
]
// A rule that checks for one family cannot look at the other.
const matches = fc.oneof(
  fc.array(fc.oneof(...common.filter((_, i) => i !== 1), ...ipv4), { maxLength: 3 }),
  fc.array(fc.oneof(...common.filter((_, i) => i !== 1), ...ipv6), { maxLength: 3 }),
  fc.array(fc.oneof(...common), { maxLength: 2 }),
)

/** What follows the counter. */
const ending: fc.Arbitrary<Statement[]> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Statement[]>([]) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('accept' as const, 'drop' as const, 'return' as const).map((kind): Statement[] => [
      { kind: 'verdict', verdict: { kind } },
    ]),
  },
)
const jump: fc.Arbitrary<Statement> = fc.record({
  kind: fc.constant('verdict' as const),
  verdict: fc.record({ kind: fc.constantFrom('jump' as const, 'goto' as const), chain: chainName }),
})
const vmap: fc.Arbitrary<Statement> = fc.oneof(
  fc.constant<Statement>({ kind: 'vmap', key: payload('th dport'), map: 'verdicts' }),
  fc.constant<Statement>({ kind: 'vmap', key: meta('priority'), map: 'by-class' }),
)
const setter: fc.Arbitrary<Statement> = fc.oneof(
  fc.constantFrom<Statement>(
    { kind: 'set', target: 'meta mark', value: { kind: 'constant', text: '1' } },
    { kind: 'set', target: 'meta mark', value: { kind: 'bitwise', of: meta('mark'), mask: 0xfffffffe, xor: 3 } },
    { kind: 'set', target: 'ct mark', value: meta('mark') },
    { kind: 'set', target: 'meta mark', value: { kind: 'ct', key: 'mark' } },
    { kind: 'set', target: 'meta priority', value: { kind: 'constant', text: '706c:1' } },
    { kind: 'set', target: 'meta priority', value: { kind: 'numgen', mode: 'random', modulus: 1 } },
  ),
)
// A lookup may miss, so the counter goes after it and tells.
const lookup: Statement = { kind: 'set', target: 'meta priority', value: { kind: 'lookup', key: flow, map: 'classes' } }

const plainRule = fc
  .tuple(matches, ending)
  .map(([head, tail]): Statement[] => [...head, { kind: 'counter' }, ...tail])
const setRule = fc.tuple(matches, setter).map(([head, of]): Statement[] => [...head, of, { kind: 'counter' }])
const lookupRule = fc.constant<Statement[]>([lookup, { kind: 'counter' }])
const calls = fc.oneof(
  fc.tuple(matches, jump).map(([head, of]): Statement[] => [...head, { kind: 'counter' }, of]),
  vmap.map((of): Statement[] => [of]),
)
const leafRule = fc.oneof({ weight: 3, arbitrary: plainRule }, { weight: 2, arbitrary: setRule }, { weight: 1, arbitrary: lookupRule })
const baseRule = fc.oneof({ weight: 3, arbitrary: leafRule }, { weight: 2, arbitrary: calls })
const natRule = fc.tuple(
  fc.array(fc.oneof(...ipv4), { maxLength: 1 }),
  fc.constantFrom<Statement>(
    { kind: 'dnat', family: 4, withPort: true, to: { kind: 'lookup', key: flow, map: 'endpoints' } },
    { kind: 'dnat', family: 4, withPort: false, to: { kind: 'constant', text: '10.0.0.3' } },
    { kind: 'verdict', verdict: { kind: 'accept' } },
  ),
).map(([head, of]): Statement[] => (of.kind === 'dnat' && of.withPort ? [...head, of] : [...head, { kind: 'counter' }, of]))

/** ICMP errors would raise the counters a second time. */
const shield: Rule = { statements: [{ kind: 'match', left: meta('l4proto'), operator: '==', right: { of: ['icmp', 'ipv6-icmp'] } }, { kind: 'verdict', verdict: { kind: 'accept' } }] }

const hooks = ['output', 'postrouting', 'prerouting', 'input'] as const
const policy = fc.constantFrom('accept' as const, 'accept' as const, 'accept' as const, 'drop' as const)
const baseOf = (type: 'filter' | 'nat', hook: (typeof hooks)[number], rules: fc.Arbitrary<Statement[]>) =>
  fc.record({ priority: fc.constantFrom(-310, -150, -110, -95, 0, 5, 120), policy, rules: fc.array(rules, { maxLength: 4 }) }).map(
    ({ priority, policy: of, rules: list }): Omit<Chain, 'rules'> & { bodies: Statement[][] } => ({
      name: `${type}-${hook}`,
      hook: { type, hook, priority: type === 'nat' ? (hook === 'output' ? -100 : 100) : priority, policy: type === 'nat' ? 'accept' : of },
      bodies: list,
    }),
  )

const elementsOf = fc.record({
  hosts: some(v4),
  ranges: some(fc.constantFrom('10.0.0.0/31', '10.0.0.3', '10.0.0.4-10.0.0.200', '192.168.0.0/16')),
  ranges6: some(fc.constantFrom('fd00::/127', 'fd00::3', 'fd00::4-fd00::200')),
  flows: some(fc.constantFrom('10.0.0.0/30 . udp . 1000-1001', '10.0.0.1 . tcp . 0-65535', '10.0.0.4 . udp . 1002')),
  pairs: some(fc.tuple(v6, v6).map((pair) => pair.join(' . '))),
  marks: some(fc.constantFrom('0x00000000', '0x00000001')),
  verdicts: some(fc.tuple(port, fc.constantFrom('goto a', 'jump b', 'return', 'continue', 'accept'))),
  classes: some(fc.tuple(v4, port)),
  'by-class': some(fc.constantFrom('706c:1 goto a', '706c:2 jump c', 'none return')),
  endpoints: some(fc.tuple(v4, port, v4, port)),
})

/** Rulesets in which every rule that counts has a number of its own as its comment. */
export const caseOf: fc.Arbitrary<Case> = fc
  .record({
    leaves: fc.tuple(...['a', 'b', 'c'].map(() => fc.array(leafRule, { minLength: 1, maxLength: 3 }))),
    bases: fc.tuple(...hooks.map((hook) => baseOf('filter', hook, baseRule)), baseOf('nat', 'output', natRule)),
    elements: elementsOf,
    packets: fc.array(
      fc.record({ family: fc.constantFrom(4 as const, 4 as const, 6 as const), source: host, destination: host, destinationPort: port }),
      { minLength: 3, maxLength: 3 },
    ),
  })
  .map(({ leaves, bases, elements, packets }) => {
    let number = 0
    const rule = (statements: Statement[]): Rule => ({ statements, comment: `rule ${number++}` })
    const chains: Chain[] = [
      // Conntrack works for a family only when a rule that it sees asks for it.
      { name: 'conntrack', rules: [{ statements: [{ kind: 'match', left: { kind: 'ct', key: 'state' }, operator: '==', right: 'new' }] }] },
      ...leaves.map((bodies, i) => ({ name: ['a', 'b', 'c'][i] ?? '', rules: bodies.map(rule) })),
      ...bases.map(({ bodies, ...chain }) => ({ ...chain, rules: [shield, ...bodies.map(rule)] })),
    ]
    const unique = <T extends Element>(list: T[]) => [...new Map(list.map((element) => [element.key, element])).values()]
    const keys = (list: string[]) => list.map((key) => ({ key }))
    return {
      table: { family: 'inet', name: 'fuzz', sets, chains },
      elements: {
        hosts: keys(elements.hosts),
        ranges: keys(elements.ranges),
        ranges6: keys(elements.ranges6),
        flows: keys(elements.flows),
        pairs: keys(elements.pairs),
        marks: keys(elements.marks),
        verdicts: unique(elements.verdicts.map(([key, value]) => ({ key: String(key), value }))),
        classes: unique(elements.classes.map(([of, at]) => ({ key: `${of} . udp . ${at}`, value: `706c:${at % 3}` }))),
        'by-class': elements['by-class'].map((text) => ({ key: text.slice(0, text.indexOf(' ')), value: text.slice(text.indexOf(' ') + 1) })),
        endpoints: unique(elements.endpoints.map(([of, at, to, by]) => ({ key: `${of} . udp . ${at}`, value: `${to} . ${by}` }))),
      },
      packets,
    }
  })
