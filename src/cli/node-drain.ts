import { ApiError } from '../client/index.ts'
import { drainAnnotation } from '../cluster/index.ts'
import { type ExternalAddress, externalAddresses, nearest } from '../explain/index.ts'
import { Nodes } from '../objects/index.ts'
import { agentsOfLab } from './agents.ts'
import { waitForSpeakers } from './ask-speakers.ts'
import { exit, say } from './output.ts'
import { type Cluster, type ClusterOptions, findCluster, openCluster } from './read-cluster.ts'

const patienceMs = 15_000
const againMs = 300

/**
 * `plumb node drain NODE`: the node hands its external addresses over, and takes none; returns when it holds none. `undo` lets it take some again. Cordoning a node
 * (`kubectl cordon`) moves no address, as with upstream's load balancers; the label `node.kubernetes.io/exclude-from-external-load-balancers` does.
 */
export async function runDrain(name: string, options: ClusterOptions & { readonly undo: boolean }): Promise<void> {
  const node = name.replace(/^nodes?\//, '')
  const { lab } = await findCluster(options)
  const cluster = await openCluster('plumb node drain', options)
  if (cluster === undefined) return
  try {
    if (!(await annotate(cluster, node, options.undo))) return
    if (options.undo) return say(`${node} may take external addresses again`)
    const left =
      lab === undefined
        ? await waitForObjects(options, node)
        : (await waitForSpeakers(agentsOfLab(lab), (all) =>
              all.every((one) => one.node !== node || one.held.length === 0),
            ))
          ? []
          : ['addresses']
    if (left.length === 0) return say(`${node} holds no external address`)
    say(`plumb: ${node} still holds ${left.join(', ')}; is there a node for ${left.length === 1 ? 'it' : 'them'}?`)
    process.exitCode = exit.unhealthy
  } finally {
    cluster.client.close()
  }
}

/** False, and said why, when the Node cannot be told. */
async function annotate({ client, snapshot }: Cluster, node: string, undo: boolean): Promise<boolean> {
  const names = [...snapshot.nodes.keys()].sort()
  try {
    if (!names.includes(node)) throw new Error(`there is no node ${node}${nearest(node, names)}`)
    const annotations = { [drainAnnotation]: undo ? null : 'true' }
    await client.patch(Nodes, undefined, node, 'merge', { metadata: { annotations } })
    return true
  } catch (error) {
    const isDenied = error instanceof ApiError && error.code === 403
    say(`plumb: ${isDenied ? `it needs the right to patch nodes (${error.message})` : (error as Error).message}`)
    process.exitCode = exit.cannot
    return false
  }
}

/** The addresses that the node still says it holds when it has had its time. */
async function waitForObjects(options: ClusterOptions, node: string): Promise<readonly string[]> {
  const end = Date.now() + patienceMs
  for (;;) {
    const cluster = await openCluster('plumb node drain', options)
    cluster?.client.close()
    const held = cluster === undefined ? [] : externalAddresses(cluster.snapshot).filter((one) => isHeldBy(one, node))
    if (held.length === 0 || Date.now() > end) return held.map(({ address }) => address)
    await new Promise((resolve) => setTimeout(resolve, againMs))
  }
}

function isHeldBy({ holders }: ExternalAddress, node: string): boolean {
  return holders.some((one) => one.node === node && one.stale === undefined)
}
