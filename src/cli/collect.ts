import { type Address, familyOf } from '../addr/index.ts'
import { internalAddresses, keyOf } from '../cluster/index.ts'
import {
  type AskedOf,
  type Collected,
  controlPlans,
  explainProbe,
  kernelQuestions,
  type ListeningAt,
  ladder,
  type NodeState,
  type Place,
  type Probe,
  renderPlace,
  type Stand,
  type Subject,
} from '../doctor/index.ts'
import type { Answer } from '../explain/index.ts'
import { openHost } from '../host/index.ts'
import { countReversePathDrops, runControl, runProbes } from '../probes/index.ts'
import { askOwners } from './ask-owners.ts'
import { type Cluster, factsOf } from './read-cluster.ts'
import type { Sight } from './sight.ts'

/** Sends the ladder's probes and asks nodes and pods what they are like, all at once, as far as they can be entered from here. */
export async function collect(cluster: Cluster, subject: Subject, stand: Stand): Promise<Collected> {
  const { snapshot, sight } = cluster
  const facts = factsOf(cluster)
  const host = openHost()
  const probes = ladder(snapshot, subject, stand)
  const answers = probes.flatMap((probe) => {
    const answer = explainProbe({ snapshot, stand, facts }, probe)
    return answer === undefined ? [] : [{ probe, answer }]
  })
  const nodes = [...snapshot.nodes.keys()]
  const before = await countDrops(sight, nodes)
  const [results, evidence, sockets, states, controls, owners] = await Promise.all([
    runProbes(host, probes, sight.open),
    sight.ask(kernelQuestions(answers.map(({ answer }) => answer))),
    readSockets(subject, sight),
    sight.lookAt(
      nodes,
      subject,
      answers.flatMap((one) => packetsOf(cluster, stand, one)),
    ),
    Promise.all(controlPlans(snapshot, subject, stand.outside).map((plan) => runControl(plan, sight.open))),
    askOwners(snapshot, subject, sight),
  ])
  const after = await countDrops(sight, nodes)
  const kernel = new Map([...evidence].map(([question, found]) => [JSON.stringify(question), found]))
  const counted = states.map((one): NodeState => {
    const drops = (after.get(one.node) ?? 0) - (before.get(one.node) ?? 0)
    return drops > 0 ? { ...one, reversePathDrops: drops } : one
  })
  return { snapshot, subject, stand, facts, results, kernel, sockets, nodes: counted, controls, owners }
}

/** The packets of a probe as the nodes of its way see them: to the address that it asks, and to the endpoints behind that. */
function packetsOf(
  { snapshot }: Cluster,
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

async function countDrops(sight: Sight, nodes: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const found = await Promise.all(
    nodes.map(async (name): Promise<readonly [string, number] | undefined> => {
      try {
        const namespace = await sight.open({ kind: 'node', name })
        const count = countReversePathDrops(namespace)
        namespace.close()
        return count === undefined ? undefined : [name, count]
      } catch {
        return undefined
      }
    }),
  )
  return new Map(found.filter((one) => one !== undefined))
}

async function readSockets(subject: Subject, sight: Sight): Promise<ReadonlyMap<string, readonly ListeningAt[]>> {
  const pods = subject.backends.flatMap(({ pod }) => (pod === undefined || pod.spec.hostNetwork === true ? [] : [pod]))
  const found = await Promise.all(
    pods.map(async (pod): Promise<readonly [string, readonly ListeningAt[]] | undefined> => {
      const place: Extract<Place, { kind: 'pod' }> = {
        kind: 'pod',
        namespace: pod.metadata.namespace ?? '',
        name: pod.metadata.name,
      }
      return sight.sockets(place.namespace, place.name).then(
        (sockets) => [keyOf(pod), sockets] as const,
        () => undefined,
      )
    }),
  )
  return new Map(found.filter((one) => one !== undefined))
}
