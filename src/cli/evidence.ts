import { dirname, join } from 'node:path'
import { type Address, findAddress } from '../addr/index.ts'
import type { ObserveRequest, ObserveResponse } from '../agent/index.ts'
import { askAgent } from '../cni/index.ts'
import type { Entry, Evidence, Observation } from '../explain/index.ts'
import { findPlace, type Lab } from '../lab/index.ts'
import type { ServerState } from '../proxy/index.ts'

const observeMs = 3000

/** Asks the kernels of a lab's nodes, through their agents, and tells what each said; one that does not answer is `unseen`. */
export async function askNodes(lab: Lab, observations: readonly Observation[]): Promise<Map<Observation, Evidence>> {
  const answers = await Promise.all(
    observations.map(async (one): Promise<[Observation, Evidence]> => {
      try {
        const socket = join(dirname(lab.state.kubeconfig), one.node, 'agent.sock')
        return [
          one,
          await askAgentOf(socket, one, ({ namespace, name }) =>
            findPlace(lab.state.name, { kind: 'pod', namespace, pod: name }),
          ),
        ]
      } catch (error) {
        return [one, { kind: 'unseen', says: `${one.node} could not be asked: ${(error as Error).message}` }]
      }
    }),
  )
  return new Map(answers)
}

/** Asks the kernel of a node through its agent; `findPod` tells the path of a pod's network namespace as the agent opens it. */
export async function askAgentOf(
  socket: string,
  observation: Observation,
  findPod: (pod: { readonly namespace: string; readonly name: string }) => Promise<string>,
): Promise<Evidence> {
  switch (observation.kind) {
    case 'route': {
      const { route } = await observe(socket, { route: { destination: observation.destination } })
      if (route === undefined || route === null) return { kind: 'route', routeKind: 'unreachable' }
      return {
        kind: 'route',
        ...(route.gateway === undefined ? {} : { gateway: route.gateway }),
        ...(route.link === undefined ? {} : { link: route.link }),
        ...(route.kind === undefined ? {} : { routeKind: route.kind }),
      }
    }
    case 'neighbour': {
      const { neighbours = [] } = await observe(socket, { neighbour: observation.address })
      const [found] = neighbours
      if (found === undefined) return { kind: 'neighbour' }
      return {
        kind: 'neighbour',
        state: found.state,
        link: found.link,
        ...(found.mac === undefined ? {} : { mac: found.mac }),
      }
    }
    case 'frontend': {
      const { address, transport, port, inside } = observation
      const { frontend } = await observe(socket, { frontend: { address, protocol: transport, port } })
      if (frontend === undefined) return { kind: 'unseen', says: 'the agent told nothing' }
      const endpoints = (inside ? frontend.inside : frontend.endpoints).flatMap(parseTarget)
      const silent = frontend.class !== null && !inside
      const action = endpoints.length > 0 ? 'balance' : silent ? 'drop' : frontend.known ? 'reject' : 'absent'
      return { kind: 'frontend', endpoints, action }
    }
    case 'policy': {
      const { direction, address } = observation
      const { policy } = await observe(socket, { policy: { direction, address } })
      return { kind: 'policy', ...(typeof policy === 'string' ? { verdict: policy } : {}) }
    }
    case 'server': {
      const { backend, address, port } = observation
      const { status, answer } = await askAgent<ServerState & { error?: string }>(
        socket,
        '/gateways/server',
        { backend, address, port },
        5000,
      )
      if (status !== 200) return { kind: 'unseen', says: answer.error ?? `HTTP ${status}` }
      return { kind: 'server', ...answer }
    }
    case 'conntrack': {
      const { asked, transport, clients } = observation
      const protocol = { tcp: 6, udp: 17, sctp: 132 }[transport]
      const { connections = [] } = await observe(socket, { connections: { ...asked, protocol } })
      return { kind: 'conntrack', entries: connections.flatMap((one) => parseEntry(one, asked, clients)) }
    }
    case 'listener': {
      const place = await findPod(observation.pod)
      const { listeners = [] } = await observe(socket, { listeners: { namespace: place } })
      return {
        kind: 'listener',
        ports: listeners.map(({ protocol, port, address }) => ({ transport: protocol, port, address })),
      }
    }
    default:
      return observation satisfies never
  }
}

/** Whether the agent behind a socket `answers`; else why not. One that is late while probes are sent is asked again. */
export async function findAgentState(socket: string): Promise<string> {
  const ask = () =>
    askAgent(socket, '/observe', {}, observeMs).then(
      ({ status }) => (status === 200 ? 'answers' : `HTTP ${status}`),
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    )
  const first = await ask()
  return first === 'answers' ? first : ask()
}

/** The entry of a client that asked for this address and port. */
export function parseEntry(
  { original, reply, tcpState, timeoutSeconds, offloaded }: NonNullable<ObserveResponse['connections']>[number],
  asked: { readonly address: Address; readonly port: number },
  clients: readonly Address[],
): Entry[] {
  if (original.destination !== asked.address || original.destinationPort !== asked.port) return []
  if (!clients.includes(original.source)) return []
  return [
    {
      client: { address: original.source, port: original.sourcePort },
      endpoint: { address: reply.source, port: reply.sourcePort },
      seen: reply.destination,
      ...(tcpState === undefined ? {} : { state: tcpState }),
      ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
      ...(offloaded === undefined ? {} : { offloaded }),
    },
  ]
}

/** `10.244.1.5 . 8080` */
function parseTarget(text: string): { address: Address; port: number }[] {
  const [address = '', port = ''] = text.split(' . ')
  const found = findAddress(address)
  return found === undefined ? [] : [{ address: found, port: Number(port) }]
}

async function observe(socketPath: string, body: ObserveRequest): Promise<ObserveResponse> {
  const { status, answer } = await askAgent<ObserveResponse>(socketPath, '/observe', body, observeMs)
  if (status !== 200) throw new Error(answer.error ?? `HTTP ${status}`)
  return answer
}
