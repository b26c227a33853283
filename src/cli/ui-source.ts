import type { Source } from '../ui/index.ts'
import { openManifests } from './manifest-source.ts'
import type { OpenedSource } from './opened-source.ts'
import { type Cluster, type ClusterOptions, factsOf, openCluster, renewSight } from './read-cluster.ts'
import { agentsFor } from './ui-agents.ts'
import { answer, showIn } from './ui-answers.ts'

/** Manifests where some are named, else the cluster; undefined where that could not be read, which is told. */
export async function openUiSource(
  options: ClusterOptions & { readonly filename: readonly string[] },
): Promise<OpenedSource | undefined> {
  if (options.filename.length > 0) return openManifests(options.filename)
  const cluster = await openCluster('plumb ui', options)
  return cluster === undefined ? undefined : openLive(cluster, options)
}

/** Nodes and agents' pods of a cluster that is no lab are looked for again after so long. */
const sightMs = 60_000

async function openLive(cluster: Cluster, options: ClusterOptions): Promise<OpenedSource> {
  const { followCluster } = await import('./follow-cluster.ts')
  const followed = await followCluster(cluster)
  const { lab, client } = cluster
  let { sight } = cluster
  let seenAt = Date.now()
  const look = async () => {
    if (lab === undefined && Date.now() - seenAt > sightMs) {
      seenAt = Date.now()
      const found = await renewSight(cluster, options)
      if (typeof found !== 'string') sight = found
    }
    return sight
  }
  const source: Source = {
    says: lab === undefined ? `cluster ${client.server}` : `lab ${lab.state.name}`,
    blind: [...followed.blind, ...sight.blind],
    state: async () => followed.state(),
    onChange: followed.onChange,
    why: async (asked) => {
      const now = await look()
      const facts = factsOf({ ...cluster, sight: now })
      return answer(
        followed.state(),
        { facts, assumptions: [], ask: (observations) => now.ask(observations) },
        asked,
        now.outside,
      )
    },
    show: (object) => showIn(followed.state(), object),
    agents: agentsFor(cluster),
  }
  return {
    source,
    close: () => {
      followed.close()
      client.close()
    },
  }
}
