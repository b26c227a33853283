import { dirname, join } from 'node:path'
import { type Client, connect } from '../client/index.ts'
import { askAgent } from '../cni/index.ts'
import { agentDaemonSet } from '../install/index.ts'
import type { Lab } from '../lab/index.ts'
import { type Pod, Pods } from '../objects/index.ts'
import { exit, say } from './output.ts'
import { type ClusterOptions, findCluster } from './read-cluster.ts'
import { RemoteNode } from './remote-node.ts'

/** An agent that can be asked what its socket answers. */
export interface AskedAgent {
  readonly node: string
  ask<T>(
    path: string,
    body: unknown,
  ): Promise<{ readonly status: number; readonly answer: T & { readonly error?: string } }>
}

const timeoutMs = 5000

/** The agents of a lab of this machine. */
export function agentsOfLab({ state }: Lab): readonly AskedAgent[] {
  return state.nodes.map(({ name: node }) => ({
    node,
    ask: (path, body) => askAgent(join(dirname(state.kubeconfig), node, 'agent.sock'), path, body, timeoutMs),
  }))
}

/** The agents of a cluster, asked through their pods; none where Plumb is not installed. */
export async function agentsOfPods(client: Client): Promise<readonly AskedAgent[]> {
  const { namespace, labels } = agentDaemonSet
  const labelSelector = Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join()
  const { items } = await client.list<Pod>(Pods, { namespace, labelSelector, fieldSelector: 'status.phase=Running' })
  return items.flatMap((pod) => {
    const node = pod.spec.nodeName
    if (node === undefined) return []
    const remote = new RemoteNode(client, node, pod)
    type Answer = { readonly status: number; readonly answer: never }
    return [{ node, ask: (path, body) => remote.ask({ kind: 'agent', path, body, timeoutMs }) as Promise<Answer> }]
  })
}

/** The agents of the lab or the cluster that the options name, and how to let them go; undefined, and said why, where there are none. */
export async function openAgents(
  command: string,
  options: ClusterOptions,
): Promise<{ readonly agents: readonly AskedAgent[]; close(): void } | undefined> {
  const { lab, kubeconfig } = await findCluster(options)
  if (lab !== undefined) return { agents: agentsOfLab(lab), close: () => undefined }
  const fail = (says: string): undefined => {
    say(`${command}: ${says}`)
    process.exitCode = exit.cannot
    return undefined
  }
  if (kubeconfig === undefined)
    return fail(`no lab ${options.name} is running and no --kubeconfig is given; start one with plumb up`)
  const { context } = options
  const client = connect({
    kubeconfig,
    ...(context === undefined ? {} : { context }),
    userAgent: 'plumb',
    timeoutMs: 15_000,
  })
  try {
    const agents = await agentsOfPods(client)
    if (agents.length > 0) return { agents, close: () => client.close() }
    client.close()
    return fail(`no agent of Plumb’s runs in that cluster (pods of ${agentDaemonSet.namespace})`)
  } catch (error) {
    client.close()
    return fail(`agents cannot be found: ${(error as Error).message}`)
  }
}
