import type { Address } from '../addr/index.ts'
import type { Finding, ObjectKey } from '../cluster/index.ts'
import type { Namespace, NetworkPolicy, Pod } from '../objects/index.ts'
import { AddressAtoms } from './address-atoms.ts'
import { compilePolicy } from './compile.ts'
import { type Grant, intersectGrants, uniteGrants } from './grant.ts'
import { Membership } from './membership.ts'
import type { ClusterPolicyModel, NamedPort, Peers, PolicyModel } from './model.ts'
import { type GrantPeer, grantOf } from './peer-grant.ts'
import { PolicyIndex } from './policy-index.ts'
import { composeTiers, type TieredContent } from './tier-content.ts'

/** Pods that no policy can tell apart: the same policies select them, and the same peers. */
export interface Kin {
  readonly pods: readonly ObjectKey[]
  readonly egress: TieredContent
  readonly ingress: TieredContent
  readonly ports: readonly NamedPort[]
  /** Ids of the pod peers that select them. */
  readonly selections: ReadonlySet<string>
  /** Those of the first of them, where policies tell addresses apart: the others’ are alike to every rule. */
  readonly addresses: readonly Address[]
}

/** Who may talk to whom, by kin: as many pairs as there are differences, not as there are pods. */
export interface Analysis {
  readonly kin: readonly Kin[]
  readonly findings: readonly Finding[]
  /** Which kin a pod belongs to; undefined for pods that ended or share their node's network. */
  find(pod: ObjectKey): Kin | undefined
  /** Equal for peers that are no pods and that no rule tells apart. */
  signOf(peer: GrantPeer): string
}

/** Puts pods into kin by everything that policies say. */
export function analyse(
  pods: Iterable<Pod>,
  namespaces: Iterable<Namespace>,
  policies: Iterable<NetworkPolicy>,
  clusterPolicies: Iterable<ClusterPolicyModel> = [],
): Analysis {
  const membership = new Membership()
  const index = new PolicyIndex()
  for (const { metadata } of namespaces) membership.setNamespace(metadata.name, metadata.labels)
  for (const pod of pods) membership.put(`${pod.metadata.namespace ?? 'default'}/${pod.metadata.name}`, pod)
  const atoms = new AddressAtoms()
  let usesAddresses = false
  let usesNodes = false
  const note = (peers: Peers): void => {
    for (const peer of peers.kind === 'any' ? [] : peers.peers) {
      if (peer.kind === 'pods') membership.acquire(peer)
      if (peer.kind === 'nodes') usesNodes = true
      if (peer.kind !== 'block') continue
      atoms.add(peer.family, peer.ranges)
      usesAddresses = true
    }
  }
  for (const policy of policies) {
    const model = compilePolicy(policy)
    index.put(model.key, model)
    for (const { peers } of rulesOf(model)) note(peers)
  }
  for (const model of clusterPolicies) {
    index.putCluster(model.object, model)
    for (const { peers } of [...model.ingress, ...model.egress]) note(peers)
  }
  const drafts = new Map<string, Kin & { pods: ObjectKey[] }>()
  const byPod = new Map<ObjectKey, Kin>()
  for (const [key, view] of membership.views) {
    const { profile } = view
    const around = membership.labelsOf(profile.namespace)
    const selections = new Set([...profile.selections].map(({ peer }) => peer.id))
    const addresses: readonly Address[] = usesAddresses ? view.addresses : []
    const names = profile.ports.map(({ name, protocol, port }) => `${name} ${protocol} ${port}`)
    const sign = [
      index.subjects(profile.namespace, around, profile.labels).toSorted(),
      [...selections].sort(),
      addresses.map((address) => atoms.idOf(address)),
      names,
    ].join(';')
    let kin = drafts.get(sign)
    if (kin === undefined) {
      const own = index.selecting(profile.namespace, around, profile.labels)
      kin = {
        pods: [],
        egress: composeTiers(own, 'egress', profile.ports),
        ingress: composeTiers(own, 'ingress', profile.ports),
        ports: profile.ports,
        selections,
        addresses,
      }
      drafts.set(sign, kin)
    }
    kin.pods.push(key)
    byPod.set(key, kin)
  }
  const findings = [...index.models.values(), ...index.clusterModels.values()].flatMap((model) => model.findings)
  const signOf = ({ address, node }: GrantPeer): string => {
    const labels = usesNodes ? JSON.stringify(Object.entries(node ?? {}).sort()) : ''
    return `${usesAddresses && address !== undefined ? atoms.idOf(address) : ''} ${labels}`
  }
  return { kin: [...drafts.values()], findings, find: (pod) => byPod.get(pod), signOf }
}

function rulesOf({ ingress, egress }: PolicyModel): readonly { readonly peers: Peers }[] {
  return [ingress, egress].flatMap((one) => (one.kind === 'isolated' ? one.rules : []))
}

/** The ports on which pods of one kin reach those of another, by either family. */
export function grantBetween(from: Kin, to: Kin): Grant {
  const [first, ...rest] = pairsOf(from, to).map(([source, destination]) => {
    const egress = grantOf(from.egress, destination, to.ports)
    return intersectGrants(egress, grantOf(to.ingress, source, to.ports))
  })
  return rest.reduce(uniteGrants, first!)
}

/** Both ends as peers, for each family that both have; without addresses once. */
function pairsOf(from: Kin, to: Kin): (readonly [GrantPeer, GrantPeer])[] {
  const [a, b] = [{ selections: from.selections }, { selections: to.selections }]
  if (from.addresses.length === 0 || to.addresses.length === 0) return [[a, b]]
  const pairs = from.addresses.flatMap((address) =>
    to.addresses.flatMap((other) =>
      address.includes(':') === other.includes(':')
        ? [
            [
              { ...a, address },
              { ...b, address: other },
            ] as const,
          ]
        : [],
    ),
  )
  return pairs.length === 0 ? [[a, b]] : pairs
}
