import { dirname, join } from 'node:path'
import type { Client } from '../client/index.ts'
import { askAgent } from '../cni/index.ts'
import { agentDaemonSet } from '../install/index.ts'
import type { Lab } from '../lab/index.ts'
import { type Pod, Pods } from '../objects/index.ts'
import { type ClusterOptions, fail, findCluster, openClient } from './read-cluster.ts'
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
  const client = openClient(command, kubeconfig, options)
  if (client === undefined) return undefined
  try {
    const agents = await agentsOfPods(client)
    if (agents.length > 0) return { agents, close: () => client.close() }
    client.close()
    return fail(command, `no agent of Plumb’s runs in that cluster (pods of ${agentDaemonSet.namespace})`)
  } catch (error) {
    client.close()
    return fail(command, `agents cannot be found: ${(error as Error).message}`)
  }
}
