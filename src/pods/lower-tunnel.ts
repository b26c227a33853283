import type { Family } from '../addr/index.ts'
import type { Chain, Expression, Rule, SetDeclaration, Statement } from '../nft/index.ts'
import type { Overlay } from './model.ts'
import { tunnelLink } from './overlay.ts'
import { words } from './words.ts'

const drop: Statement = { kind: 'verdict', verdict: { kind: 'drop' } }
const accept: Statement = { kind: 'verdict', verdict: { kind: 'accept' } }

function is(
  left: Expression,
  right: Extract<Statement, { kind: 'match' }>['right'],
  operator: '==' | '!=' = '==',
): Statement {
  return { kind: 'match', left, operator, right }
}

/** The sets of a node with a tunnel. */
export function tunnelSets(family: Family): SetDeclaration[] {
  const key = [words[family].address]
  return [
    { name: 'tunnelled', key, flags: ['interval'], comment: 'pods and nodes on other segments' },
    { name: 'tunnel-guests', key, comment: 'addresses that pods leave under, whose packets cross the tunnel too' },
    // The tunnel itself is of IPv4.
    ...(family === 4 ? [{ name: 'tunnel-ends', key, comment: 'nodes on other segments' } as const] : []),
  ]
}

/** What comes out of the tunnel is of those who are behind it: no other node's, no pod of this segment's, nobody else's. */
export function tunnelSourceRules(family: Family): Rule[] {
  const { source, destination } = words[family]
  const inside = is({ kind: 'meta', key: 'iifname' }, `"${tunnelLink}"`)
  const by = (field: typeof source | typeof destination, set: string) => is({ kind: 'payload', field }, { set })
  return [
    { statements: [inside, by(source, 'tunnelled'), accept] },
    { statements: [inside, by(source, 'tunnel-guests'), accept] },
    { statements: [inside, by(destination, 'tunnel-guests'), accept] },
    { comment: 'nobody behind the tunnel has this source', statements: [inside, { kind: 'counter' }, drop] },
  ]
}

/**
 * Marks lead packets to nodes, and have led this one: the kernel takes a packet's mark over to that of the tunnel around it, and would route that
 * into the tunnel again.
 */
export const unmarkChain: Chain = {
  name: 'tunnel-postrouting',
  hook: { type: 'filter', hook: 'postrouting', priority: 300, policy: 'accept' },
  rules: [
    {
      statements: [
        is({ kind: 'meta', key: 'oifname' }, `"${tunnelLink}"`),
        { kind: 'set', target: 'meta mark', value: { kind: 'constant', text: '0x0' } },
      ],
    },
  ],
}

/** Who may speak into the tunnel; its packets are not tracked, because a connection inside has an entry already. */
export function tunnelChains({ port }: Overlay): Chain[] {
  const toTunnel = [
    is({ kind: 'meta', key: 'l4proto' }, 'udp'),
    is({ kind: 'payload', field: 'th dport' }, String(port)),
  ]
  const local = is({ kind: 'fib', of: ['daddr'], result: 'type' }, 'local')
  const from = (operator: '==' | '!=') => is({ kind: 'payload', field: 'ip saddr' }, { set: 'tunnel-ends' }, operator)
  const to = is({ kind: 'payload', field: 'ip daddr' }, { set: 'tunnel-ends' })
  return [
    {
      name: 'tunnel-prerouting',
      hook: { type: 'filter', hook: 'prerouting', priority: -300, policy: 'accept' },
      rules: [
        { comment: 'no node', statements: [...toTunnel, local, from('!='), { kind: 'counter' }, drop] },
        { statements: [...toTunnel, local, { kind: 'notrack' }] },
      ],
    },
    {
      name: 'tunnel-output',
      hook: { type: 'filter', hook: 'output', priority: -300, policy: 'accept' },
      rules: [{ statements: [...toTunnel, to, { kind: 'notrack' }] }],
    },
    {
      name: 'tunnel-forward',
      hook: { type: 'filter', hook: 'forward', priority: -10, policy: 'accept' },
      rules: [
        {
          comment: 'a Service that leads to a tunnel would let anyone speak in the name of a node',
          statements: [...toTunnel, to, is({ kind: 'ct', key: 'status' }, 'dnat'), drop],
        },
      ],
    },
  ]
}
