import { type Address, findAddress } from '../addr/index.ts'
import type { WhoAnswer, WhoRequest } from '../agent/index.ts'
import { findPortOwner } from '../egress/index.ts'
import { type AskedAgent, agentsOfLab, agentsOfPods } from './agents.ts'
import { exit, print, say } from './output.ts'
import { type ClusterOptions, openCluster } from './read-cluster.ts'

/** `plumb egress who ADDRESS:PORT`: the pod behind what an outsider saw, now or at a time; exit status 1 when nobody had it. */
export async function runWho(
  text: string,
  options: ClusterOptions & { at?: string; output: 'text' | 'json' },
): Promise<void> {
  const seen = parseSeen(text)
  const atMs = options.at === undefined ? undefined : Date.parse(options.at)
  if (seen === undefined || Number.isNaN(atMs)) {
    say(
      seen === undefined
        ? `plumb: "${text}" is not ADDRESS:PORT, as 203.0.113.7:1053 or [2001:db8::7]:1053`
        : `plumb: --at "${options.at}" is not a time, as 2026-01-31T12:00:00Z`,
    )
    process.exitCode = exit.usage
    return
  }
  const cluster = await openCluster('plumb egress who', options)
  if (cluster === undefined) return
  const { snapshot, lab, client } = cluster
  const owner = findPortOwner(snapshot.egresses.values(), snapshot.nodes.values(), seen.address, seen.port)
  if (owner.kind === 'nobody' && atMs === undefined) {
    client.close()
    say(`plumb: ${owner.says}; --at TIME asks for what was then`)
    process.exitCode = exit.found
    return
  }
  const agents = lab === undefined ? await agentsOfPods(client) : agentsOfLab(lab)
  if (owner.kind === 'nobody') {
    const found = await askJournals(agents, { ...seen, ...(atMs === undefined ? {} : { atMs }) })
    client.close()
    const lines = found.flatMap(({ node, answer }) => render(node, undefined, answer))
    if (options.output === 'json')
      print(
        JSON.stringify(
          found.map(({ node, answer }) => ({ node, ...answer })),
          null,
          2,
        ),
      )
    else for (const line of lines) print(line)
    if (found.length > 0) return
    say(`plumb: ${owner.says}, and no agent remembers that one had it then`)
    process.exitCode = exit.found
    return
  }
  const { node, egress } = owner
  const agent = agents.find((one) => one.node === node)
  const request: WhoRequest = { ...seen, ...(atMs === undefined ? {} : { atMs }) }
  const said = await agent?.ask<WhoAnswer>('/egress/who', request).finally(() => client.close())
  if (said === undefined) {
    client.close()
    say(`plumb: pods of ${node} leave so, by egress/${egress}; it has no agent’s pod that could be asked which`)
    process.exitCode = exit.cannot
    return
  }
  const { answer } = said
  if (answer.error !== undefined) {
    say(`plumb: ${node}: ${answer.error}`)
    process.exitCode = exit.cannot
    return
  }
  if (options.output === 'json') print(JSON.stringify({ node, egress, ...answer }, null, 2))
  else for (const line of render(node, egress, answer)) print(line)
  if (answer.pods.length === 0) process.exitCode = exit.found
}

/** What the agents remember of an address that is nobody’s now: each knows its own pods. */
async function askJournals(
  agents: readonly AskedAgent[],
  request: WhoRequest,
): Promise<readonly { readonly node: string; readonly answer: WhoAnswer }[]> {
  const answers = await Promise.all(
    agents.map(async ({ node, ask }) => {
      const { status, answer } = await ask<WhoAnswer>('/egress/who', request)
      if (status === 200) return { node, answer }
      say(`plumb: ${node} could not be asked: ${answer.error ?? `HTTP ${status}`}`)
      process.exitCode = exit.cannot
      return undefined
    }),
  )
  return answers.filter((one) => one !== undefined && one.answer.pods.length > 0) as {
    node: string
    answer: WhoAnswer
  }[]
}

function parseSeen(text: string): { address: Address; port: number } | undefined {
  const [, bare, bracketed, digits] = /^(?:([\d.]+)|\[([^\]]+)\]):(\d{1,5})$/.exec(text) ?? []
  const address = findAddress(bare ?? bracketed ?? '')
  const port = Number(digits)
  return address === undefined || port < 1 || port > 65535 ? undefined : { address, port }
}

function render(node: string, egress: string | undefined, { pods, connections }: WhoAnswer): string[] {
  const spans = pods.map(({ pod, first, last, fromMs, toMs }) => {
    const until = toMs === undefined ? '' : ` until ${new Date(toMs).toISOString()}`
    const by = egress === undefined ? 'by an Egress that has the address no longer' : `by egress/${egress}`
    return `pod/${pod} on ${node}, ${by}: ports ${first}-${last} since ${new Date(fromMs).toISOString()}${until}`
  })
  const live = connections.map(({ source, destination }) => `  now: ${source} to ${destination}`)
  if (spans.length === 0)
    return [`no pod of ${node} had it then, as far as its agent remembers (egress/${egress})`, ...live]
  const shared = spans.length > 1 ? ['these pods share the ports; set ports.perPod to tell them apart'] : []
  return [...spans, ...shared, ...live]
}
