import {
  type Family,
  findPrefix,
  offsetOf,
  type Prefix,
  prefixAddress,
  prefixFamily,
  prefixSize,
} from '../addr/index.ts'
import type { LabelSelector, NetworkPolicy } from '../objects/index.ts'
import { subtractRanges } from './address-ranges.ts'
import type { AddressRange, Peer, Peers } from './model.ts'
import { nobody, type Reader } from './reader.ts'
import { isReadable, selectorId } from './selector-id.ts'

type GivenPeer = NonNullable<
  NonNullable<NonNullable<NonNullable<NetworkPolicy['spec']>['ingress']>[number]>['from']
>[number]

/** A policy whose own namespace counts. */
export interface NamespacedReader extends Reader {
  readonly namespace: string
}

/** The peers of a rule: none given means anybody, outside the cluster too. */
export function compilePeers(reader: NamespacedReader, field: string, peers: readonly GivenPeer[] | undefined): Peers {
  if (peers === undefined || peers === null || peers.length === 0) return { kind: 'any' }
  return { kind: 'some', peers: peers.map((peer, index) => compilePeer(reader, `${field}[${index}]`, peer)) }
}

function compilePeer(reader: NamespacedReader, field: string, peer: GivenPeer): Peer {
  const { object, namespace } = reader
  const { ipBlock, podSelector, namespaceSelector } = peer
  if (ipBlock !== undefined && (podSelector !== undefined || namespaceSelector !== undefined)) {
    return nobody(reader, field, 'PeerOfTwoKinds', 'ipBlock cannot be combined with selectors', 'make them two items')
  }
  if (ipBlock !== undefined) return compileBlock(reader, `${field}.ipBlock`, ipBlock)
  if (podSelector === undefined && namespaceSelector === undefined) {
    const says = 'an empty peer selects nobody'
    return nobody(reader, field, 'EmptyPeer', says, 'name a podSelector, a namespaceSelector or an ipBlock')
  }
  const pods = (podSelector ?? {}) as LabelSelector
  const selector = namespaceSelector as LabelSelector | undefined
  if (!isReadable(pods) || (selector !== undefined && !isReadable(selector))) {
    const says = 'the selector has an operator that does not exist'
    return nobody(reader, field, 'BrokenSelector', says, 'use In, NotIn, Exists or DoesNotExist')
  }
  const value = [
    ...(selector === undefined ? [] : [`namespaceSelector: ${selectorId(selector) || '{}'}`]),
    ...(podSelector === undefined ? [] : [`podSelector: ${selectorId(pods) || '{}'}`]),
  ].join('; ')
  const because = { object, field, value }
  if (selector === undefined) {
    const id = `${namespace}/${selectorId(pods)}`
    return { kind: 'pods', namespaces: { kind: 'one', namespace }, pods, id, because }
  }
  const id = `{${selectorId(selector)}}/${selectorId(pods)}`
  return { kind: 'pods', namespaces: { kind: 'selected', selector }, pods, id, because }
}

function compileBlock(reader: Reader, field: string, block: { cidr: string; except?: string[] }): Peer {
  const prefix = findPrefix(String(block.cidr), true)
  if (prefix === undefined) {
    const says = `"${block.cidr}" is not an IP prefix`
    return nobody(reader, `${field}.cidr`, 'BrokenPrefix', says, 'write it as 10.0.0.0/8 or fd00::/64')
  }
  const family = prefixFamily(prefix)
  const holes: AddressRange[] = []
  for (const [index, text] of (block.except ?? []).entries()) {
    const hole = findPrefix(String(text), true)
    const at = `${field}.except[${index}]`
    if (hole === undefined || prefixFamily(hole) !== family) {
      // What was to be left out is unknown, so nothing of the block is let in.
      const says = `"${text}" is not an IPv${family} prefix; the whole block allows nobody`
      return nobody(reader, at, 'BrokenPrefix', says, `write a prefix inside ${prefix}`)
    }
    holes.push(rangeOf(hole))
  }
  const value = `${block.cidr}${holes.length === 0 ? '' : ` except ${(block.except ?? []).join(', ')}`}`
  const because = { object: reader.object, field, value }
  return { kind: 'block', family: family as Family, ranges: subtractRanges(rangeOf(prefix), holes), because }
}

/** The addresses of a prefix. */
export function rangeOf(prefix: Prefix): AddressRange {
  const low = offsetOf(prefixAddress(prefix))
  return { low, high: low + prefixSize(prefix) - 1n }
}
