import { frontEvidence } from '../doctor/index.ts'
import type { Evidence, Observation } from '../explain/index.ts'
import type { Namespace } from '../host/index.ts'
import type { NodeRules } from '../netfilter/index.ts'
import type { OpenPlace } from '../probes/index.ts'
import { parseEntry } from './evidence.ts'

/** A node that is asked by its kernel alone, without an agent. */
interface Asked {
  readonly namespace: Namespace
  readonly rules: NodeRules
  /** Who else may serve Services there. */
  readonly others: readonly string[]
  readonly open: OpenPlace
}

/** What the kernel of this node answers to one question of the model. */
export async function askKernel(
  { namespace, rules, others, open }: Asked,
  observation: Observation,
): Promise<Evidence> {
  const { network } = namespace
  switch (observation.kind) {
    case 'route': {
      const route = network.lookupRoute(observation.destination)
      if (route === undefined) return { kind: 'route', routeKind: 'unreachable' }
      return {
        kind: 'route',
        ...(route.gateway === undefined ? {} : { gateway: route.gateway }),
        ...(route.link === undefined ? {} : { link: route.link }),
        ...(route.kind === undefined ? {} : { routeKind: route.kind }),
      }
    }
    case 'neighbour': {
      const found = network.neighbours().find(({ address }) => address === observation.address)
      if (found === undefined) return { kind: 'neighbour' }
      const { state, link, mac } = found
      return { kind: 'neighbour', state, link, ...(mac === undefined ? {} : { mac }) }
    }
    case 'frontend':
      return frontEvidence(rules, observation, others)
    case 'policy':
      return { kind: 'unseen', says: 'no agent of Plumb’s enforces policies there' }
    case 'server':
      return { kind: 'unseen', says: 'no gateway of Plumb’s runs there' }
    case 'conntrack': {
      const { asked, transport, clients } = observation
      const protocol = { tcp: 6, udp: 17, sctp: 132 }[transport]
      const found = network.connections({ protocol })
      return { kind: 'conntrack', entries: found.flatMap((one) => parseEntry(one, asked, clients)) }
    }
    case 'listener': {
      const pod = await open({ kind: 'pod', ...observation.pod })
      try {
        const ports = pod.network
          .listeners()
          .map(({ protocol, port, address }) => ({ transport: protocol, port, address }))
        return { kind: 'listener', ports }
      } finally {
        pod.close()
      }
    }
    default:
      return observation satisfies never
  }
}
