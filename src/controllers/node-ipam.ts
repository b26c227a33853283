import { type Family, findPrefix, type Prefix, prefixFamily } from '../addr/index.ts'
import { type Node, Nodes } from '../objects/index.ts'
import type { Context } from './context.ts'
import { BlockPool } from './node-cidrs.ts'

const component = 'cidrAllocator'

/** Gives every Node its podCIDRs, one block per cluster prefix. Does nothing without cluster prefixes. */
export function nodeIpamController(context: Context): void {
  const { clusterPrefixes = [], nodeCIDRMaskSizeIPv4 = 24, nodeCIDRMaskSizeIPv6 = 64 } = context.options
  if (clusterPrefixes.length === 0) return
  const length = (family: Family) => (family === 4 ? nodeCIDRMaskSizeIPv4 : nodeCIDRMaskSizeIPv6)
  const pools = clusterPrefixes.map((prefix) => new BlockPool(prefix, length(prefixFamily(prefix))))
  const nodes = context.informer<Node>(Nodes)
  const queue = context.queue({
    name: 'node-ipam',
    // One at a time, and only after every known node has marked its blocks.
    workers: 1,
    async work(name) {
      const node = nodes.get(name)
      if (node === undefined || node.metadata.deletionTimestamp !== undefined || prefixesOf(node).length > 0) return
      await assign(context, node, pools)
    },
  })
  context.onClose(
    nodes.onChange((old, current, name) => {
      const before = old === undefined ? [] : prefixesOf(old)
      const after = current === undefined ? [] : prefixesOf(current)
      // Release first: an object replaced under its name may keep its block.
      for (const prefix of before) if (!after.includes(prefix)) for (const pool of pools) pool.release(prefix)
      for (const prefix of after) for (const pool of pools) pool.occupy(prefix)
      // A released block may be what another node is waiting for.
      if (current === undefined)
        for (const other of nodes.values()) if (prefixesOf(other).length === 0) queue.add(other.metadata.name)
      if (current !== undefined && after.length === 0) queue.add(name)
    }),
  )
}

async function assign(context: Context, node: Node, pools: readonly BlockPool[]): Promise<void> {
  const { name, uid } = node.metadata
  const taken: { pool: BlockPool; prefix: Prefix }[] = []
  const release = () => {
    for (const { pool, prefix } of taken) pool.release(prefix)
  }
  for (const pool of pools) {
    const prefix = pool.take()
    if (prefix === undefined) {
      release()
      const message = `Node ${name} status is now: CIDRNotAvailable`
      context.events.record(node, 'Normal', 'CIDRNotAvailable', message, component)
      throw new Error(`no free /${pool.blockLength} in ${pool.cluster}; add a cluster prefix or remove nodes`)
    }
    taken.push({ pool, prefix })
  }
  const podCIDRs = taken.map(({ prefix }) => prefix)
  try {
    await context.client.patch(Nodes, undefined, name, 'merge', {
      metadata: { uid, resourceVersion: node.metadata.resourceVersion },
      spec: { podCIDR: podCIDRs[0], podCIDRs },
    })
  } catch (error) {
    // A refusal means that nothing was stored. After a broken connection nobody knows; a block that leaks until the next
    // start is better than one that two nodes use.
    if ((error as { status?: unknown }).status !== undefined) release()
    throw error
  }
}

function prefixesOf({ spec }: Node): Prefix[] {
  const texts = spec?.podCIDRs ?? (spec?.podCIDR ? [spec.podCIDR] : [])
  return texts.flatMap((text) => findPrefix(text, true) ?? [])
}
