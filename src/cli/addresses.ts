import { dirname, join } from 'node:path'
import { askAgent } from '../cni/index.ts'
import type { Lab } from '../lab/index.ts'
import type { SpeakerAnswer } from '../speaker/index.ts'
import { exit, print, renderTable, say } from './output.ts'

const timeoutMs = 5000

/** One line of `plumb addresses`. */
interface AddressLine {
  readonly address: string
  readonly use: string
  readonly for: string
  /** The node that holds it, by its own word. */
  readonly node: string | undefined
  readonly why: string | undefined
  readonly heldSeconds: number | undefined
  readonly announcements: number | undefined
  readonly lastAnnouncedSeconds: number | undefined
  /** Whom the other nodes' links see answer; a MAC address that no node has is somebody else's. */
  readonly answeredBy: readonly string[]
}

/** `plumb addresses`: who holds what, since when and why, and who answers on the wire; exit status 2 when one is silent or answered twice. */
export async function runAddresses(options: { name: string; output: 'text' | 'json' }): Promise<void> {
  const answers = await askAll(options.name)
  if (answers === undefined) return
  const lines = linesOf(answers)
  if (options.output === 'json') print(JSON.stringify(lines, null, 2))
  else if (lines.length === 0) say('there is no external address; create a Service of type LoadBalancer')
  else print(renderLines(lines))
  for (const { node, hasKey } of answers)
    if (!hasKey) say(`plumb addresses: ${node} has no key: look at the Secret kube-system/plumb-speaker`)
  if (lines.some(({ node, answeredBy }) => node === undefined || answeredBy.some((one) => one !== node)))
    process.exitCode = exit.unhealthy
}

/** Who holds each external address of a lab, and when it was last announced, in words. */
export async function holdersOf(name: string): Promise<ReadonlyMap<string, string>> {
  const lines = linesOf((await askAll(name)) ?? [])
  return new Map(
    lines.map(({ address, node, lastAnnouncedSeconds }) => {
      const told = lastAnnouncedSeconds === undefined ? '' : `, announced ${Math.round(lastAnnouncedSeconds)} s ago`
      return [address, node === undefined ? 'held by nobody' : `held by ${node}${told}`]
    }),
  )
}

/** `plumb addresses move ADDRESS NODE`: the holder hands it over; returns when the node says that it holds it. */
export async function runMove(address: string, to: string, options: { name: string }): Promise<void> {
  const lab = await openLab(options.name)
  if (lab === undefined) return
  const target = to.replace(/^nodes?\//, '')
  const owner = (await askAll(options.name))?.find(({ held }) => held.some((one) => one.address === address))
  if (owner === undefined || owner.node === target) {
    say(
      owner === undefined
        ? `plumb: no node holds ${address}; plumb addresses tells more`
        : `${target} holds it already`,
    )
    process.exitCode = owner === undefined ? exit.cannot : exit.ok
    return
  }
  const { answer } = await askAgent(socketOf(lab, owner.node), '/addresses/move', { address, to: target }, timeoutMs)
  if (answer.error !== undefined) {
    say(`plumb: ${answer.error}`)
    process.exitCode = exit.cannot
    return
  }
  const isThere = await waitFor(options.name, (answers) =>
    answers.some(({ node, held }) => node === target && held.some((one) => one.address === address)),
  )
  say(
    isThere
      ? `${target} holds ${address}`
      : `plumb: ${target} did not take ${address}; may it hold it, and is it heard?`,
  )
  if (!isThere) process.exitCode = exit.unhealthy
}

interface DrainOptions {
  readonly name: string
  readonly undo: boolean
  readonly kubeconfig?: string
  readonly context?: string
}

/**
 * `plumb node drain NODE`: the node hands its external addresses over; in a lab it returns when the node holds none. `undo` lets it take some again. A cluster is
 * told by an annotation, and its agents are not asked.
 */
export async function runDrain(name: string, options: DrainOptions): Promise<void> {
  const isCluster = options.kubeconfig !== undefined || options.context !== undefined
  const lab = isCluster ? undefined : await openLab(options.name)
  if (!isCluster && lab === undefined) return
  const node = name.replace(/^nodes?\//, '')
  await annotateDrain(node, { ...options, ...(lab === undefined ? {} : { kubeconfig: lab.state.kubeconfig }) })
  if (options.undo || lab === undefined) {
    const hands = `${node} hands its external addresses over; events nodeAssigned on their Services tell who has them`
    say(options.undo ? `${node} may take external addresses again` : hands)
    return
  }
  const isEmpty = await waitFor(options.name, (answers) =>
    answers.every((one) => one.node !== node || one.held.length === 0),
  )
  say(isEmpty ? `${node} holds no external address` : `plumb: ${node} still holds addresses; is there a node for them?`)
  if (!isEmpty) process.exitCode = exit.unhealthy
}

async function annotateDrain(node: string, { context, undo, ...options }: DrainOptions): Promise<void> {
  const { connect } = await import('../client/index.ts')
  const { usualKubeconfig } = await import('./read-cluster.ts')
  const kubeconfig = options.kubeconfig ?? usualKubeconfig()
  if (kubeconfig === undefined) throw new Error('say which cluster: --kubeconfig FILE')
  const { Nodes } = await import('../objects/index.ts')
  const client = connect({ kubeconfig, ...(context === undefined ? {} : { context }), userAgent: 'plumb-node-drain' })
  try {
    const value = undo ? null : 'true'
    await client.patch(Nodes, undefined, node, 'merge', { metadata: { annotations: { 'plumb.network/drain': value } } })
  } finally {
    client.close()
  }
}

async function waitFor(name: string, ready: (answers: readonly SpeakerAnswer[]) => boolean): Promise<boolean> {
  const end = Date.now() + 2 * timeoutMs
  while (Date.now() < end) if (ready((await askAll(name)) ?? [])) return true
  return false
}

async function openLab(name: string): Promise<Lab | undefined> {
  const { findLab } = await import('../lab/index.ts')
  const lab = await findLab(name)
  if (lab !== undefined) return lab
  say(`plumb: no lab ${name} is running; start it with plumb up`)
  process.exitCode = exit.cannot
  return undefined
}

async function askAll(name: string): Promise<readonly SpeakerAnswer[] | undefined> {
  const lab = await openLab(name)
  if (lab === undefined) return undefined
  const answers = await Promise.all(
    lab.state.nodes.map(async ({ name: node }): Promise<SpeakerAnswer[]> => {
      try {
        const { status, answer } = await askAgent<SpeakerAnswer>(socketOf(lab, node), '/addresses', {}, timeoutMs)
        if (status !== 200) throw new Error(answer.error ?? `HTTP ${status}`)
        return [answer]
      } catch (error) {
        say(`plumb addresses: ${node} could not be asked: ${(error as Error).message}`)
        process.exitCode = exit.cannot
        return []
      }
    }),
  )
  return answers.flat()
}

function socketOf(lab: Lab, node: string): string {
  return join(dirname(lab.state.kubeconfig), node, 'agent.sock')
}

function linesOf(answers: readonly SpeakerAnswer[]): AddressLine[] {
  const nodeOfMac = new Map(answers.flatMap(({ node, links }) => links.map(({ mac }) => [mac, node] as const)))
  const known = new Map(answers.flatMap(({ addresses }) => addresses.map((one) => [one.address, one] as const)))
  return [...known.values()].map(({ address, use, because }) => {
    const holder = answers.find(({ held }) => held.some((one) => one.address === address))
    const held = holder?.held.find((one) => one.address === address)
    const macs = answers.flatMap(({ seen }) => seen[address] ?? [])
    return {
      address,
      use,
      for: because,
      node: holder?.node,
      why: held?.why,
      heldSeconds: held && held.heldMs / 1000,
      announcements: held?.announcements,
      lastAnnouncedSeconds: held && held.lastAnnouncedMs / 1000,
      answeredBy: [...new Set(macs.map((mac) => nodeOfMac.get(mac) ?? mac))],
    }
  })
}

function renderLines(lines: readonly AddressLine[]): string {
  const rows = lines.map((line) => [
    line.address,
    line.use,
    line.for,
    line.node ?? 'nobody',
    line.heldSeconds === undefined ? '' : `${Math.round(line.heldSeconds)}s`,
    line.lastAnnouncedSeconds === undefined
      ? ''
      : `${line.announcements}x, ${Math.round(line.lastAnnouncedSeconds)}s ago`,
    line.answeredBy.join(', ') || 'silent',
    line.why ?? '',
  ])
  return renderTable([['ADDRESS', 'USE', 'FOR', 'NODE', 'SINCE', 'ANNOUNCED', 'ANSWERED BY', 'WHY'], ...rows])
}
