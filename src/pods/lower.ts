import {
  type Address,
  disjoint,
  type Family,
  families,
  familyOf,
  hostPrefix,
  type Prefix,
  prefixFamily,
  renderPrefix,
} from '../addr/index.ts'
import type { Element, SetDeclaration, Table } from '../nft/index.ts'
import { linkPrefix } from './attachment.ts'
import { tunnelledPrefixes } from './compile.ts'
import { tunnelChains, tunnelSets, tunnelSourceRules, unmarkChain } from './lower-tunnel.ts'
import type { PodNetwork } from './model.ts'
import { words } from './words.ts'

/** One table and what its sets hold. */
export interface PodTable {
  readonly table: Table
  readonly elements: ReadonlyMap<string, readonly Element[]>
}

/**
 * The tables that drop forged sources and masquerade what leaves the cluster from a pod; one per family that has pods. `guests` are addresses
 * of no pod, under which pods leave: their packets may cross the tunnel.
 */
export function lowerPodNetwork(network: PodNetwork, guests: readonly Address[] = []): readonly PodTable[] {
  return families
    .filter((family) => network.podPrefixes.some((p) => prefixFamily(p) === family))
    .map((family) => lowerFamily(network, family, guests))
}

function lowerFamily(network: PodNetwork, family: Family, guests: readonly Address[]): PodTable {
  const { overlay } = network
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
        ...(overlay === undefined ? [] : tunnelSets(family)),
      ],
      chains: [
        ...(overlay === undefined ? [] : [unmarkChain]),
        ...(overlay === undefined || family === 6 ? [] : tunnelChains(overlay)),
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
            ...(overlay === undefined ? [] : tunnelSourceRules(family)),
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
      ...tunnelElements(network, family, guests, elements),
    ]),
  }
}

function tunnelElements(
  { overlay, routes }: PodNetwork,
  family: Family,
  guests: readonly Address[],
  elements: (prefixes: readonly Prefix[]) => Element[],
): [string, Element[]][] {
  if (overlay === undefined) return []
  const pods = tunnelledPrefixes({ routes })
  const hosts = overlay.ends.flatMap((end) => end.hosts.map(hostPrefix))
  const own = (addresses: readonly Address[]) =>
    addresses.flatMap((key): Element[] => (familyOf(key) === family ? [{ key }] : []))
  return [
    ['tunnelled', elements([...pods, ...hosts])],
    ['tunnel-guests', own(guests)],
    ...(family === 4 ? [['tunnel-ends', own(overlay.ends.map(({ address }) => address))] as [string, Element[]]] : []),
  ]
}
