import { type Address, type Family, familyOf } from '../addr/index.ts'
import type { Because, Snapshot } from '../cluster/index.ts'
import { explainPath } from '../pods/index.ts'
import type { SeenAs } from '../services/index.ts'
import type { Step } from './answer.ts'
import type { Destination } from './destination.ts'
import type { Source } from './end.ts'
import { podNetworkOf } from './pod-network.ts'

/** What a node made of a connection: what the client asked for, who got it, and under whose address. */
export interface Translation {
  readonly asked: Destination
  readonly endpoint: Destination
  readonly seenAs: SeenAs
}

/** The client's address as an endpoint of this family sees it; undefined where the client or its node has none. */
export function seenBy(
  snapshot: Snapshot,
  source: Source,
  family: Family,
  seenAs: SeenAs,
  asked: Address,
): Address | undefined {
  if (seenAs === 'kept') return source.addresses.find((address) => familyOf(address) === family)
  return seenAs === 'external' ? asked : podNetworkOf(snapshot, source.node).addresses[family]
}

/** The answer's way back: the endpoint's node routes it to whom the endpoint saw, and conntrack turns it back there. */
export function replySteps(
  snapshot: Snapshot,
  source: Source,
  node: string,
  { asked, endpoint, seenAs }: Translation,
): Step[] {
  const family = familyOf(endpoint.address)
  const clients = source.addresses.filter((address) => familyOf(address) === family)
  const sees = seenBy(snapshot, source, family, seenAs, asked.address)
  const because = { object: `node/${source.node}`, field: 'spec.podCIDRs', value: source.addresses.join(', ') }
  const says = replyOf(source, node, clients[0], seenAs, asked.address)
  // The same node turns the answer back before it looks for a route.
  const route = sees === undefined || (seenAs !== 'kept' && node === source.node) ? {} : routeBack(snapshot, node, sees)
  return [
    { stage: 'reply', node, says, because, ...route },
    ...(clients.length === 0 ? [] : [entryStep(source, clients, { asked, endpoint, seenAs }, because)]),
  ]
}

function replyOf(source: Source, node: string, client: Address | undefined, seenAs: SeenAs, asked: Address): string {
  if (seenAs === 'external') {
    const where = source.node === node ? 'there' : `on ${source.node}, or whichever node holds the address then,`
    return `the pod sees ${asked} as its client; conntrack ${where} turns the answer back to ${source.label}`
  }
  if (seenAs === 'masqueraded') {
    return `the pod sees ${source.node} as its client; conntrack there turns the answer back to ${source.label}`
  }
  const way = source.node === node ? 'on the same node' : `by ${node}’s route to ${source.node}`
  return `answers go to ${client ?? source.label} ${way}; conntrack on ${source.node} puts the address that was asked for back in place`
}

function routeBack(snapshot: Snapshot, node: string, destination: Address): Pick<Step, 'observation'> {
  const pod = snapshot.findPod(destination)
  const local = pod && { namespace: pod.metadata.namespace ?? '', pod: pod.metadata.name }
  const next = explainPath(podNetworkOf(snapshot, node), {
    destination,
    ...(local === undefined ? {} : { local }),
  })
  const expect =
    next.kind === 'forward'
      ? { gateway: next.gateway }
      : next.kind === 'deliver' && next.link !== undefined
        ? { link: next.link }
        : {}
  return { observation: { kind: 'route', node, destination, expect } }
}

function entryStep(source: Source, clients: readonly Address[], translation: Translation, because: Because): Step {
  const { asked, endpoint, seenAs } = translation
  const { node } = source
  const { transport } = asked
  if (transport === 'icmp')
    return { stage: 'reply', node, says: `conntrack on ${node} knows an echo by its identifier`, because }
  const to = `${endpoint.address} port ${endpoint.port}`
  const says =
    asked.address === endpoint.address && asked.port === endpoint.port
      ? `conntrack on ${node} has an entry for each connection to ${to}`
      : `conntrack on ${node} remembers that ${to} answers for ${asked.address} port ${asked.port}, and decides for later packets`
  return {
    stage: 'reply',
    node,
    says,
    because,
    observation: { kind: 'conntrack', node, clients, transport, asked, endpoint, seenAs },
  }
}
