import { type Address, findAddress } from '../addr/index.ts'
import { keyOf, type Labels, type ObjectKey } from '../cluster/index.ts'
import type { Node, Pod } from '../objects/index.ts'
import type { NamedPort, PodsPeer } from './model.ts'

/** What policies can tell pods apart by: pods of one profile mean the same to every policy but for their addresses. */
export interface Profile {
  readonly id: string
  readonly namespace: string
  readonly labels: Labels
  readonly ports: readonly NamedPort[]
  readonly views: Set<PodView>
  /** The selections that this profile belongs to. */
  readonly selections: Set<Selection>
}

/** The pods that one peer selects, as long as something uses it. */
export interface Selection {
  readonly peer: PodsPeer
  readonly profiles: Set<Profile>
  uses: number
}

/** A pod as policies see it. */
export interface PodView {
  readonly key: ObjectKey
  readonly profile: Profile
  readonly addresses: readonly Address[]
  readonly node: string | undefined
}

/** The profiles that pods have, each once. */
export class Profiles {
  readonly #byId = new Map<string, Profile>()
  readonly #byNamespace = new Map<string, Set<Profile>>()

  get size(): number {
    return this.#byId.size
  }

  inNamespace(namespace: string): Iterable<Profile> {
    return this.#byNamespace.get(namespace) ?? []
  }

  /** The pod as policies see it; undefined when it has ended or shares its node's network. `attached`: addresses known before its status. */
  view(pod: Pod, attached: readonly Address[] = []): PodView | undefined {
    const phase = pod.status?.phase
    if (pod.spec.hostNetwork === true || phase === 'Succeeded' || phase === 'Failed') return undefined
    const told = pod.status?.podIPs ?? (pod.status?.podIP === undefined ? [] : [{ ip: pod.status.podIP }])
    const addresses = told.flatMap(({ ip }) => findAddress(ip) ?? [])
    for (const address of attached) if (!addresses.includes(address)) addresses.push(address)
    return { key: keyOf(pod), profile: this.#profile(pod), addresses, node: pod.spec.nodeName }
  }

  enlist(profile: Profile): void {
    this.#byId.set(profile.id, profile)
    const own = this.#byNamespace.get(profile.namespace)
    if (own === undefined) this.#byNamespace.set(profile.namespace, new Set([profile]))
    else own.add(profile)
  }

  strike(profile: Profile): void {
    this.#byId.delete(profile.id)
    this.#byNamespace.get(profile.namespace)?.delete(profile)
  }

  #profile(pod: Pod): Profile {
    const namespace = pod.metadata.namespace ?? 'default'
    const labels = pod.metadata.labels ?? {}
    const ports = namedPorts(pod)
    const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`)
    if (pairs.length > 1) pairs.sort()
    const words = ports.length === 0 ? '' : ports.map((one) => `${one.name}:${one.protocol}:${one.port}`).join()
    const id = `${namespace}/${pairs.join()}/${words}`
    return this.#byId.get(id) ?? { id, namespace, labels, ports, views: new Set(), selections: new Set() }
  }
}

/** A node as policies see it: every address that its status tells. */
export interface PolicyNode {
  readonly labels: Labels
  readonly addresses: readonly Address[]
}

export function policyNode({ metadata, status }: Node): PolicyNode {
  const addresses = (status?.addresses ?? []).flatMap(({ address }) => findAddress(address) ?? [])
  return { labels: metadata.labels ?? {}, addresses }
}

/** Named ports of a pod's containers and of its sidecars; of two with one name and protocol the first counts, as upstream. */
export function namedPorts({ spec }: Pod): readonly NamedPort[] {
  const found: NamedPort[] = []
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always')
  for (const { ports } of [...(spec.containers ?? []), ...sidecars]) {
    for (const { name, containerPort, protocol = 'TCP' } of ports ?? []) {
      if (name === undefined) continue
      const transport = protocol.toLowerCase() as NamedPort['protocol']
      if (found.some((one) => one.name === name && one.protocol === transport)) continue
      found.push({ name, protocol: transport, port: containerPort })
    }
  }
  return found
}
