import type { Snapshot } from '../cluster/index.ts'
import { type Place, renderPlace } from '../doctor/index.ts'
import { type Answer, destinationOf, withProbe } from '../explain/index.ts'
import { openHost } from '../host/index.ts'
import { followPacket } from '../probes/index.ts'
import type { Cluster } from './read-cluster.ts'
import type { Sight } from './sight.ts'

/** Sends the first packet of the answer's question and follows it, from the sender's node where that is another machine; a text says why none can be sent. */
export async function sendProbe(
  answer: Answer,
  { sight, snapshot }: Pick<Cluster, 'sight' | 'snapshot'>,
): Promise<Answer | string> {
  const from = startOf(answer, sight)
  if (typeof from === 'string') return from
  const blocked = await whyClosed(from, sight)
  if (blocked !== undefined) {
    const node = nodeOf(from, snapshot)
    return node === undefined || sight.probe === undefined ? blocked : sight.probe(node, answer)
  }
  const { transport } = answer.question
  const destination = destinationOf(answer)
  if (destination === undefined) return 'the way ends before there is an address to send to'
  const targets = answer.branches.flatMap(({ endpoint }) =>
    endpoint.pod === undefined ? [] : [podPlace(endpoint.pod)],
  )
  const { to } = answer.question
  const pods = to.kind === 'pod' ? [podPlace(`${to.namespace}/${to.name}`)] : targets
  const nodes = [...snapshot.nodes.keys()].map((name): Place => ({ kind: 'node', name }))
  const followed = await followPacket(
    openHost(),
    { from, ...destination, transport, endpoints: answer.branches.map(({ endpoint }) => endpoint) },
    [...nodes, ...pods],
    sight.open,
  )
  return withProbe(answer, followed)
}

/** Why a place cannot be entered from here. */
async function whyClosed(place: Place, { open }: Sight): Promise<string | undefined> {
  try {
    const namespace = await open(place)
    namespace.close()
    return undefined
  } catch (error) {
    return `${renderPlace(place)} cannot be entered: ${(error as Error).message}`
  }
}

function nodeOf(place: Place, { pods }: Snapshot): string | undefined {
  if (place.kind === 'node') return place.name
  return place.kind === 'pod' ? pods.get(`${place.namespace}/${place.name}`)?.spec.nodeName : undefined
}

/** Where the sender is; an address must be that of the client outside. */
function startOf({ question, steps }: Answer, { outside }: Sight): Place | string {
  const { from } = question
  switch (from.kind) {
    case 'pod': {
      // A workload's name stands for one of its pods, which the first step tells.
      const named = steps.find(({ stage }) => stage === 'source')?.because?.object ?? ''
      return named.startsWith('pod/') ? podPlace(named.slice('pod/'.length)) : 'the pod is not known'
    }
    case 'node':
      return from
    case 'address':
      return outside.includes(from.address)
        ? { kind: 'outside' }
        : `${from.address} is no place that can be entered from here`
    default:
      return 'it has no place to send from'
  }
}

function podPlace(key: string): Place {
  const [namespace = '', name = ''] = key.split('/')
  return { kind: 'pod', namespace, name }
}
