import { join } from 'node:path'
import { keyOf } from '../cluster/index.ts'
import { askAgent } from '../cni/index.ts'
import {
  type Collected,
  controlPlans,
  explainProbe,
  kernelQuestions,
  type ListeningAt,
  ladder,
  type NodeState,
  type Place,
  type ProbeResult,
  type Stand,
  type Subject,
} from '../doctor/index.ts'
import { type Host, openHost } from '../host/index.ts'
import { findPlaceHere, type Lab } from '../lab/index.ts'
import { lookAtNode, lookAtSockets, type OpenPlace, runControl, runProbes } from '../probes/index.ts'
import { askNodes } from './evidence.ts'
import type { Cluster } from './read-cluster.ts'

/** Sends the ladder's probes and asks nodes and pods what they are like, all at once. Outside a lab nothing is sent. */
export async function collect(cluster: Cluster, subject: Subject, stand: Stand): Promise<Collected> {
  const { snapshot, lab, servicePrefixes } = cluster
  const facts = { clusterDomain: stand.clusterDomain, servicePrefixes }
  const probes = ladder(snapshot, subject, stand)
  if (lab === undefined) {
    const says = 'probes start in a lab’s namespaces, and this API server is no lab’s'
    const results = probes.map(
      (probe): ProbeResult => ({ probe, tries: [{ outcome: { kind: 'unseen', says }, ms: 0, wire: undefined }] }),
    )
    return { snapshot, subject, stand, facts, results, kernel: new Map(), sockets: new Map(), nodes: [], controls: [] }
  }
  const host = openHost()
  const open = placesOf(host, lab)
  const answers = probes.flatMap((probe) => explainProbe({ snapshot, stand, facts }, probe) ?? [])
  const [results, evidence, sockets, nodes, controls] = await Promise.all([
    runProbes(host, probes, open),
    askNodes(lab, kernelQuestions(answers)),
    readSockets(subject, open),
    Promise.all([...snapshot.nodes.keys()].map((node) => readNode(lab, node, open))),
    Promise.all(controlPlans(snapshot, subject, stand.outside).map((plan) => runControl(plan, open))),
  ])
  const kernel = new Map([...evidence].map(([question, found]) => [JSON.stringify(question), found]))
  return { snapshot, subject, stand, facts, results, kernel, sockets, nodes, controls }
}

/** Opens namespaces of a lab from this machine. */
export function placesOf(host: Host, lab: Lab): OpenPlace {
  return async (place) => {
    const target =
      place.kind === 'pod'
        ? ({ kind: 'pod', namespace: place.namespace, pod: place.name } as const)
        : place.kind === 'node'
          ? ({ kind: 'node', node: place.name } as const)
          : place
    return host.openNamespace(await findPlaceHere(lab, target))
  }
}

async function readSockets(subject: Subject, open: OpenPlace): Promise<ReadonlyMap<string, readonly ListeningAt[]>> {
  const pods = subject.backends.flatMap(({ pod }) => (pod === undefined || pod.spec.hostNetwork === true ? [] : [pod]))
  const found = await Promise.all(
    pods.map(async (pod): Promise<readonly [string, readonly ListeningAt[]] | undefined> => {
      const place: Place = { kind: 'pod', namespace: pod.metadata.namespace ?? '', name: pod.metadata.name }
      return lookAtSockets(place, open).then(
        (sockets) => [keyOf(pod), sockets] as const,
        () => undefined,
      )
    }),
  )
  return new Map(found.filter((one) => one !== undefined))
}

const agentTimeoutMs = 3000

async function readNode(lab: Lab, node: string, open: OpenPlace): Promise<NodeState> {
  const socket = join(lab.directory.path, node, 'agent.sock')
  const [state, agent] = await Promise.all([
    lookAtNode(node, open).catch(() => ({
      node,
      forwarding: { 4: undefined, 6: undefined },
      conntrack: undefined,
      foreignTables: [],
    })),
    askAgent(socket, '/observe', {}, agentTimeoutMs).then(
      ({ status }) => (status === 200 ? 'answers' : `HTTP ${status}`),
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    ),
  ])
  return { ...state, agent }
}
