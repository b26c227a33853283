import type { Family } from '../addr/index.ts'
import type { Chain, Expression, Rule, SetDeclaration, Statement } from './lower.ts'
import type { Hashing } from './model.ts'
import { classidOf, frontendKey, priority, sets, words } from './sets.ts'

/** Where class chains lead: to those who turn off, to the maps of endpoints, to the map of seats. */
export const chainNames = {
  inside: 'inside',
  translate: 'translate',
  translateLocal: 'translate-local',
  seated: 'seated',
} as const

/** The chain that counts connections to node ports on loopback, in the IPv4 table. */
export const loopbackCount = 'loopback-node-ports'

const services = 'services'
const everywhere = 'everywhere'
const unserved = 'unserved'
const cut = 'cut'
const { inside, translate, translateLocal, seated } = chainNames

/** The chains that are there whatever the Services are. */
export function chains(family: Family): readonly Chain[] {
  const { endpoints, localEndpoints } = sets[family]
  const hook = (
    type: 'filter' | 'nat',
    at: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting',
    priority: number,
  ): Chain['hook'] => ({ type, hook: at, priority, policy: 'accept' })
  const newTo = (chain: string): Rule => ({
    statements: [newConnection, { kind: 'verdict', verdict: { kind: 'jump', chain } }],
  })
  const strayTo = (chain: string): Rule => ({
    statements: [stray, { kind: 'verdict', verdict: { kind: 'jump', chain } }],
  })
  return [
    { name: services, rules: classify(family) },
    { name: inside, rules: turnOff(family) },
    { name: everywhere, rules: classifyInside(family) },
    { name: translate, rules: translateRules(family, endpoints) },
    { name: translateLocal, rules: translateRules(family, localEndpoints) },
    { name: seated, rules: seatedRules(family) },
    { name: unserved, rules: refuse(family) },
    { name: cut, rules: resetCut(family) },
    { name: 'nat-prerouting', hook: hook('nat', 'prerouting', -100), rules: [jumpTo(services)] },
    { name: 'nat-output', hook: hook('nat', 'output', -100), rules: [jumpTo(services)] },
    { name: 'filter-input', hook: hook('filter', 'input', 0), rules: [newTo(unserved)] },
    { name: 'filter-forward', hook: hook('filter', 'forward', 0), rules: [newTo(unserved), strayTo(cut)] },
    // After nat-output: what still has a ClusterIP as its destination found no endpoint.
    { name: 'filter-output', hook: hook('filter', 'output', -90), rules: [newTo(unserved), strayTo(cut)] },
    { name: 'nat-postrouting', hook: hook('nat', 'postrouting', 100), rules: masquerade(family) },
  ]
}

/** Counts connections that node ports on loopback take; before the masquerade, and the first packets alone, as nat chains see no others. */
export function countLoopback(): Chain {
  const asked: Expression = { kind: 'ct', key: 'ip daddr', direction: 'original' }
  return {
    name: loopbackCount,
    hook: { type: 'nat', hook: 'postrouting', priority: 99, policy: 'accept' },
    rules: [
      {
        statements: [
          { kind: 'match', left: { kind: 'ct', key: 'status' }, operator: '==', right: 'dnat' },
          { kind: 'match', left: asked, operator: '==', right: '127.0.0.1' },
          { kind: 'counter' },
        ],
      },
    ],
  }
}

const newConnection: Statement = {
  kind: 'match',
  left: { kind: 'ct', key: 'state' },
  operator: '==',
  right: 'new',
}

/** A segment of no connection that conntrack knows. */
const stray: Statement = { ...newConnection, right: 'invalid' }

/** nft asks for it where a rule does not read the ports but writes them, or reads those that conntrack remembers. */
const translatable: Statement = {
  kind: 'match',
  left: { kind: 'meta', key: 'l4proto' },
  operator: '==',
  right: { of: ['tcp', 'udp', 'sctp'] },
}

function lookUp(family: Family, map: SetDeclaration): Statement {
  const key: Expression = { kind: 'concat', of: frontendKey(family) }
  return { kind: 'set', target: 'meta priority', value: { kind: 'lookup', key, map: map.name } }
}

function follow({ name }: SetDeclaration): Statement {
  return { kind: 'vmap', key: priority, map: name }
}

function within(of: readonly Expression[], operator: '==' | '!=', { name }: SetDeclaration): Statement {
  const [only] = of
  const left: Expression = of.length === 1 && only !== undefined ? only : { kind: 'concat', of }
  return { kind: 'match', left, operator, right: { set: name } }
}

function classify(family: Family): readonly Rule[] {
  const { serviceClass, classes, localClasses, sourceRanged, allowedSources } = sets[family]
  const source: Expression = { kind: 'payload', field: words[family].source }
  const frontend = frontendKey(family)
  return [
    {
      comment: 'loadBalancerSourceRanges',
      statements: [
        within(frontend, '==', sourceRanged),
        within([...frontend, source], '!=', allowedSources),
        { kind: 'verdict', verdict: { kind: 'drop' } },
      ],
    },
    { statements: [lookUp(family, serviceClass)] },
    { statements: [follow(classes)] },
    // Apart from the classes, because their chains lead back to those.
    { statements: [follow(localClasses)] },
  ]
}

/**
 * This node's pods and the node itself are served as by a load balancer that sends them to any node. A pod of another node comes from
 * outside: an endpoint elsewhere would answer it past this node, which alone could translate the answer back.
 */
function turnOff(family: Family): readonly Rule[] {
  const { ownPodPrefixes } = sets[family]
  const source: Expression = { kind: 'payload', field: words[family].source }
  return [
    { statements: [within([source], '==', ownPodPrefixes), goto(everywhere)] },
    { statements: [fromHere, goto(everywhere)] },
  ]
}

function classifyInside(family: Family): readonly Rule[] {
  const { insideClass, classes } = sets[family]
  return [{ statements: [lookUp(family, insideClass)] }, { statements: [follow(classes)] }]
}

const fromHere: Statement = {
  kind: 'match',
  left: { kind: 'fib', of: ['saddr'], result: 'type' },
  operator: '==',
  right: 'local',
}

function refuse(family: Family): readonly Rule[] {
  const { clusterIps, noEndpoints, servicePrefixes } = sets[family]
  const destination: readonly Expression[] = [{ kind: 'payload', field: words[family].destination }]
  return [
    {
      comment: 'no endpoints, or no such port',
      statements: [within(destination, '==', clusterIps), { kind: 'reject', with: 'port-unreachable' }],
    },
    {
      comment: 'no endpoints',
      statements: [within(frontendKey(family), '==', noEndpoints), { kind: 'reject', with: 'port-unreachable' }],
    },
    {
      comment: 'no such Service',
      statements: [within(destination, '==', servicePrefixes), { kind: 'verdict', verdict: { kind: 'drop' } }],
    },
  ]
}

/** A client learns with its next segment that its connection was cut, where conntrack does not take that for a beginning. */
function resetCut(family: Family): readonly Rule[] {
  const { source, destination } = words[family]
  const connection: readonly Expression[] = [
    { kind: 'payload', field: source },
    { kind: 'payload', field: 'th sport' },
    { kind: 'payload', field: destination },
    { kind: 'payload', field: 'th dport' },
  ]
  const tcp: Statement = { kind: 'match', left: { kind: 'meta', key: 'l4proto' }, operator: '==', right: 'tcp' }
  return [{ statements: [tcp, within(connection, '==', sets[family].cut), { kind: 'reject', with: 'tcp reset' }] }]
}

/** Replies must come back through this node: to an endpoint that called itself, and to a client that would be answered by another way. */
function masquerade(family: Family): readonly Rule[] {
  const { source, destination, table } = words[family]
  const { clusterIps, podPrefixes, hairpin, externalCluster, externalLocal } = sets[family]
  const translated: Statement = { kind: 'match', left: { kind: 'ct', key: 'status' }, operator: '==', right: 'dnat' }
  const address: Expression = { kind: 'payload', field: source }
  const asked: Expression = { kind: 'ct', key: table === 'ip' ? 'ip daddr' : 'ip6 daddr', direction: 'original' }
  const askedPort: Expression = { kind: 'ct', key: 'proto-dst', direction: 'original' }
  const frontend: readonly Expression[] = [asked, { kind: 'meta', key: 'l4proto' }, askedPort]
  const rule = (comment: string, ...conditions: readonly Statement[]): Rule => ({
    comment,
    statements: [translated, ...conditions, { kind: 'masquerade', flags: ['fully-random'] }],
  })
  return [
    rule('an endpoint calls itself', within([address, { kind: 'payload', field: destination }], '==', hairpin)),
    rule('the client is no pod', within([asked], '==', clusterIps), within([address], '!=', podPrefixes)),
    rule('from outside', translatable, within(frontend, '==', externalCluster)),
    rule('from this node', translatable, within(frontend, '==', externalLocal), fromHere),
  ]
}

/** A number where nft wants a classid. */
export function number(value: number): Expression {
  return { kind: 'constant', text: classidOf(value) }
}

/** A number below `count` goes through the priority into the key of the next lookup. */
export function draw(count: number): Statement {
  const value: Expression = count === 1 ? number(0) : { kind: 'numgen', mode: 'random', modulus: count }
  return { kind: 'set', target: 'meta priority', value }
}

/** The same on every node. */
const seed = 0x706c756d

/** As `draw`, but the same client finds the same number. */
export function compute(family: Family, count: number, by: Hashing['by']): Statement {
  const address: Expression = { kind: 'payload', field: words[family].source }
  const of: readonly Expression[] = by === 'connection' ? [address, { kind: 'payload', field: 'th sport' }] : [address]
  return { kind: 'set', target: 'meta priority', value: { kind: 'jhash', of, modulus: count, seed } }
}

/**
 * One chain for all counts, because the kernel walks a whole map when a rule of another chain begins to use it
 * (nf_tables_bind_set). Lookups see a commit at once and rules only with the next packet, so a packet may ask for an index
 * that has just gone: it takes the first endpoint instead.
 */
function translateRules(family: Family, { name }: SetDeclaration): readonly Rule[] {
  const key: Expression = { kind: 'concat', of: [...frontendKey(family), priority] }
  const dnat: Rule = { statements: [{ kind: 'dnat', family, to: { kind: 'lookup', key, map: name }, withPort: true }] }
  return [dnat, { statements: [draw(1)] }, dnat]
}

/** As above: who finds a seat that has just gone takes the frontend's first endpoint. */
function seatedRules(family: Family): readonly Rule[] {
  const to: Expression = { kind: 'lookup', key: priority, map: sets[family].seats.name }
  return [
    { statements: [translatable, { kind: 'dnat', family, to, withPort: true }] },
    { statements: [draw(1), goto(translate)] },
  ]
}

/** Goes to a chain and comes back. */
export function jumpTo(chain: string): Rule {
  return { statements: [{ kind: 'verdict', verdict: { kind: 'jump', chain } }] }
}

/** Goes to a chain for good. */
export function goto(chain: string): Statement {
  return { kind: 'verdict', verdict: { kind: 'goto', chain } }
}
