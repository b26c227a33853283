import { findAddress } from '../addr/index.ts'
import { internalAddresses, keyOf } from '../cluster/index.ts'
import { type ExternalAddress, externalAddresses } from '../explain/index.ts'
import { boxOf } from './box-id.ts'
import type { Drawing, Look } from './picture.ts'
import type { State } from './source.ts'

/** Addresses at which clients outside come in: those that are announced, those that others own, and nodes' own that gateways serve. */
export function drawAddresses(drawing: Drawing, state: State): void {
  const { snapshot, sources } = state
  for (const one of externalAddresses(snapshot)) if (one.use !== 'Egress') drawAnnounced(drawing, state, one)
  for (const [key, { spec }] of snapshot.services)
    for (const text of spec.externalIPs ?? []) {
      const lines = ['external IP', 'nobody of the cluster announces it']
      drawing.box({ ...boxFor(text), lines, look: 'serves', says: '' })
      drawing.edge({ from: `address/${text}`, to: boxOf(state, `service/${key}`), look: 'serves', says: '' })
    }
  const ofNodes = new Set([...snapshot.nodes.values()].flatMap(internalAddresses))
  for (const ingress of sources.ingresses) {
    const told = (ingress.status?.loadBalancer?.ingress ?? []).flatMap(({ ip = '' }) => findAddress(ip) ?? [])
    const to = `ingress/${keyOf(ingress)}`
    if (told.some((address) => ofNodes.has(address))) {
      drawNodes(drawing, snapshot.nodes.size)
      drawing.edge({ from: nodesId, to, look: 'serves', says: '' })
    }
    for (const address of told) {
      const from = `address/${address}`
      if (!ofNodes.has(address) && drawing.has(from)) drawing.edge({ from, to, look: 'serves', says: '' })
    }
  }
}

const nodesId = 'address/nodes'

function drawNodes(drawing: Drawing, count: number): void {
  const lines = [`${count} ${count === 1 ? 'node' : 'nodes'}, ports 80 and 443`]
  const box = boxFor('nodes')
  drawing.box({ ...box, name: 'the nodes’ own addresses', lines, look: 'serves', says: '' })
}

function boxFor(text: string) {
  return { id: `address/${text}`, rung: 'address', kind: 'Address', namespace: '', name: text } as const
}

function drawAnnounced(drawing: Drawing, state: State, one: ExternalAddress): void {
  const { address, elected, holders, peers } = one
  const [holder] = holders
  const { look, says } = judge(one)
  const held = holder === undefined ? (elected ? 'held by nobody' : 'told by BGP') : `held by ${holder.node}`
  // `since 2026-11-23 04:19Z`
  const since = holder?.since === undefined ? [] : [`since ${holder.since.slice(0, 16).replace('T', ' ')}Z`]
  const told = peers.length === 0 ? [] : [`BGP: ${peers.length} ${peers.length === 1 ? 'node tells' : 'nodes tell'} it`]
  drawing.box({ ...boxFor(address), lines: [held, ...since, ...told], look, says })
  for (const object of one.for) drawing.edge({ from: `address/${address}`, to: boxOf(state, object), look, says })
}

function judge({ elected, holders, address }: ExternalAddress): { readonly look: Look; readonly says: string } {
  if (!elected) return { look: 'serves', says: '' }
  const [first] = holders
  if (first === undefined) return { look: 'refuses', says: `no node says that it holds ${address}` }
  if (first.stale === undefined) return { look: 'serves', says: '' }
  return { look: 'refuses', says: `${first.node} said last that it holds ${address}, but ${first.stale}` }
}
