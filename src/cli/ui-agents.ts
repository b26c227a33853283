import { agentDaemonSet } from '../install/index.ts'
import type { Agents } from '../ui/index.ts'
import { type AskedAgent, agentsOfLab, agentsOfPods } from './agents.ts'
import { askSpeakers, linesOf } from './ask-speakers.ts'
import { askFlows, denials } from './flows.ts'
import { type FlowKind, requests } from './http-flows.ts'
import type { Cluster } from './read-cluster.ts'

/** Agents' pods come and go; they are looked for again after so long. */
const foundMs = 30_000

/** The agents of a cluster, as the page asks them. */
export function agentsFor({ lab, client }: Cluster): Agents {
  let known: Promise<readonly AskedAgent[]> | undefined
  let foundAt = 0
  const find = (): Promise<readonly AskedAgent[]> => {
    if (lab !== undefined) return Promise.resolve(agentsOfLab(lab))
    if (known === undefined || Date.now() - foundAt > foundMs) {
      foundAt = Date.now()
      known = agentsOfPods(client)
    }
    return known
  }
  return {
    addresses: async () => {
      const agents = await find()
      const unasked = [...nobody(agents)]
      const lines = linesOf(await askSpeakers(agents, (node, says) => unasked.push({ node, says })))
      return { lines, unasked }
    },
    flows: {
      denied: { head: denials.head, none: denials.none },
      http: { head: requests.head, none: requests.none },
    },
    askFlows: async (kind, points) => {
      const agents = await find()
      return kind === 'denied'
        ? seen(agents, denials, points, () => true)
        : seen(agents, requests, points, ({ by }) => by !== 'nobody')
    },
  }
}

async function seen<T>(
  agents: readonly AskedAgent[],
  kind: FlowKind<T>,
  points: Map<string, number>,
  isBad: (flow: T) => boolean,
) {
  const { flows, unasked } = await askFlows(agents, kind, undefined, points)
  return {
    unasked: [...nobody(agents), ...unasked],
    rows: flows.map((flow) => ({ node: flow.node, cells: kind.row(flow), bad: isBad(flow) })),
  }
}

/** Where there is no agent, silence says nothing. */
function nobody(agents: readonly AskedAgent[]): readonly { readonly node: string; readonly says: string }[] {
  if (agents.length > 0) return []
  return [{ node: 'the cluster', says: `no agent of Plumb’s runs there (pods of ${agentDaemonSet.namespace})` }]
}
