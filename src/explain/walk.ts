import { type Address, families, familyOf } from '../addr/index.ts'
import { type Because, keyOf, type Snapshot } from '../cluster/index.ts'
import type { Pod } from '../objects/index.ts'
import { explainPath, nodeAddresses, type PathStep, type Tunnel } from '../pods/index.ts'
import type { SeenAs } from '../services/index.ts'
import type { Step, Verdict } from './answer.ts'
import type { Destination } from './destination.ts'
import { egressSteps } from './egress.ts'
import type { Source } from './end.ts'
import { podNetworkOf } from './pod-network.ts'
import { askPolicies } from './policies.ts'
import { replySteps, seenBy, type Translation } from './reply.ts'

/** A way, and how it ends. */
interface Way {
  readonly steps: Step[]
  readonly verdict: Verdict
  /** The client's address as the other end sees it, where it is reached. */
  readonly seenAs?: Address | undefined
}

/** The packet's way from the source's node to the socket, and the reply's way back to who asked for `asked`, by the model. */
export function walk(
  snapshot: Snapshot,
  source: Source,
  destination: Destination,
  seenAs: SeenAs = 'kept',
  asked: Destination = destination,
): Way {
  const pod = snapshot.findPod(destination.address)
  const pathFrom = (at: string): PathStep =>
    explainPath(podNetworkOf(snapshot, at), {
      destination: destination.address,
      ...(pod === undefined ? {} : { local: { namespace: pod.metadata.namespace ?? '', pod: pod.metadata.name } }),
    })
  const policies = askPolicies(snapshot, source, destination, seenAs, asked, pathFrom(source.node).kind === 'own')
  const steps: Step[] = []
  const comesIn = source.outside === true || source.forwarded === true
  let node = source.node
  // A packet visits the node where it starts and the one where the pod is: routes name the owner of a prefix directly.
  for (let hop = 0; hop < 2; hop++) {
    const network = podNetworkOf(snapshot, node)
    const next = pathFrom(node)
    // A process of the node reaches its pods, and they reach it, unless a cluster-wide policy says no to that.
    const ownNode = next.kind === 'deliver' && !policies.fromPod && node === source.node && !comesIn
    if (hop === 0 && !ownNode) steps.push(...policies.egress.steps)
    if (hop === 0 && !ownNode && policies.egress.denied !== undefined) return { steps, verdict: policies.egress.denied }
    if (hop === 0 && next.kind === 'leave' && next.masqueraded && source.forwarded !== true) {
      const egress = egressSteps(snapshot, source, network, destination.address)
      steps.push(...egress.steps)
      if (egress.denied !== undefined) return { steps, verdict: egress.denied }
      if (egress.isRouted) {
        const because = egress.steps.find((one) => one.because?.value === egress.address)?.because
        return leave(snapshot, steps, next, destination, egress.address, because)
      }
    }
    steps.push(...routeSteps(node, next, destination))
    if (next.kind === 'forward') {
      node = next.node
      continue
    }
    if (next.kind === 'nobody') return { steps, verdict: deny(next.says, next.because) }
    if (next.kind === 'leave') {
      // Only pods are masqueraded on their way out.
      const leaves = seenAs === 'kept' && next.masqueraded && policies.fromPod ? 'masqueraded' : seenAs
      const seen = seenBy(snapshot, source, familyOf(destination.address), leaves, asked.address)
      return leave(snapshot, steps, next, destination, seen)
    }
    if (next.kind === 'own') {
      const verdict = { kind: 'allow', says: next.says, because: next.because } as const
      // What comes in for the node itself passes no postrouting, so nothing is masqueraded there.
      const kept = hop === 0 ? 'kept' : seenAs
      return { steps, verdict, seenAs: seenBy(snapshot, source, familyOf(destination.address), kept, asked.address) }
    }
    if (ownNode) steps.push(...policies.exempt(node))
    else {
      steps.push(...policies.ingress.steps)
      if (policies.ingress.denied !== undefined) return { steps, verdict: policies.ingress.denied }
    }
    return deliver(snapshot, steps, node, source, { asked, endpoint: destination, seenAs }, pod, next.because)
  }
  return {
    steps,
    verdict: deny(`the routes of ${node} lead back to another node`, steps.at(-1)?.because ?? source.because),
  }
}

function routeSteps(node: string, next: PathStep, { address }: Destination): Step[] {
  const { says, because } = next
  const route = (expect: { gateway?: Address; link?: string }): Step => ({
    stage: 'route',
    node,
    says,
    because,
    observation: { kind: 'route', node, destination: address, expect },
  })
  switch (next.kind) {
    case 'forward':
      return [
        route({ gateway: next.gateway, ...(next.tunnel === undefined ? {} : { link: next.tunnel.link }) }),
        {
          stage: 'neighbour',
          node,
          says: `${next.gateway} is ${next.node} ${next.tunnel === undefined ? 'on the nodes’ segment' : 'in the tunnel'}`,
          because: { object: `node/${next.node}`, field: 'status.addresses', value: next.gateway },
          observation: {
            kind: 'neighbour',
            node,
            address: next.gateway,
            ...(next.tunnel === undefined ? {} : { link: next.tunnel.link }),
          },
        },
        ...(next.tunnel === undefined ? [] : [tunnelStep(node, next.tunnel)]),
      ]
    case 'deliver':
      return [
        route(next.link === undefined ? {} : { link: next.link }),
        {
          stage: 'neighbour',
          node,
          says: `the neighbour entry of ${address} is permanent`,
          because,
          observation: { kind: 'neighbour', node, address, ...(next.link === undefined ? {} : { link: next.link }) },
        },
      ]
    case 'own':
    case 'nobody':
    case 'leave':
      return [{ stage: 'route', node, says, because }]
    default:
      return next satisfies never
  }
}

/** The packet around the packet must find its way, too. */
function tunnelStep(node: string, { end, says, because }: Tunnel): Step {
  const observation = { kind: 'route', node, destination: end, expect: {} } as const
  return { stage: 'link', node, says, because, observation }
}

function deliver(
  snapshot: Snapshot,
  steps: Step[],
  node: string,
  source: Source,
  { asked, endpoint: destination, seenAs }: Translation,
  pod: Pod | undefined,
  because: Because,
): Way {
  if (pod === undefined) return { steps, verdict: deny(`no pod has ${destination.address}`, because) }
  const key = keyOf(pod)
  steps.push(socketStep(node, pod, destination))
  steps.push(...replySteps(snapshot, source, node, { asked, endpoint: destination, seenAs }))
  const seen = seenBy(snapshot, source, familyOf(destination.address), seenAs, asked.address)
  return { steps, verdict: { kind: 'allow', says: `reaches pod/${key}`, because }, seenAs: seen }
}

function socketStep(node: string, pod: Pod, { address, port, transport }: Destination): Step {
  const key = keyOf(pod)
  if (transport === 'icmp') {
    const says = `the kernel of pod/${key} answers an echo request itself, whatever listens there`
    return { stage: 'socket', node, says, because: { object: `pod/${key}`, field: 'status.podIPs', value: address } }
  }
  const found = pod.spec.containers.flatMap((container, i) =>
    (container.ports ?? []).flatMap((one, j) =>
      one.containerPort === port && (one.protocol ?? 'TCP').toLowerCase() === transport
        ? [{ container: container.name, field: `spec.containers[${i}].ports[${j}]`, name: one.name }]
        : [],
    ),
  )[0]
  const observation = {
    kind: 'listener' as const,
    node,
    pod: { namespace: pod.metadata.namespace ?? '', name: pod.metadata.name },
    transport,
    port,
  }
  if (found === undefined) {
    return {
      stage: 'socket',
      node,
      says: `no container of pod/${key} declares port ${port}/${transport}; it may listen there all the same`,
      because: { object: `pod/${key}`, field: 'spec.containers[].ports', value: '' },
      observation,
    }
  }
  return {
    stage: 'socket',
    node,
    says: `container ${found.container} of pod/${key} declares ${port}/${transport}${found.name === undefined ? '' : ` (${found.name})`}`,
    because: { object: `pod/${key}`, field: found.field, value: String(port) },
    observation,
  }
}

/** What leaves the pods' prefixes: another node's own address, or the world outside. */
function leave(
  snapshot: Snapshot,
  steps: Step[],
  next: Extract<PathStep, { kind: 'leave' }>,
  { address }: Destination,
  seenAs: Address | undefined,
  because: Because = next.because,
): Way {
  const owner = [...snapshot.nodes.values()].find((node) => families.some((f) => nodeAddresses(node)[f] === address))
  const outside = `${address} is outside what Kubernetes’ objects tell${seenAs === undefined ? '' : `; it sees ${seenAs}`}`
  const says = owner === undefined ? outside : `reaches node/${owner.metadata.name}`
  return { steps, verdict: { kind: owner === undefined ? 'pass' : 'allow', says, because }, seenAs }
}

function deny(says: string, because: Because): Verdict {
  return { kind: 'deny', says, because }
}
