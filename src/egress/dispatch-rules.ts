import type { Family } from '../addr/index.ts'
import type { Chain, Field, Rule, SetDeclaration, Statement } from './language.ts'
import type { EgressNode, PortRange } from './model.ts'
import { portsOfNode } from './ports.ts'
import { accept, drop, hex, is, marks, meta, payload, words } from './words.ts'

/** The map of one division of ports: port to the mark that leads to its node. */
export function nodesMap(perNode: number): SetDeclaration {
  return { name: `nodes-${perNode}`, key: ['inet_service'], value: ['mark'], flags: ['interval'] }
}

export function nodesElements(perNode: number, nodes: Iterable<EgressNode>, own: string): ReadonlyMap<string, string> {
  return new Map(
    shares(perNode, nodes, own).map(({ ports: { first, last }, mark }) => [`${first}-${last}`, mark] as const),
  )
}

/** Where answers to an address go whose ports are divided so: to the node that has the port, by what the packet says of it. */
export function dispatchChains(
  family: Family,
  perNode: number,
  nodes: Iterable<EgressNode>,
  own: string,
): readonly Chain[] {
  const { icmp, icmpType, icmpId, errors, inner } = words[family]
  const echoes = `icmp-${perNode}`
  const set = (mark: string): Statement => ({
    kind: 'set',
    target: 'meta mark',
    value: { kind: 'constant', text: mark },
  })
  const about = (protocol: Statement, field: Field, { first, last }: PortRange, mark: string): Rule => ({
    statements: [
      is(payload(icmpType), { of: [...errors] }),
      protocol,
      is(payload(field), `${hex(first)}-${hex(last)}`),
      set(mark),
    ],
  })
  return [
    {
      name: echoes,
      rules: shares(perNode, nodes, own).flatMap(({ name, ports, mark }): Rule[] => [
        {
          comment: name.slice(0, 63),
          statements: [
            is(payload(icmpType), 'echo-reply'),
            is(payload(icmpId), `${ports.first}-${ports.last}`),
            set(mark),
          ],
        },
        about(is(payload(inner.protocol), inner.icmp, '!='), inner.port, ports, mark),
        about(is(payload(inner.protocol), inner.icmp), inner.echo, ports, mark),
      ]),
    },
    {
      name: `ports-${perNode}`,
      rules: [
        {
          statements: [
            is(meta('l4proto'), { of: ['tcp', 'udp', 'sctp'] }),
            {
              kind: 'set',
              target: 'meta mark',
              value: { kind: 'lookup', key: payload('th dport'), map: `nodes-${perNode}` },
            },
          ],
        },
        { statements: [is(meta('l4proto'), icmp), { kind: 'verdict', verdict: { kind: 'jump', chain: echoes } }] },
        { comment: 'of pods of this node', statements: [is(meta('mark'), hex(marks.inwards | marks.own)), accept] },
        {
          statements: [
            {
              kind: 'match',
              left: { kind: 'bitwise', of: meta('mark'), mask: 0xffff0000, xor: 0 },
              operator: '==',
              right: hex(marks.inwards),
            },
            { kind: 'notrack' },
            accept,
          ],
        },
        { comment: 'ports that nobody has', statements: [drop] },
      ],
    },
  ]
}

function shares(
  perNode: number,
  nodes: Iterable<EgressNode>,
  own: string,
): { name: string; ports: PortRange; mark: string }[] {
  return [...nodes].flatMap(({ name, index }) => {
    const ports = index === undefined ? undefined : portsOfNode({ perNode, perPod: undefined }, index)
    if (ports === undefined || index === undefined) return []
    return [{ name, ports, mark: hex(marks.inwards | (name === own ? marks.own : index)) }]
  })
}
