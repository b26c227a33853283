import { type Address, findAddress } from '../addr/index.ts'
import { ApiError, type Client, type Resource } from '../client/index.ts'
import { externalAddresses, nearest } from '../explain/index.ts'
import type { Lab } from '../lab/index.ts'
import type { AddressMove } from '../objects/index.ts'
import { among } from './addresses.ts'
import { agentsOfLab } from './agents.ts'
import { askMove, askSpeakers, linesOf, waitForSpeakers } from './ask-speakers.ts'
import { exit, say } from './output.ts'
import { type Cluster, type ClusterOptions, findCluster, openCluster } from './read-cluster.ts'

/** Longer than the controllers wait until they call a move failed, in milliseconds. */
const patienceMs = 70_000
const againMs = 200

const addressMoves: Resource = {
  group: 'plumb.network',
  version: 'v1alpha1',
  namespaced: false,
  plural: 'addressmoves',
  kind: 'AddressMove',
}

/** What became of a move, for the exit status. */
interface Outcome {
  readonly says: string
  readonly code: number
}

/**
 * `plumb addresses move ADDRESS NODE`, `plumb egress move ADDRESS NODE`: the holder hands it over; returns when the node says that it holds it. In a lab the holder's
 * agent is told; elsewhere an AddressMove asks for it.
 */
export async function runMove(text: string, to: string, options: ClusterOptions): Promise<void> {
  const address = findAddress(text)
  const node = to.replace(/^nodes?\//, '')
  if (address === undefined) return tell({ says: `"${text}" is not an IP address, as 192.0.2.7`, code: exit.usage })
  const { lab } = await findCluster(options)
  if (lab !== undefined) return tell(await moveInLab(lab, address, node))
  const cluster = await openCluster('plumb addresses move', options)
  if (cluster === undefined) return
  try {
    tell(await moveInCluster(cluster, address, node))
  } finally {
    cluster.client.close()
  }
}

function tell({ says, code }: Outcome): void {
  say(code === exit.ok ? says : `plumb: ${says}`)
  process.exitCode = code
}

async function moveInLab(lab: Lab, address: Address, to: string): Promise<Outcome> {
  const names = lab.state.nodes.map(({ name }) => name)
  if (!names.includes(to)) return { says: `there is no node ${to}${nearest(to, names)}`, code: exit.cannot }
  const agents = agentsOfLab(lab)
  const answers = await askSpeakers(agents)
  const lines = linesOf(answers)
  const line = lines.find((one) => one.address === address)
  if (line === undefined) {
    const known = lines.map((one) => ({ address: one.address as Address }))
    return { says: `${address} is no external address${among(known)(address)}`, code: exit.cannot }
  }
  if (line.node === undefined)
    return { says: `no node holds ${address}; plumb addresses tells more`, code: exit.cannot }
  if (line.node === to) return { says: `${to} holds it already`, code: exit.ok }
  const refusal = await askMove(agents, line.node, address, to)
  if (refusal !== undefined) return { says: refusal, code: exit.cannot }
  const isThere = await waitForSpeakers(agents, (all) =>
    linesOf(all).some((one) => one.address === address && one.node === to),
  )
  return isThere
    ? { says: `${to} holds ${address}`, code: exit.ok }
    : { says: `${to} did not take ${address}; may it hold it, and is it heard?`, code: exit.unhealthy }
}

async function moveInCluster({ client, snapshot }: Cluster, address: Address, to: string): Promise<Outcome> {
  const cannot = (says: string): Outcome => ({ says, code: exit.cannot })
  const names = [...snapshot.nodes.keys()].sort()
  if (!names.includes(to)) return cannot(`there is no node ${to}${nearest(to, names)}`)
  const all = externalAddresses(snapshot)
  const one = all.find((other) => other.address === address)
  if (one === undefined) return cannot(`${address} is no external address${among(all)(address)}`)
  if (!one.elected)
    return cannot(`no L2Advertisement announces ${address}, so no single node holds it that could hand it over`)
  const refused = one.candidates.find(({ node }) => node === to)?.refused
  if (refused !== undefined) return cannot(`${to} may not hold ${address}: ${refused}`)
  const holder = one.holders.find(({ stale }) => stale === undefined)
  if (holder === undefined)
    return cannot(`no node says that it holds ${address}; plumb addresses ${address} tells more`)
  if (holder.node === to) return { says: `${to} holds it already`, code: exit.ok }
  const name = await ask(client, address, to)
  return name.startsWith(moveName) ? follow(client, name) : cannot(name)
}

const moveName = 'move-'

/** The name of the AddressMove that was made, or why none could be. */
async function ask(client: Client, address: Address, node: string): Promise<string> {
  const move: AddressMove = {
    apiVersion: 'plumb.network/v1alpha1',
    kind: 'AddressMove',
    metadata: { name: '', generateName: moveName },
    spec: { address, node },
  }
  try {
    return (await client.create(addressMoves, move)).metadata.name
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    if (error.code === 403)
      return `to ask for it needs the right to create addressmoves.plumb.network (${error.message})`
    if (error.code === 404) return 'the cluster has no AddressMoves: install crds/plumb/addressmoves.yaml'
    throw error
  }
}

async function follow(client: Client, name: string): Promise<Outcome> {
  const end = Date.now() + patienceMs
  while (Date.now() < end) {
    const move = await client.find<AddressMove>(addressMoves, undefined, name)
    const said = move?.status?.conditions?.find(({ status }) => status === 'True')
    if (said?.type === 'Complete') return { says: said.message ?? 'moved', code: exit.ok }
    if (said?.type === 'Failed') return { says: said.message ?? 'it failed', code: exit.unhealthy }
    if (move === undefined) return { says: `addressmove/${name} was deleted before its end`, code: exit.cannot }
    await new Promise((resolve) => setTimeout(resolve, againMs))
  }
  const says = `addressmove/${name} has no end yet: do agents and controllers run?`
  return { says, code: exit.unhealthy }
}
