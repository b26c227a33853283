import { disjoint, type Family, type Prefix, parsePrefix, prefixFamily, renderPrefix } from '../addr/index.ts'
import type { Chain, Expression, Rule, SetDeclaration, Statement } from './language.ts'
import { accept, drop, hex, is, marks, meta, payload, words } from './words.ts'

/** Destinations that are never egress, beside pods, nodes and Services: they do not leave the segment, or not to one place. */
const neverEgress: readonly Prefix[] = [
  ...['127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', '255.255.255.255/32'],
  ...['::1/128', 'fe80::/10', 'ff00::/8'],
].map(parsePrefix)

/** What set `own` holds. */
export function prefixElements(family: Family, prefixes: readonly Prefix[]): ReadonlyMap<string, undefined> {
  const own = disjoint(prefixes.filter((prefix) => prefixFamily(prefix) === family))
  return new Map(own.map((prefix) => [renderPrefix(prefix), undefined]))
}

/** What set `cluster` holds. */
export function clusterElements(family: Family, prefixes: readonly Prefix[]): ReadonlyMap<string, undefined> {
  return prefixElements(family, [...prefixes, ...neverEgress])
}

/** Sets that are always there. */
export function fixedSets(family: Family): readonly SetDeclaration[] {
  const { address } = words[family]
  const verdicts = (name: string, comment: string): SetDeclaration => ({
    name,
    key: [address],
    value: ['verdict'],
    comment,
  })
  return [
    { name: 'cluster', key: [address], flags: ['interval'], comment: 'destinations that see the pod itself' },
    { name: 'own', key: [address], flags: ['interval'], comment: 'every address that a pod of this node may have' },
    { name: 'known', key: [address], comment: 'pods of this node that are decided' },
    { name: 'addresses', key: [address], comment: 'every egress address, whoever holds it' },
    verdicts('dispatch', 'egress address to the chain that knows whose ports are whose'),
    verdicts('steer', 'pod of this node to the way that it leaves by'),
    verdicts('translate', 'pod of this node to the address and ports that it leaves under'),
    verdicts('guard', 'pod of this node to what may leave'),
    verdicts('limits', 'egress address to its bandwidth'),
  ]
}

/** Chains that are always there. */
export function fixedChains(family: Family): readonly Chain[] {
  const source = payload(words[family].source)
  const destination = payload(words[family].destination)
  const original: Expression = { kind: 'ct', key: words[family].source, direction: 'original' }
  const direction: Expression = { kind: 'ct', key: 'direction' }
  const toCluster: Rule = { statements: [is(destination, { set: 'cluster' }), accept] }
  const answers: Rule = { comment: 'answers to connections from outside', statements: [is(direction, 'reply'), accept] }
  const by = (key: Expression, map: string): Rule => ({ statements: [{ kind: 'vmap', key, map }] })
  return [
    {
      name: 'raw-prerouting',
      hook: { type: 'filter', hook: 'prerouting', priority: -300, policy: 'accept' },
      rules: [
        {
          comment: 'translated on the node of the pod; passes on its way out',
          statements: [is(source, { set: 'addresses' }), is(toLocal, 'local', '!='), { kind: 'notrack' }],
        },
        by(destination, 'dispatch'),
      ],
    },
    {
      name: 'filter-prerouting',
      // Behind the translation of Services, so that the true destination is seen, and before routing.
      hook: { type: 'filter', hook: 'prerouting', priority: -90, policy: 'accept' },
      rules: [
        {
          comment: 'no connection of this node: a reset would end one that is alive elsewhere',
          statements: [is(destination, { set: 'addresses' }), is(meta('mark'), hex(marks.inwards | marks.own)), drop],
        },
        answers,
        toCluster,
        {
          comment: 'nobody knows yet whether an Egress selects it',
          statements: [is(source, { set: 'own' }), is(source, { set: 'known' }, '!='), drop],
        },
        by(source, 'steer'),
      ],
    },
    {
      name: 'filter-input',
      hook: { type: 'filter', hook: 'input', priority: 0, policy: 'accept' },
      rules: [
        { comment: 'also where the node has the address', statements: [is(destination, { set: 'addresses' }), drop] },
      ],
    },
    {
      name: 'nat-postrouting',
      hook: { type: 'nat', hook: 'postrouting', priority: 95, policy: 'accept' },
      rules: [{ statements: [matchOutwards, { kind: 'vmap', key: source, map: 'translate' }] }],
    },
    {
      name: 'filter-postrouting',
      hook: { type: 'filter', hook: 'postrouting', priority: 110, policy: 'accept' },
      rules: [by(source, 'limits'), answers, toCluster, by(source, 'guard'), by(original, 'guard')],
    },
  ]
}

const toLocal: Expression = { kind: 'fib', of: ['daddr'], result: 'type' }
const matchOutwards: Statement = {
  kind: 'match',
  left: { kind: 'bitwise', of: meta('mark'), mask: 0xffff0000, xor: 0 },
  operator: '==',
  right: hex(marks.outwards),
}
