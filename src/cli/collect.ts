import { type Address, familyOf } from '../addr/index.ts'
import { internalAddresses, keyOf, type Snapshot } from '../cluster/index.ts'
import {
  type AskedOf,
  type Collected,
  controlPlans,
  explainProbe,
  kernelQuestions,
  type ListeningAt,
  ladder,
  mergeCollected,
  type NodeState,
  type Place,
  type Probe,
  renderPlace,
  type Stand,
  type Subject,
} from '../doctor/index.ts'
import type { Answer, ClusterFacts } from '../explain/index.ts'
import { openHost } from '../host/index.ts'
import type { Pod } from '../objects/index.ts'
import { type Counts, readCounts, risesOf, runControl, runProbes } from '../probes/index.ts'
import { askOwners } from './ask-owners.ts'
import { lookAtConnections } from './look-at-connections.ts'
import { readBgp } from './read-bgp.ts'
import { type Cluster, factsOf } from './read-cluster.ts'
import type { Sight } from './sight.ts'

/** A cluster as one machine sees it. */
interface Seen {
  readonly snapshot: Snapshot
  readonly facts: ClusterFacts
  readonly sight: Sight
}

/** Everything about the subject, from here and from where agents' pods are asked, all at once. */
export async function collect(cluster: Cluster, subject: Subject, stand: Stand): Promise<Collected> {
  const { snapshot, sight } = cluster
  const facts = factsOf(cluster)
  const empty = { snapshot, facts, subject, stand, results: [], kernel: new Map(), sockets: new Map(), nodes: [] }
  const [own, elsewhere, bgp] = await Promise.all([
    collectHere({ snapshot, facts, sight: sight.here ?? sight }, subject, stand),
    sight.elsewhere?.({ ...empty, controls: [] }),
    readBgp(cluster, subject),
  ])
  const { collected = [], agents, unasked = [] } = elsewhere ?? {}
  return {
    ...mergeCollected(own, collected),
    ...(agents === undefined ? {} : { agents }),
    ...(unasked.length === 0 ? {} : { unasked }),
    ...(bgp === undefined ? {} : { bgp }),
  }
}

/** Sends the ladder's probes and asks nodes and pods what they are like, all at once, as far as they can be entered from here. */
export async function collectHere(
  { snapshot, facts, sight }: Seen,
  subject: Subject,
  stand: Stand,
): Promise<Collected> {
  const host = openHost()
  const probes = ladder(snapshot, subject, stand)
  const answers = probes.flatMap((probe) => {
    const answer = explainProbe({ snapshot, stand, facts }, probe)
    return answer === undefined ? [] : [{ probe, answer }]
  })
  const nodes = [...snapshot.nodes.keys()]
  const places = countedPlaces(nodes, subject)
  const before = await countAll(sight, places)
  const [results, evidence, sockets, states, controls, owners] = await Promise.all([
    runProbes(host, probes, sight.open),
    sight.ask(kernelQuestions(answers.map(({ answer }) => answer))),
    readSockets(subject, sight),
    sight.lookAt(
      nodes,
      subject,
      answers.flatMap((one) => packetsOf(snapshot, stand, one)),
    ),
    Promise.all(controlPlans(snapshot, subject, stand.outside).map((plan) => runControl(plan, sight.open))),
    askOwners(snapshot, subject, sight),
  ])
  const after = await countAll(sight, places)
  const rises = [...after].flatMap(([id, counts]) => risesOf(id, before.get(id) ?? {}, counts))
  const kernel = new Map([...evidence].map(([question, found]) => [JSON.stringify(question), found]))
  return {
    snapshot,
    subject,
    stand,
    facts,
    results,
    kernel,
    sockets,
    nodes: await Promise.all(states.map((one) => withConnections(one, { snapshot, sight }, subject))),
    controls,
    owners,
    rises,
  }
}

/** The packets of a probe as the nodes of its way see them: to the address that it asks, and to the endpoints behind that. */
function packetsOf(
  snapshot: Snapshot,
  { outside }: Stand,
  { probe, answer }: { readonly probe: Probe; readonly answer: Answer },
): readonly AskedOf[] {
  const { from, address, port, transport } = probe
  const own = (node: string): readonly Address[] => internalAddresses(snapshot.nodes.get(node))
  const pod = from.kind === 'pod' ? snapshot.pods.get(`${from.namespace}/${from.name}`) : undefined
  const clients =
    from.kind === 'outside'
      ? outside
      : from.kind === 'node'
        ? own(from.name)
        : (pod?.status?.podIPs ?? []).map(({ ip }) => ip as Address)
  // Strangers are masqueraded behind the node on which they come in.
  const entry = from.kind === 'outside' ? own(probe.target?.replace(/^node\//, '') ?? '') : []
  const place = renderPlace(from)
  const sent = clients.map((client) => ({ from: place, client, address, port, transport }))
  const led = answer.branches.flatMap(({ endpoint }) =>
    [...clients, ...entry].map((client) => ({
      from: place,
      client,
      address: endpoint.address,
      port: endpoint.port,
      transport,
    })),
  )
  return [...sent, ...led].filter((one) => familyOf(one.client) === familyOf(one.address))
}

/** The nodes, and the pods behind the subject that have a network of their own. */
function countedPlaces(nodes: readonly string[], { backends }: Subject): readonly Place[] {
  const pods = backends.flatMap(({ pod }) => (pod === undefined || pod.spec.hostNetwork === true ? [] : [pod]))
  return [
    ...nodes.map((name): Place => ({ kind: 'node', name })),
    ...[...new Map(pods.map((pod) => [keyOf(pod), placeOf(pod)])).values()],
  ]
}

/** What kernels have counted; nothing of places that cannot be entered. */
async function countAll(sight: Sight, places: readonly Place[]): Promise<ReadonlyMap<string, Counts>> {
  const found = await Promise.all(
    places.map(async (place): Promise<readonly [string, Counts] | undefined> => {
      try {
        const namespace = await sight.open(place)
        const counts = readCounts(namespace)
        namespace.close()
        return [renderPlace(place), counts]
      } catch {
        return undefined
      }
    }),
  )
  return new Map(found.filter((one) => one !== undefined))
}

/** With what its connections lead to: read when probes are over, for a large table takes a while. */
async function withConnections(
  state: NodeState,
  { snapshot, sight }: Pick<Seen, 'snapshot' | 'sight'>,
  subject: Subject,
): Promise<NodeState> {
  try {
    const namespace = await sight.open({ kind: 'node', name: state.node })
    try {
      return { ...state, ...lookAtConnections(snapshot, subject, namespace) }
    } finally {
      namespace.close()
    }
  } catch {
    return state
  }
}

async function readSockets(subject: Subject, sight: Sight): Promise<ReadonlyMap<string, readonly ListeningAt[]>> {
  const pods = subject.backends.flatMap(({ pod }) => (pod === undefined || pod.spec.hostNetwork === true ? [] : [pod]))
  const found = await Promise.all(
    pods.map(async (pod): Promise<readonly [string, readonly ListeningAt[]] | undefined> => {
      const place = placeOf(pod)
      return sight.sockets(place.namespace, place.name).then(
        (sockets) => [keyOf(pod), sockets] as const,
        () => undefined,
      )
    }),
  )
  return new Map(found.filter((one) => one !== undefined))
}

function placeOf({ metadata }: Pod): Extract<Place, { kind: 'pod' }> {
  return { kind: 'pod', namespace: metadata.namespace ?? '', name: metadata.name }
}
