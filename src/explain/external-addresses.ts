import { type Address, familyOf, findAddress } from '../addr/index.ts'
import { mergeAnnouncements, rankNodes } from '../announce/index.ts'
import {
  type AddressClaim,
  drainAnnotation,
  keyOf,
  matches,
  matchesAny,
  nodesBySegment,
  refusesExternalTraffic,
  type Snapshot,
} from '../cluster/index.ts'
import { egressClaims, indexOf } from '../egress/index.ts'
import type { Node } from '../objects/index.ts'
import { announcedAt, announcementsOf } from './announced.ts'
import { type Holder, holdersTold } from './holders.ts'

/** A node, as one that might hold an address. */
export interface Candidate {
  readonly node: string
  /** Why it may not; undefined where it may. */
  readonly refused: string | undefined
}

/** An external address: who has it by their own word, who else may, and who is told of it by BGP. */
export interface ExternalAddress {
  readonly address: Address
  readonly use: AddressClaim['use']
  /** `service/shop/web`, `egress/red`. */
  readonly for: readonly string[]
  /** Announced by one node at a time, which is elected; otherwise every node may tell its BGP peers. */
  readonly elected: boolean
  readonly holders: readonly Holder[]
  /** Those that may hold it in the order in which they would get it, then the others by name. */
  readonly candidates: readonly Candidate[]
  readonly peers: readonly { readonly node: string; readonly peers: readonly string[] }[]
}

/** Every external address of Services and Egresses, in order. */
export function externalAddresses(snapshot: Snapshot): readonly ExternalAddress[] {
  const nodes = [...snapshot.nodes.values()].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  const claims = new Map<Address, AddressClaim>()
  const owners = new Map<Address, string[]>()
  const note = (address: Address, object: string) => owners.set(address, [...(owners.get(address) ?? []), object])
  for (const [key, service] of snapshot.services) {
    if (service.spec.type !== 'LoadBalancer') continue
    for (const { ip = '' } of service.status?.loadBalancer?.ingress ?? []) {
      const address = findAddress(ip)
      if (address !== undefined) note(address, `service/${key}`)
    }
  }
  const announced = [...snapshot.services.values()].flatMap((service) => announcementsOf(snapshot, service))
  for (const [address, { claim }] of mergeAnnouncements(announced)) claims.set(address, claim)
  for (const claim of egressClaims(snapshot.egresses.values(), nodes)) {
    claims.set(claim.address, claim)
    note(claim.address, claim.because.object)
  }
  return [...owners].sort(byAddress).map(([address, objects]): ExternalAddress => {
    const claim = claims.get(address)
    return {
      address,
      use: claim?.use ?? 'LoadBalancer',
      for: [...new Set(objects)],
      elected: claim !== undefined,
      holders: holdersTold(snapshot, address),
      candidates: claim === undefined ? [] : candidatesOf(snapshot, nodes, claim),
      peers: peersOf(snapshot, objects),
    }
  })
}

function candidatesOf(snapshot: Snapshot, nodes: readonly Node[], claim: AddressClaim): readonly Candidate[] {
  const ranked = rankNodes(claim)
  const near = nodesBySegment(nodes)(claim.address)
  const refused = nodes.flatMap((node): Candidate[] => {
    const { name } = node.metadata
    if (ranked.includes(name)) return []
    if (near?.has(name) === false) return [{ node: name, refused: 'it is not on the address’s segment' }]
    return [
      {
        node: name,
        refused: claim.use === 'Egress' ? ofEgress(snapshot, node, claim) : ofService(snapshot, node, claim),
      },
    ]
  })
  const drained = (name: string): string | undefined =>
    snapshot.nodes.get(name)?.metadata.annotations?.[drainAnnotation] === undefined
      ? undefined
      : `it is being drained (${drainAnnotation}); plumb node drain --undo ${name} ends that`
  return [...ranked.map((name): Candidate => ({ node: name, refused: drained(name) })), ...refused].sort(
    (a, b) => Number(a.refused !== undefined) - Number(b.refused !== undefined),
  )
}

function ofEgress(snapshot: Snapshot, node: Node, { because }: AddressClaim): string {
  if (indexOf(node) === undefined) return 'it has no share of egress ports yet'
  const egress = snapshot.egresses.get(because.object.slice('egress/'.length))
  if (!matches(egress?.spec.nodeSelector, node.metadata.labels))
    return `${because.object} spec.nodeSelector does not select it`
  return 'it may not hold it'
}

function ofService(snapshot: Snapshot, node: Node, { address }: AddressClaim): string {
  const services = announcedAt(snapshot, address).map(({ service }) => service)
  const refusals = services.map((one) =>
    refusesExternalTraffic(one, snapshot.slicesOf(keyOf(one)), familyOf(address))(node),
  )
  const [first] = refusals
  if (first !== undefined && refusals.every((one) => one !== undefined)) return first
  const names = [...snapshot.l2Advertisements.values()]
    .filter(({ spec }) => !matchesAny(spec?.nodeSelectors, node.metadata.labels))
    .map(({ metadata }) => metadata.name)
  return `nodeSelectors of l2advertisement/${names.join(', ')} do not select it`
}

function peersOf(snapshot: Snapshot, objects: readonly string[]): ExternalAddress['peers'] {
  return [...snapshot.bgpStatuses.values()].flatMap(({ status }) =>
    status !== undefined && objects.includes(`service/${status.serviceNamespace}/${status.serviceName}`)
      ? [{ node: status.node, peers: status.peers }]
      : [],
  )
}

function byAddress([a]: readonly [Address, unknown], [b]: readonly [Address, unknown]): number {
  return familyOf(a) - familyOf(b) || a.localeCompare(b, 'en', { numeric: true })
}
