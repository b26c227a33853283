import { disjoint, type Family, families, type Prefix, parsePrefix, prefixFamily, renderPrefix } from '../addr/index.ts'
import type { Element, SetDeclaration, Table } from '../nft/index.ts'
import { linkPrefix } from './attachment.ts'
import type { PodNetwork } from './model.ts'

/** One table and what its sets hold. */
export interface PodTable {
  readonly table: Table
  readonly elements: ReadonlyMap<string, readonly Element[]>
}

const words = {
  4: {
    tableFamily: 'ip',
    address: 'ipv4_addr',
    source: 'ip saddr',
    destination: 'ip daddr',
    multicast: parsePrefix('224.0.0.0/4'),
  },
  6: {
    tableFamily: 'ip6',
    address: 'ipv6_addr',
    source: 'ip6 saddr',
    destination: 'ip6 daddr',
    multicast: parsePrefix('ff00::/8'),
  },
} as const

/** The tables that drop forged sources and masquerade what leaves the cluster from a pod; one per family that has pods. */
export function lowerPodNetwork(network: PodNetwork): readonly PodTable[] {
  return families
    .filter((family) => network.podPrefixes.some((p) => prefixFamily(p) === family))
    .map((family) => lowerFamily(network, family))
}

function lowerFamily(network: PodNetwork, family: Family): PodTable {
  const { tableFamily, address, source, destination, multicast } = words[family]
  const set = (name: string, comment: string): SetDeclaration => ({
    name,
    key: [address],
    flags: ['interval'],
    comment,
  })
  const elements = (prefixes: readonly Prefix[]): Element[] =>
    disjoint(prefixes.filter((prefix) => prefixFamily(prefix) === family)).map((prefix) => ({
      key: renderPrefix(prefix),
    }))
  return {
    table: {
      family: tableFamily,
      name: 'plumb-pods',
      sets: [
        set('pod-prefixes', 'every address that is a pod'),
        set('unmasqueraded', 'destinations that see the pod itself: pods, nodes, multicast'),
      ],
      chains: [
        {
          name: 'filter-prerouting',
          hook: { type: 'filter', hook: 'prerouting', priority: -150, policy: 'accept' },
          rules: [
            {
              comment: 'a pod sends under its own addresses only',
              statements: [
                {
                  kind: 'match',
                  left: { kind: 'meta', key: 'iifname' },
                  operator: '==',
                  right: `"${linkPrefix}*"`,
                },
                {
                  kind: 'match',
                  left: { kind: 'fib', of: ['saddr', 'iif'], result: 'oif' },
                  operator: '==',
                  right: 'missing',
                },
                { kind: 'verdict', verdict: { kind: 'drop' } },
              ],
            },
          ],
        },
        {
          name: 'nat-postrouting',
          hook: { type: 'nat', hook: 'postrouting', priority: 100, policy: 'accept' },
          rules: [
            {
              comment: 'pods leave the cluster under the address of their node',
              statements: [
                {
                  kind: 'match',
                  left: { kind: 'payload', field: source },
                  operator: '==',
                  right: { set: 'pod-prefixes' },
                },
                {
                  kind: 'match',
                  left: { kind: 'payload', field: destination },
                  operator: '!=',
                  right: { set: 'unmasqueraded' },
                },
                { kind: 'masquerade', flags: ['fully-random'] },
              ],
            },
          ],
        },
      ],
    },
    elements: new Map([
      ['pod-prefixes', elements(network.podPrefixes)],
      ['unmasqueraded', elements([...network.unmasqueraded, multicast])],
    ]),
  }
}
