// The agent of a node with its gateway, a process of its own, as `plumb agent` is one: what a bench measures. Answers `memory` by IPC.

import { parsePrefix } from '../../src/addr/index.ts'
import { openLog, startAgent } from '../../src/agent/index.ts'
import { connect } from '../../src/client/index.ts'
import { openHost } from '../../src/host/index.ts'
import { releaseMemory } from '../../src/memory/index.ts'
import { GatewaysModule } from '../../src/proxy/index.ts'

/** What the process begins with, as JSON. */
export interface AgentStart {
  readonly server: Parameters<typeof connect>[0]
  readonly namespace: string
  readonly directory: string
}

/** Bytes. */
export interface Memory {
  readonly resident: number
  /** The same without what nobody holds any more. */
  readonly released: number
  readonly heap: number
  readonly external: number
}

const { server, namespace: path, directory } = JSON.parse(process.argv[2] ?? '') as AgentStart
const host = openHost()
const namespace = host.openNamespace(path)
const client = connect(server)
const log = await openLog('node-1')
const nodeName = 'node-1'
const gateways = new GatewaysModule({ client, host, namespace, nodeName, directory, log, drainMs: 0 })
const options = { servicePrefixes: [parsePrefix('10.96.0.0/16')], modules: [gateways], log }
const agent = await startAgent({ client, host, namespace, nodeName, options })
await agent.ready

process.on('message', (asked) => {
  if (asked === 'memory') {
    const resident = process.memoryUsage.rss()
    releaseMemory()
    const { heapUsed: heap, external, rss: released } = process.memoryUsage()
    process.send!({ resident, released, heap, external } satisfies Memory)
    return
  }
  agent.stop().then(() => {
    client.close()
    process.disconnect()
  })
})
process.send!('ready')
