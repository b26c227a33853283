import { findAddress } from '../addr/index.ts'
import { type ExternalAddress, externalAddresses, nearest } from '../explain/index.ts'
import { type AskedAgent, agentsOfLab, agentsOfPods } from './agents.ts'
import { type AddressLine, askSpeakers, linesOf } from './ask-speakers.ts'
import { exit, print, renderTable, say } from './output.ts'
import { type ClusterOptions, findCluster, openCluster } from './read-cluster.ts'

type AddressesOptions = ClusterOptions & { readonly output: 'text' | 'json' }

/**
 * `plumb addresses [ADDRESS]`: who holds what, since when and why; of one address also who else may and why the others may not. In a lab agents and the wire are
 * asked; elsewhere it is what nodes wrote into the cluster's objects, and of one address agents are asked through their pods. Exit status 2 when an address has no holder, or the wire tells another one.
 */
export async function runAddresses(text: string | undefined, options: AddressesOptions): Promise<void> {
  const address = text === undefined ? undefined : findAddress(text)
  if (text !== undefined && address === undefined) {
    say(`plumb addresses: "${text}" is not an IP address, as 192.0.2.7 or 2001:db8::7`)
    process.exitCode = exit.usage
    return
  }
  const { lab } = await findCluster(options)
  if (text === undefined && lab !== undefined) return showLines(await askLines(agentsOfLab(lab)), options.output)
  const cluster = await openCluster('plumb addresses', options)
  if (cluster === undefined) return
  const { client, snapshot } = cluster
  const all = externalAddresses(snapshot)
  if (text === undefined) {
    client.close()
    return showAll(all, options.output)
  }
  const agents = lab === undefined ? await agentsOfPods(client).catch(() => []) : agentsOfLab(lab)
  const lines = await askLines(agents).finally(() => client.close())
  const one = all.find((other) => other.address === address)
  if (one === undefined) {
    say(`plumb addresses: ${text} is no external address${among(all)(text)}`)
    process.exitCode = exit.cannot
    return
  }
  const line = lines.find((other) => other.address === address)
  print(options.output === 'json' ? JSON.stringify({ ...one, live: line }, null, 2) : renderOne(one, line))
  if (isUnheld(one) || (line !== undefined && isUnsound(line))) process.exitCode = exit.unhealthy
}

async function askLines(agents: readonly AskedAgent[]): Promise<readonly AddressLine[]> {
  const answers = await askSpeakers(agents)
  for (const { node, hasKey } of answers)
    if (!hasKey) say(`plumb addresses: ${node} has no key: look at the Secret kube-system/plumb-speaker`)
  return linesOf(answers)
}

/** The nearest of the addresses that there are, as part of a sentence. */
export function among(all: readonly Pick<ExternalAddress, 'address'>[]): (text: string) => string {
  const names = all.map(({ address }) => address)
  return (text) => (names.length === 0 ? '; there is none' : nearest(text, names))
}

function showLines(lines: readonly AddressLine[], output: AddressesOptions['output']): void {
  if (output === 'json') print(JSON.stringify(lines, null, 2))
  else if (lines.length === 0) say('there is no external address; create a Service of type LoadBalancer')
  else print(renderLines(lines))
  if (lines.some(isUnsound)) process.exitCode = exit.unhealthy
}

function showAll(all: readonly ExternalAddress[], output: AddressesOptions['output']): void {
  if (output === 'json') print(JSON.stringify(all, null, 2))
  else if (all.length === 0) say('there is no external address; create a Service of type LoadBalancer')
  else print(renderAll(all))
  if (all.some(isUnheld)) process.exitCode = exit.unhealthy
}

function isUnsound({ node, answeredBy }: AddressLine): boolean {
  return node === undefined || answeredBy.some((one) => one !== node)
}

function isUnheld({ elected, holders }: ExternalAddress): boolean {
  return elected && holders.every(({ stale }) => stale !== undefined)
}

function renderLines(lines: readonly AddressLine[]): string {
  const rows = lines.map((line) => [
    line.address,
    line.use,
    line.for,
    line.node ?? 'nobody',
    line.heldSeconds === undefined ? '' : `${Math.round(line.heldSeconds)}s`,
    announced(line),
    line.answeredBy.join(', ') || 'silent',
    line.why ?? '',
  ])
  return renderTable([['ADDRESS', 'USE', 'FOR', 'NODE', 'SINCE', 'ANNOUNCED', 'ANSWERED BY', 'WHY'], ...rows])
}

function announced({ announcements, lastAnnouncedSeconds }: AddressLine): string {
  return lastAnnouncedSeconds === undefined ? '' : `${announcements}x, ${Math.round(lastAnnouncedSeconds)}s ago`
}

function renderAll(all: readonly ExternalAddress[]): string {
  const rows = all.map(({ address, use, for: objects, elected, holders, candidates, peers }) => {
    const [holder] = holders
    const told = holder === undefined ? '' : `${holder.node}${holder.stale === undefined ? '' : ' (stale)'}`
    const free = candidates.flatMap(({ node, refused }) => (refused === undefined && node !== holder?.node ? node : []))
    return [
      address,
      use,
      objects.join(', '),
      elected ? told || 'nobody' : '-',
      holder?.since ?? '',
      free.join(', ') || '-',
      peers.map(({ node, peers }) => `${node} to ${peers.join(', ')}`).join('; ') || '-',
      holder?.why ?? '',
    ]
  })
  return renderTable([['ADDRESS', 'USE', 'FOR', 'NODE', 'SINCE', 'ALSO MAY', 'BGP', 'WHY'], ...rows])
}

function renderOne(one: ExternalAddress, line: AddressLine | undefined): string {
  const { address, use, for: objects, elected, holders, candidates, peers } = one
  const [first] = holders
  const told = holders.map(({ node, since, why, links, because, stale }) => {
    const words = [
      since === undefined ? '' : ` since ${since}`,
      why === undefined ? '' : `, because ${why}`,
      links.length === 0 ? '' : `, on ${links.join(', ')}`,
    ]
    const worth = stale === undefined ? '' : `; but ${stale}`
    return `  ${stale === undefined ? '✓' : '✗'} ${node}${words.join('')} (${because.object})${worth}`
  })
  const nodes = candidates.map(({ node, refused }, index) => {
    if (refused !== undefined) return `  ✗ ${node}: ${refused}`
    if (node === first?.node && first.stale === undefined) return `  ✓ ${node}: holds it, rank ${index + 1}`
    return `  · ${node}: may hold it, rank ${index + 1}`
  })
  const wire =
    line === undefined
      ? []
      : [
          '',
          'On the wire',
          `  announced ${announced(line) || 'never'}; ${line.answeredBy.join(', ') || 'nobody'} answers`,
        ]
  return [
    `${isUnheld(one) ? '✗' : '✓'} ${address} (${use}) of ${objects.join(', ')}`,
    ...(elected ? ['', 'Held by', ...(told.length === 0 ? ['  nobody says that it does'] : told)] : []),
    ...(elected ? ['', 'Nodes', ...nodes] : ['', 'No L2Advertisement announces it; each node may tell its BGP peers']),
    ...(peers.length === 0 ? [] : ['', 'BGP', ...peers.map((told) => `  ${told.node} to ${told.peers.join(', ')}`)]),
    ...wire,
  ].join('\n')
}
