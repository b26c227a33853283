import { setTimeout as delay } from 'node:timers/promises'
import type { DeniedFlow } from '../agent/index.ts'
import { sayPolicies } from '../explain/index.ts'
import { type AskedAgent, openAgents } from './agents.ts'
import { type FlowKind, requests } from './http-flows.ts'
import { exit, print, renderTable, say } from './output.ts'
import type { ClusterOptions } from './read-cluster.ts'

interface FlowsOptions extends ClusterOptions {
  namespace?: string
  /** Exactly one of the two. */
  denied: boolean
  http: boolean
  follow: boolean
  output: 'text' | 'json'
}

/** How often the agents are asked while following. */
const followMs = 500

/** What policies denied, audited or cut. */
export const denials: FlowKind<DeniedFlow> = {
  path: '/flows',
  timeOf: ({ lastSeen }) => lastSeen,
  head: ['SEEN', 'VERDICT', 'POD AND PEER', 'PORT', 'PACKETS', 'POLICIES'],
  row: ({ lastSeen, verdict, direction, pod, peer, protocol, port, policies, packets }) => [
    lastSeen.slice(11, 19),
    verdict,
    direction === 'egress' ? `${pod} → ${sayPeer(peer)}` : `${pod} ← ${sayPeer(peer)}`,
    port === undefined ? protocol : `${port}/${protocol}`,
    String(packets),
    sayPolicies(policies),
  ],
  none: 'no flow was denied, audited or cut of late',
}

/** `plumb flows`: what every node tells of late, the latest last; exit status 3 when a node did not answer. */
export async function runFlows(options: FlowsOptions): Promise<void> {
  const { denied, http } = options
  if (denied === http) {
    say('plumb flows: say which ones, --denied or --http')
    process.exitCode = exit.usage
    return
  }
  const opened = await openAgents('plumb flows', options)
  if (opened === undefined) return
  const { agents, close } = opened
  await (http ? showFlows(agents, requests, options) : showFlows(agents, denials, options)).finally(close)
}

async function showFlows<T>(
  agents: readonly AskedAgent[],
  kind: FlowKind<T>,
  { namespace, follow, output }: FlowsOptions,
): Promise<void> {
  const points = new Map<string, number>()
  const show = (flows: readonly Seen<T>[], head: boolean): void => {
    if (output === 'json') for (const flow of flows) print(JSON.stringify(flow))
    else if (flows.length > 0) print(renderTable([...(head ? [[...kind.head]] : []), ...flows.map(kind.row)]))
  }
  const ask = async (): Promise<readonly Seen<T>[]> => {
    const { flows, unasked } = await askFlows(agents, kind, namespace, points)
    for (const { node, says } of unasked) say(`plumb flows: ${node} could not be asked: ${says}`)
    if (unasked.length > 0) process.exitCode = exit.cannot
    return flows
  }
  const first = await ask()
  show(first, true)
  if (follow) {
    for (;;) {
      await delay(followMs)
      show(await ask(), false)
    }
  }
  if (first.length === 0 && output === 'text') say(kind.none)
}

export type Seen<T> = T & { readonly node: string }

/** Flows in their order, and the nodes that did not answer. */
export interface AskedFlows<T> {
  readonly flows: readonly Seen<T>[]
  readonly unasked: readonly { readonly node: string; readonly says: string }[]
}

/** Asks each node for what came after the point up to which it was asked before. */
export async function askFlows<T>(
  agents: readonly AskedAgent[],
  kind: FlowKind<T>,
  namespace: string | undefined,
  points: Map<string, number>,
): Promise<AskedFlows<T>> {
  const unasked: { node: string; says: string }[] = []
  const answers = await Promise.all(
    agents.map(async ({ node, ask }): Promise<readonly Seen<T>[]> => {
      const body = { after: points.get(node) ?? 0, ...(namespace === undefined ? {} : { namespace }) }
      try {
        const { status, answer } = await ask<Answer<T>>(kind.path, body)
        if (status !== 200) throw new Error(answer.error ?? `HTTP ${status}`)
        // An agent that started anew counts from the beginning.
        points.set(node, answer.next)
        return answer.flows.map((flow) => ({ ...flow, node }))
      } catch (error) {
        unasked.push({ node, says: (error as Error).message })
        points.set(node, 0)
        return []
      }
    }),
  )
  return { flows: answers.flat().sort((a, b) => (kind.timeOf(a) < kind.timeOf(b) ? -1 : 1)), unasked }
}

interface Answer<T> {
  readonly flows: readonly T[]
  readonly next: number
}

function sayPeer({ address, pod, node }: DeniedFlow['peer']): string {
  return pod ?? (node === undefined ? address : `node/${node}`)
}
