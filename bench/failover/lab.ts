import { agentsOfLab } from '../../src/cli/agents.ts'
import { askMove, askSpeakers, linesOf } from '../../src/cli/ask-speakers.ts'
import { findLab } from '../../src/lab/index.ts'
import type { TestLab } from '../../test/lab.fixture.ts'

export const nodes = ['node-1', 'node-2', 'node-3']
export const faults = ['planned move', 'kill -9', 'SIGSTOP', 'link down', 'partition'] as const
export type Fault = (typeof faults)[number]

/** Whether the node's pods are gone with it. */
export const takesPods = (fault: Fault): boolean => fault === 'link down' || fault === 'partition'

/** Waits until one node holds the address and nobody else answers. */
export async function holderOf(lab: TestLab, address: string): Promise<string> {
  const found = await findLab(lab.name)
  if (found === undefined) throw new Error(`lab ${lab.name} does not run`)
  const end = performance.now() + 60_000
  while (performance.now() < end) {
    const line = linesOf(await askSpeakers(agentsOfLab(found))).find((one) => one.address === address)
    if (line?.node !== undefined && line.answeredBy.join() === line.node) return line.node
  }
  throw new Error(`nobody holds ${address}`)
}

async function moveOn(lab: TestLab, address: string, node: string): Promise<void> {
  const found = await findLab(lab.name)
  const to = nodes[(nodes.indexOf(node) + 1) % nodes.length] ?? ''
  const error = found === undefined ? 'there is no lab' : await askMove(agentsOfLab(found), node, address, to)
  if (error !== undefined) throw new Error(error)
}

/** Makes the holder fail, or hand the address over; the answer makes it good again. */
export async function breakDown(
  lab: TestLab,
  fault: Fault,
  address: string,
  node: string,
): Promise<() => Promise<unknown>> {
  const agent = (): number => lab.findAgent(node) ?? Number.NaN
  switch (fault) {
    case 'planned move':
      await moveOn(lab, address, node)
      return async () => undefined
    case 'kill -9':
      process.kill(agent(), 'SIGKILL')
      return async () => undefined
    case 'SIGSTOP':
      process.kill(agent(), 'SIGSTOP')
      return async () => process.kill(agent(), 'SIGCONT')
    case 'link down':
      await lab.cable(node, false)
      return () => lab.cable(node, true)
    case 'partition':
      await lab.cli('exec', '--node', node, '--', 'nft', cutOff)
      return () => lab.cli('exec', '--node', node, '--', 'nft', 'delete table netdev cut')
    default:
      return fault satisfies never
  }
}

const chain = (name: string, hook: string): string =>
  `add chain netdev cut ${name} { type filter hook ${hook} device "eth0" priority 0; policy drop; }`
/** Everything in and out is lost, while the link stays up. */
const cutOff = `add table netdev cut; ${chain('in', 'ingress')}; ${chain('out', 'egress')}`
