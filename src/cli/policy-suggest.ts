import { setTimeout as delay } from 'node:timers/promises'
import type { ConnectionsRequest, ConnectionsResponse } from '../agent/index.ts'
import { keyOf } from '../cluster/index.ts'
import { type SeenFlow, suggest } from '../explain/index.ts'
import { Pods } from '../objects/index.ts'
import { type AskedAgent, agentsOfLab, agentsOfPods } from './agents.ts'
import { exit, print, say } from './output.ts'
import { openCluster } from './read-cluster.ts'
import { readKinds } from './read-kinds.ts'

/** Conntrack remembers for a while what has ended: TCP 2 minutes, UDP half a minute, TCP that was reset 10 s. */
const againMs = 5000

/** `plumb policy suggest -n NAMESPACE`: policies for what its pods were seen to do; exit status 1 when something seen would be denied. */
export async function runSuggest(options: {
  name: string
  kubeconfig?: string
  namespace: string
  for: number
}): Promise<void> {
  const cluster = await openCluster('plumb policy suggest', options)
  if (cluster === undefined) return
  const { snapshot, client, lab } = cluster
  const agents = lab === undefined ? await agentsOfPods(client) : agentsOfLab(lab)
  if (agents.length === 0) {
    client.close()
    say('plumb policy suggest: connections are seen by Plumb’s agents, and this cluster has none')
    process.exitCode = exit.cannot
    return
  }
  const until = Date.now() + options.for * 1000
  const seen = new Map<string, SeenFlow>()
  for (;;) {
    for (const flow of await askAll(agents, options.namespace)) seen.set(JSON.stringify(flow), flow)
    const left = until - Date.now()
    if (left <= 0) break
    say(`${seen.size} different flows so far; ${Math.ceil(left / 1000)} s left`)
    await delay(Math.min(left, againMs))
    // Pods that came meanwhile are told by their labels; those that went are still whose flows were seen.
    const pods = await readKinds(client, [{ resource: Pods, optional: false }])
    if (typeof pods !== 'string') for (const pod of pods.get(Pods) ?? []) snapshot.put('pods', keyOf(pod), pod as never)
  }
  client.close()
  const { policies, findings, denied } = suggest(snapshot, options.namespace, [...seen.values()])
  const { stringify } = await import('yaml')
  for (const { object, says, try: remedy } of findings) say(`! ${object}: ${says} (${remedy})`)
  print(policies.map((one) => stringify(one)).join('---\n'))
  for (const { source, destination, protocol, port } of denied)
    say(`! ${source} → ${destination} ${port}/${protocol} was seen, and these policies would deny it`)
  const looked = options.for > 0 ? `in ${options.for} s` : 'of the last seconds; --for SECONDS looks on'
  say(`${policies.length} policies for ${seen.size} different flows (${looked}); what was not seen is denied`)
  if (denied.length > 0) process.exitCode = exit.found
}

async function askAll(agents: readonly AskedAgent[], namespace: string): Promise<readonly SeenFlow[]> {
  const answers = await Promise.all(
    agents.map(async ({ node, ask }) => {
      const body: ConnectionsRequest = { namespace }
      const { status, answer } = await ask<ConnectionsResponse>('/connections', body)
      if (status !== 200) throw new Error(`${node}: ${answer.error ?? `HTTP ${status}`}`)
      return answer.flows
    }),
  )
  return answers.flat()
}
