import type { Family } from '../addr/index.ts'
import {
  type Chain,
  type Expression,
  loopbackGuard,
  type Rule,
  type SetDeclaration,
  type Statement,
  type TableFamily,
} from '../nft/index.ts'
import type { HostPort } from './model.ts'

export { HeldTable, type Operation } from '../nft/index.ts'

/** The table of both families. */
export const hostPortTableName = 'plumb-hostports'

const words = {
  4: { table: 'ip', address: 'ipv4_addr', source: 'ip saddr', destination: 'ip daddr' },
  6: { table: 'ip6', address: 'ipv6_addr', source: 'ip6 saddr', destination: 'ip6 daddr' },
} as const

/** `ip` or `ip6`. */
export function tableFamilyOf(family: Family): TableFamily {
  return words[family].table
}

/** What the table's sets and maps are. */
export function hostPortSets(family: Family) {
  const { address } = words[family]
  return {
    anyAddress: {
      name: 'any-address',
      key: ['inet_proto', 'inet_service'],
      value: [address, 'inet_service'],
      comment: 'hostPort at every address of the node',
    },
    oneAddress: {
      name: 'one-address',
      key: [address, 'inet_proto', 'inet_service'],
      value: [address, 'inet_service'],
      comment: 'hostPort with hostIP',
    },
    hairpin: { name: 'hairpin', key: [address, address], comment: 'pods that may reach themselves' },
  } satisfies Record<string, SetDeclaration>
}

const local: Statement = {
  kind: 'match',
  left: { kind: 'fib', of: ['daddr'], result: 'type' },
  operator: '==',
  right: 'local',
}
const translated: Statement = { kind: 'match', left: { kind: 'ct', key: 'status' }, operator: '==', right: 'dnat' }
const loopbackPrefix = '127.0.0.0/8'

/** The chains. After those of Services, whose ports go first, as upstream's portmap plugin stands behind kube-proxy. */
export function hostPortChains(family: Family): readonly Chain[] {
  const { source, destination } = words[family]
  const { anyAddress, oneAddress, hairpin } = hostPortSets(family)
  const service: readonly Expression[] = [
    { kind: 'meta', key: 'l4proto' },
    { kind: 'payload', field: 'th dport' },
  ]
  const to = (of: readonly Expression[], map: string): Statement => ({
    kind: 'dnat',
    family,
    to: { kind: 'lookup', key: { kind: 'concat', of }, map },
    withPort: true,
  })
  const rules: readonly Rule[] = [
    { statements: [to([{ kind: 'payload', field: destination }, ...service], oneAddress.name)] },
    { statements: [local, to(service, anyAddress.name)] },
  ]
  const itself: Expression = {
    kind: 'concat',
    of: [
      { kind: 'payload', field: source },
      { kind: 'payload', field: destination },
    ],
  }
  const masquerade = (comment: string, condition: Statement): Rule => ({
    comment,
    statements: [translated, condition, { kind: 'masquerade', flags: ['fully-random'] }],
  })
  const nat = (hook: 'prerouting' | 'output' | 'postrouting', priority: number): Chain['hook'] => ({
    type: 'nat',
    hook,
    priority,
    policy: 'accept',
  })
  const fromLoopback: Statement = {
    kind: 'match',
    left: { kind: 'payload', field: source },
    operator: '==',
    right: loopbackPrefix,
  }
  return [
    { name: 'nat-prerouting', hook: nat('prerouting', -95), rules },
    { name: 'nat-output', hook: nat('output', -95), rules },
    {
      name: 'nat-postrouting',
      hook: nat('postrouting', 100),
      rules: [
        masquerade('a pod calls itself', { kind: 'match', left: itself, operator: '==', right: { set: hairpin.name } }),
        ...(family === 4 ? [masquerade('the node calls at 127.0.0.1', fromLoopback)] : []),
      ],
    },
    ...(family === 4 ? [loopbackGuard()] : []),
  ]
}

/** What two host ports cannot both have: the map and its key. */
export function placeOf({ address, protocol, port }: HostPort): {
  set: 'any-address' | 'one-address'
  key: string
} {
  return address === undefined
    ? { set: 'any-address', key: `${protocol} . ${port}` }
    : { set: 'one-address', key: `${address} . ${protocol} . ${port}` }
}

/** The map's value. */
export function targetOf({ target, targetPort }: HostPort): string {
  return `${target} . ${targetPort}`
}
