import { dirname, join } from 'node:path'
import { askAgent } from '../cni/index.ts'
import type { Lab } from '../lab/index.ts'
import type { SpeakerAnswer } from '../speaker/index.ts'
import { exit, say } from './output.ts'

const timeoutMs = 5000

/** An external address of a lab, as its agents tell. */
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

/** What each agent of the lab says of external addresses; one that cannot be asked is told of, and the exit status with it. */
export async function askSpeakers(lab: Lab): Promise<readonly SpeakerAnswer[]> {
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

/** Has the node's agent hand the address over; says why not otherwise. */
export async function askMove(lab: Lab, node: string, address: string, to: string): Promise<string | undefined> {
  const { answer } = await askAgent(socketOf(lab, node), '/addresses/move', { address, to }, timeoutMs)
  return answer.error
}

/** Asks the agents again and again until they say so; false after 10 s. */
export async function waitForSpeakers(
  lab: Lab,
  ready: (answers: readonly SpeakerAnswer[]) => boolean,
): Promise<boolean> {
  const end = Date.now() + 2 * timeoutMs
  while (Date.now() < end) if (ready(await askSpeakers(lab))) return true
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

/** Who holds each external address of a lab, and when it was last announced, in words. */
export async function holdersOf(lab: Lab): Promise<ReadonlyMap<string, string>> {
  const lines = linesOf(await askSpeakers(lab))
  return new Map(
    lines.map(({ address, node, lastAnnouncedSeconds }) => {
      const told = lastAnnouncedSeconds === undefined ? '' : `, announced ${Math.round(lastAnnouncedSeconds)} s ago`
      return [address, node === undefined ? 'held by nobody' : `held by ${node}${told}`]
    }),
  )
}

function socketOf(lab: Lab, node: string): string {
  return join(dirname(lab.state.kubeconfig), node, 'agent.sock')
}
