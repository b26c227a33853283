import { after } from 'node:test'
import type { Agent, AgentOptions } from './contract.ts'
import { buildRig, nodeObject, Objects, quietLog, type Rig, startOnRig } from './rig.fixture.ts'

/** What tests of an agent with real packets share: the rig, the objects that the agent follows, and what is closed after the last test. */
export interface AgentOnRig {
  readonly rig: Rig
  /** With `node-1`. */
  readonly objects: Objects
  readonly log: ReturnType<typeof quietLog>
  readonly closing: { close(): void }[]
  /** Starts an agent. The last one is stopped after the last test; one before it is the test's to stop. */
  start(options?: Partial<Omit<AgentOptions, 'log'>>): Promise<Agent>
}

/** Builds the rig of a test file; everything goes when its tests are over, also when they failed. */
export function agentOnRig(): AgentOnRig {
  const rig = buildRig()
  const objects = new Objects()
  const log = quietLog()
  const closing: { close(): void }[] = []
  let last: Agent | undefined
  objects.put(nodeObject('node-1', rig))
  after(async () => {
    await last?.stop()
    for (const one of closing) one.close()
    rig.close()
  })
  return {
    rig,
    objects,
    log,
    closing,
    async start(options) {
      last = await startOnRig(rig, objects, log, options)
      return last
    },
  }
}
