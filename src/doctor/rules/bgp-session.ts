import { familyOf, findAddress, hostPrefix } from '../../addr/index.ts'
import { type BGPSession, BgpCompiler } from '../../bgp/index.ts'
import { isOnSegment, keyOf, underlayOf } from '../../cluster/index.ts'
import { poolFinder } from '../../ipam/index.ts'
import type { Node } from '../../objects/index.ts'
import type { Cause, Rule } from '../cause.ts'
import { type BgpObjects, type Examination, on } from '../examination.ts'
import { proofOf, serviceOf } from '../words.ts'

/** Routers do not learn the address: no session is up with them, or no advertisement is for its pool. */
export const bgpSession: Rule = {
  covers: ['80'],
  judge(examination) {
    const { bgp, subject, snapshot } = examination
    const bad = on(examination, 'external').filter(({ good }) => !good)
    const [first] = bad
    if (bgp === undefined || first === undefined) return []
    const addresses = (subject.service.status?.loadBalancer?.ingress ?? []).flatMap(
      ({ ip = '' }) => findAddress(ip) ?? [],
    )
    const address = addresses.find((one) => one === first.probe.address)
    if (address === undefined) return []
    const proof = bad.slice(0, 1).map(proofOf)
    const sessions = bgp.peers.flatMap((peer) => (peer.status?.sessions ?? []).map((session) => ({ peer, session })))
    const told = [...snapshot.nodes.values()].flatMap((node) => peersTold(examination, bgp, node, address))
    if (told.length === 0) return notAdvertised(examination, bgp, address, proof)
    const mine = told.flatMap(({ peer, node }) => {
      const found = sessions.find((one) => one.peer.metadata.name === peer && one.session.node === node)
      return [{ peer: bgp.peers.find(({ metadata }) => metadata.name === peer), node, session: found?.session }]
    })
    if (mine.some(({ session }) => session?.state === 'Established')) return []
    return mine.slice(0, 1).flatMap(({ peer, node, session }): Omit<Cause, 'rule'>[] => {
      if (peer === undefined) return []
      const { field, value, remedy } = fieldOf(peer.spec, session)
      const down = session === undefined ? 'has no session' : `has a session in state ${session.state}`
      const why = session?.lastError === undefined ? '' : ` (${session.lastError})`
      return [
        {
          confidence: 'certain',
          object: `bgppeer/${peer.metadata.name}`,
          field,
          value,
          says: `no router learns ${address}: ${node} ${down} with ${peer.spec.peerAddress ?? peer.spec.interface ?? ''}${why}, and no other node has one that is established`,
          proof: [
            ...mine
              .slice(0, 3)
              .map(
                (one) =>
                  `bgppeer/${one.peer?.metadata.name}: ${one.node} ${one.session?.state ?? 'tells nothing'}${one.session?.lastError === undefined ? '' : `, ${one.session.lastError}`}`,
              ),
            ...proof,
          ],
          twin: 'a session that is up and tells no prefix: there no BGPAdvertisement is for the pool',
          fix: { says: remedy },
          rung: 'external',
        },
      ]
    })
  },
}

/** The peers that a node is to tell the address, by the model of BGP. */
function peersTold(
  { snapshot, subject }: Examination,
  { peers, advertisements, profiles, communities }: BgpObjects,
  node: Node,
  address: NonNullable<ReturnType<typeof findAddress>>,
): readonly { readonly peer: string; readonly node: string }[] {
  const model = new BgpCompiler().compile({
    node,
    peers,
    advertisements,
    profiles,
    communities,
    services: new Map([[keyOf(subject.service), subject.service]]),
    held: [],
    slicesOf: (service) => snapshot.slicesOf(keyOf(service)),
    findPool: poolFinder(snapshot.addressPools.values()),
    // What it is does not matter here; whether there is one is seen at the session.
    findPassword: () => '',
  })
  const wanted = hostPrefix(address)
  return model.peers.flatMap(({ name, routes }) =>
    routes.some(({ because, prefix }) => prefix === wanted || because.some(({ value }) => value === address))
      ? [{ peer: name, node: node.metadata.name }]
      : [],
  )
}

/** Sessions are there and the address is in none of them. */
function notAdvertised(
  { subject, snapshot }: Examination,
  { advertisements }: BgpObjects,
  address: NonNullable<ReturnType<typeof findAddress>>,
  proof: readonly string[],
): Omit<Cause, 'rule'>[] {
  const ready = subject.backends.some((one) => one.ready && familyOf(one.address) === familyOf(address))
  const pool = poolFinder(snapshot.addressPools.values())(address)
  // Without a ready endpoint nobody announces, as another rule tells; on the nodes' segment ARP does.
  if (!ready || [...snapshot.nodes.values()].some((node) => isOnSegment(underlayOf(node), address))) return []
  const object = pool === undefined ? serviceOf(subject) : `ipaddresspool/${pool.name}`
  const known = advertisements.map(({ metadata }) => metadata.name)
  return [
    {
      confidence: 'certain',
      object,
      field: 'bgpadvertisements',
      value: known.join(', '),
      says: `no router learns ${address}: ${pool === undefined ? 'it is out of no IPAddressPool' : `no BGPAdvertisement is for pool ${pool.name}`}${known.length === 0 ? ', there being none' : ` (there are ${known.join(', ')})`}`,
      proof,
      twin: 'a session that is down: there an advertisement has the pool',
      fix: {
        says:
          pool === undefined
            ? `put ${address} into an IPAddressPool, or give the Service an address of one`
            : `create a BGPAdvertisement with ipAddressPools: [${pool.name}]; what one has under nodeSelectors, serviceSelectors and peers must fit too`,
      },
      rung: 'external',
    },
  ]
}

/** What a session's last word says of the peer's fields (RFC 4486, and what BIRD and the kernel say). */
function fieldOf(
  spec: BgpObjects['peers'][number]['spec'],
  session: BGPSession | undefined,
): { readonly field: string; readonly value: string; readonly remedy: string } {
  const { lastError = '' } = session ?? {}
  if (/Bad peer AS/i.test(lastError))
    return {
      field: 'spec.peerASN',
      value: String(spec.peerASN ?? spec.dynamicASN ?? ''),
      remedy: 'let peerASN be the AS number of the router, and myASN the one that it expects',
    }
  if (/password/.test(lastError))
    return {
      field: spec.password === undefined && spec.passwordSecret !== undefined ? 'spec.passwordSecret' : 'spec.password',
      value: spec.password === undefined && spec.passwordSecret === undefined ? '' : '(not shown)',
      remedy:
        'give both sides one password (TCP MD5, RFC 2385), or none; then see whether the router is reached at all',
    }
  return {
    field: 'spec.peerAddress',
    value: spec.peerAddress ?? spec.interface ?? '',
    remedy: 'see whether the router speaks BGP at that address and port, and knows this node as a neighbour',
  }
}
