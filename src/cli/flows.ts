import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { DeniedFlow, FlowsRequest, FlowsResponse } from '../agent/index.ts'
import { askAgent } from '../cni/index.ts'
import type { Lab } from '../lab/index.ts'
import { exit, print, renderTable, say } from './output.ts'

interface FlowsOptions {
  name: string
  namespace?: string
  follow: boolean
  output: 'text' | 'json'
}

/** How often the agents are asked while following. */
const followMs = 500

/** `plumb flows --denied`: what policies denied or audited on every node of a lab, the latest last; exit status 3 when a node did not answer. */
export async function runFlows({ name, namespace, follow, output }: FlowsOptions): Promise<void> {
  const { findLab } = await import('../lab/index.ts')
  const lab = await findLab(name)
  if (lab === undefined) {
    say(`plumb flows: no lab ${name} is running; start one with plumb up`)
    process.exitCode = exit.cannot
    return
  }
  const points = new Map<string, number>()
  const show = output === 'json' ? printLines : printTable
  const first = await askAll(lab, namespace, points)
  show(first, true)
  if (follow) {
    for (;;) {
      await delay(followMs)
      const more = await askAll(lab, namespace, points)
      if (more.length > 0) show(more, false)
    }
  }
  if (first.length === 0 && output === 'text') say('no flow was denied or audited of late')
}

type Seen = DeniedFlow & { readonly node: string }

/** Asks each node for what came after the point up to which it was asked before. */
async function askAll(lab: Lab, namespace: string | undefined, points: Map<string, number>): Promise<readonly Seen[]> {
  const answers = await Promise.all(
    lab.state.nodes.map(async ({ name: node }): Promise<readonly Seen[]> => {
      const socket = join(dirname(lab.state.kubeconfig), node, 'agent.sock')
      const body: FlowsRequest = { after: points.get(node) ?? 0, ...(namespace === undefined ? {} : { namespace }) }
      try {
        const { status, answer } = await askAgent<FlowsResponse>(socket, '/flows', body, 5000)
        if (status !== 200) throw new Error(answer.error ?? `HTTP ${status}`)
        // An agent that started anew counts from the beginning.
        points.set(node, answer.next)
        return answer.flows.map((flow) => ({ ...flow, node }))
      } catch (error) {
        say(`plumb flows: ${node} could not be asked: ${(error as Error).message}`)
        points.set(node, 0)
        process.exitCode = exit.cannot
        return []
      }
    }),
  )
  return answers.flat().sort((a, b) => (a.lastSeen < b.lastSeen ? -1 : 1))
}

function printLines(flows: readonly Seen[]): void {
  for (const flow of flows) print(JSON.stringify(flow))
}

function printTable(flows: readonly Seen[], head: boolean): void {
  const rows = flows.map(({ lastSeen, verdict, direction, pod, peer, protocol, port, policies, packets }) => [
    lastSeen.slice(11, 19),
    verdict,
    direction === 'egress' ? `${pod} → ${sayPeer(peer)}` : `${pod} ← ${sayPeer(peer)}`,
    port === undefined ? protocol : `${port}/${protocol}`,
    String(packets),
    policies.join(' '),
  ])
  if (rows.length === 0) return
  print(renderTable(head ? [['SEEN', 'VERDICT', 'POD AND PEER', 'PORT', 'PACKETS', 'POLICIES'], ...rows] : rows))
}

function sayPeer({ address, pod, node }: DeniedFlow['peer']): string {
  return pod ?? (node === undefined ? address : `node/${node}`)
}
