import type { SpeakerAnswer } from '../speaker/index.ts'
import type { AskedAgent } from './agents.ts'
import { exit, say } from './output.ts'

const patienceMs = 10_000

/** An external address, as agents tell. */
export interface AddressLine {
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

/** What each agent says of external addresses; `onUnasked` hears of one that cannot be asked: it is told of, and the exit status with it, unless given. */
export async function askSpeakers(
  agents: readonly AskedAgent[],
  onUnasked: (node: string, says: string) => void = tellUnasked,
): Promise<readonly SpeakerAnswer[]> {
  const answers = await Promise.all(
    agents.map(async ({ node, ask }): Promise<SpeakerAnswer[]> => {
      try {
        const { status, answer } = await ask<SpeakerAnswer>('/addresses', {})
        if (status !== 200) throw new Error(answer.error ?? `HTTP ${status}`)
        return [answer]
      } catch (error) {
        onUnasked(node, (error as Error).message)
        return []
      }
    }),
  )
  return answers.flat()
}

function tellUnasked(node: string, says: string): void {
  say(`plumb addresses: ${node} could not be asked: ${says}`)
  process.exitCode = exit.cannot
}

/** Has the node's agent hand the address over; says why not otherwise. */
export async function askMove(
  agents: readonly AskedAgent[],
  node: string,
  address: string,
  to: string,
): Promise<string | undefined> {
  const agent = agents.find((one) => one.node === node)
  const said = await agent?.ask('/addresses/move', { address, to })
  return said === undefined ? `${node} has no agent to be told` : said.answer.error
}

/** Asks the agents again and again until they say so; false after 10 s. */
export async function waitForSpeakers(
  agents: readonly AskedAgent[],
  ready: (answers: readonly SpeakerAnswer[]) => boolean,
): Promise<boolean> {
  const end = Date.now() + patienceMs
  while (Date.now() < end) if (ready(await askSpeakers(agents))) return true
  return false
}

/** What the agents said, by address. */
export function linesOf(answers: readonly SpeakerAnswer[]): AddressLine[] {
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

/** Who holds each external address, and when it was last announced, in words. */
export async function holdersOf(agents: readonly AskedAgent[]): Promise<ReadonlyMap<string, string>> {
  const lines = linesOf(await askSpeakers(agents))
  return new Map(
    lines.map(({ address, node, lastAnnouncedSeconds }) => {
      const told = lastAnnouncedSeconds === undefined ? '' : `, announced ${Math.round(lastAnnouncedSeconds)} s ago`
      return [address, node === undefined ? 'held by nobody' : `held by ${node}${told}`]
    }),
  )
}
