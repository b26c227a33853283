import { type Address, families, findAddress } from '../addr/index.ts'
import type { Because, Snapshot } from '../cluster/index.ts'
import type { Pod, Service } from '../objects/index.ts'
import { nodeAddresses } from '../pods/index.ts'
import type { End } from './answer.ts'
import { distance } from './distance.ts'
import type { Entry } from './holders.ts'

/** Where packets start. */
export interface Source {
  readonly label: string
  readonly node: string
  /** The pod, unless it is a node that sends. */
  readonly pod: Pod | undefined
  readonly addresses: readonly Address[]
  /** It is beyond the cluster, and `node` is where its packets enter. */
  readonly outside?: true
  /** Set when `node` holds the address that it asks for, one node at a time. */
  readonly entry?: Entry
  /** It is on another node, which has let its packets go, and `node` is where they come in. */
  readonly forwarded?: true
  readonly because: Because
}

/** One end of a question, found among the objects. */
export type FoundEnd =
  | {
      readonly kind: 'found'
      readonly label: string
      readonly because: Because
      readonly addresses: readonly Address[]
      readonly source?: Source
      readonly pod?: Pod
      readonly service?: Service
      /** Set when the question gave an address and not a name. */
      readonly address?: Address
    }
  | { readonly kind: 'unknown'; readonly says: string; readonly because: Because }

/** Finds an end; an unknown one gets the nearest names. */
export function findEnd(snapshot: Snapshot, end: End): FoundEnd {
  switch (end.kind) {
    case 'pod':
      return findPodEnd(snapshot, end.namespace, end.name)
    case 'node':
      return findNodeEnd(snapshot, end.name)
    case 'service':
      return findServiceEnd(snapshot, end.namespace, end.name)
    case 'address':
      return findAddressEnd(snapshot, end.address)
    case 'name':
      return unknown(`name/${end.name}`, `"${end.name}" was not resolved`)
    default:
      return end satisfies never
  }
}

function findPodEnd(snapshot: Snapshot, namespace: string, name: string): FoundEnd {
  const pod = snapshot.pods.get(`${namespace}/${name}`)
  const object = `pod/${namespace}/${name}`
  if (pod === undefined) {
    // A workload's name is what people have at hand: web stands for web-7d9f-x when there is no pod of that very name.
    const like = [...snapshot.pods.keys()].filter((key) => key.startsWith(`${namespace}/${name}-`)).sort()
    const first = like[0] === undefined ? undefined : snapshot.pods.get(like[0])
    if (first !== undefined) return podEnd(snapshot, first)
    return unknown(object, `there is no pod ${namespace}/${name}${hint(snapshot.pods, namespace, name)}`)
  }
  return podEnd(snapshot, pod)
}

function podEnd(snapshot: Snapshot, pod: Pod): FoundEnd {
  const key = `${pod.metadata.namespace}/${pod.metadata.name}`
  const object = `pod/${key}`
  const node = pod.spec.nodeName
  const texts = pod.status?.podIPs?.map(({ ip }) => ip) ?? []
  const addresses = texts.flatMap((text) => findAddress(text) ?? [])
  if (node === undefined) {
    const condition = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled')
    return unknown(
      object,
      `pod ${key} is on no node yet${condition?.message === undefined ? '' : `: ${condition.message}`}`,
      'spec.nodeName',
    )
  }
  const because = { object, field: 'spec.nodeName', value: node }
  const host = snapshot.nodes.get(node)
  const own = pod.spec.hostNetwork === true && host !== undefined ? Object.values(nodeAddresses(host)) : addresses
  const source: Source = { label: `pod/${key}`, node, pod, addresses: own, because }
  return { kind: 'found', label: `pod/${key}`, because, addresses: own, source, pod }
}

function findNodeEnd(snapshot: Snapshot, name: string): FoundEnd {
  const node = snapshot.nodes.get(name)
  const object = `node/${name}`
  if (node === undefined) return unknown(object, `there is no node ${name}${nearest(name, [...snapshot.nodes.keys()])}`)
  const found = nodeAddresses(node)
  const addresses = families.flatMap((family) => found[family] ?? [])
  const because = { object, field: 'status.addresses', value: addresses.join(', ') }
  return {
    kind: 'found',
    label: object,
    because,
    addresses,
    source: { label: object, node: name, pod: undefined, addresses, because },
  }
}

function findServiceEnd(snapshot: Snapshot, namespace: string, name: string): FoundEnd {
  const service = snapshot.services.get(`${namespace}/${name}`)
  const object = `service/${namespace}/${name}`
  if (service === undefined) {
    return unknown(object, `there is no Service ${namespace}/${name}${hint(snapshot.services, namespace, name)}`)
  }
  const because = { object, field: 'spec.clusterIP', value: service.spec.clusterIP ?? '' }
  const addresses = (service.spec.clusterIPs ?? []).flatMap((text) => findAddress(text) ?? [])
  return { kind: 'found', label: object, because, addresses, service }
}

function findAddressEnd(snapshot: Snapshot, address: Address): FoundEnd {
  const pod = snapshot.findPod(address)
  const because = {
    object: pod === undefined ? `address/${address}` : `pod/${pod.metadata.namespace}/${pod.metadata.name}`,
    field: 'status.podIPs',
    value: address,
  }
  return {
    kind: 'found',
    label: address,
    because,
    addresses: [address],
    address,
    ...(pod === undefined ? {} : { pod }),
  }
}

function unknown(object: string, says: string, field = 'metadata.name'): FoundEnd {
  return { kind: 'unknown', says, because: { object, field, value: '' } }
}

/** Whoever has that very name in another namespace, else the nearest names of this one. */
function hint(objects: ReadonlyMap<string, unknown>, namespace: string, name: string): string {
  const same = [...objects.keys()].filter((key) => key.endsWith(`/${name}`)).sort()
  if (same.length === 0) return nearest(name, keysIn(objects, namespace))
  const shown = `${same.slice(0, 6).join(', ')}${same.length > 6 ? ', …' : ''}`
  return same.length === 1 ? `; there is ${shown}` : `; say which: ${shown}`
}

/** The names of a namespace among keys. */
export function keysIn(objects: ReadonlyMap<string, unknown>, namespace: string): string[] {
  return [...objects.keys()]
    .filter((key) => key.startsWith(`${namespace}/`))
    .map((key) => key.slice(namespace.length + 1))
}

/** The names closest to a mistyped one, as part of a sentence. */
export function nearest(name: string, names: readonly string[]): string {
  const ranked = names
    .map((other) => ({ other, distance: distance(name, other) }))
    .filter(({ other, distance: d }) => d <= Math.max(2, name.length / 3) || other.startsWith(name))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ other }) => other)
  if (ranked.length > 0) return `; did you mean ${ranked.join(', ')}?`
  return names.length === 0
    ? '; there is none in that namespace'
    : `; there are ${names.slice(0, 8).join(', ')}${names.length > 8 ? ', …' : ''}`
}
