import type { Address } from '../addr/index.ts'
import type { ObjectKey } from '../cluster/index.ts'
import type { Namespace, NetworkPolicy, Pod } from '../objects/index.ts'
import { compilePolicy } from './compile.ts'
import { type Content, compose } from './content.ts'
import { type Grant, type GrantPeer, grantOf, intersectGrants } from './grant.ts'
import { Membership } from './membership.ts'
import type { NamedPort, PolicyModel } from './model.ts'
import { PolicyIndex } from './policy-index.ts'

/** Pods that no policy can tell apart: the same policies select them, and the same peers. */
export interface Kin {
  readonly pods: readonly ObjectKey[]
  readonly egress: Content
  readonly ingress: Content
  readonly ports: readonly NamedPort[]
  readonly peer: GrantPeer
}

/** Who may talk to whom, by kin: as many pairs as there are differences, not as there are pods. */
export interface Analysis {
  readonly kin: readonly Kin[]
  readonly models: readonly PolicyModel[]
  /** Which kin a pod belongs to; undefined for pods that ended or share their node's network. */
  find(pod: ObjectKey): Kin | undefined
}

/** Puts pods into kin by everything that policies say. */
export function analyse(
  pods: Iterable<Pod>,
  namespaces: Iterable<Namespace>,
  policies: Iterable<NetworkPolicy>,
): Analysis {
  const membership = new Membership()
  const index = new PolicyIndex()
  for (const { metadata } of namespaces) membership.setNamespace(metadata.name, metadata.labels)
  for (const pod of pods) membership.put(`${pod.metadata.namespace ?? 'default'}/${pod.metadata.name}`, pod)
  let usesAddresses = false
  for (const policy of policies) {
    const model = compilePolicy(policy)
    index.put(model.key, model)
    for (const { peers } of [model.ingress, model.egress].flatMap((one) =>
      one.kind === 'isolated' ? one.rules : [],
    )) {
      if (peers.kind === 'any') continue
      for (const peer of peers.peers) {
        if (peer.kind === 'pods') membership.acquire(peer)
        if (peer.kind === 'block') usesAddresses = true
      }
    }
  }
  const drafts = new Map<string, Kin & { pods: ObjectKey[] }>()
  const byPod = new Map<ObjectKey, Kin>()
  for (const [key, view] of membership.views) {
    const { profile } = view
    const selections = new Set([...profile.selections].map(({ peer }) => peer.id))
    const addresses: readonly Address[] = usesAddresses ? view.addresses : []
    const names = profile.ports.map(({ name, protocol, port }) => `${name} ${protocol} ${port}`)
    const sign = [
      index.subjects(profile.namespace, profile.labels).toSorted(),
      [...selections].sort(),
      addresses,
      names,
    ].join(';')
    let kin = drafts.get(sign)
    if (kin === undefined) {
      const own = index.selecting(profile.namespace, profile.labels)
      kin = {
        pods: [],
        egress: compose(own, 'egress', profile.ports),
        ingress: compose(own, 'ingress', profile.ports),
        ports: profile.ports,
        peer: { selections, addresses },
      }
      drafts.set(sign, kin)
    }
    kin.pods.push(key)
    byPod.set(key, kin)
  }
  return { kin: [...drafts.values()], models: [...index.models.values()], find: (pod) => byPod.get(pod) }
}

/** The ports on which pods of one kin reach those of another. */
export function grantBetween(from: Kin, to: Kin): Grant {
  const egress = grantOf(from.egress, to.peer, to.ports)
  return intersectGrants(egress, grantOf(to.ingress, from.peer, to.ports))
}
