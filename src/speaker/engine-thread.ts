/** The engine in a thread of its own: neither a garbage collection of the agent nor a large round keeps heartbeats back. */
import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { openHost } from '../host/index.ts'
import { Engine, type EngineCommand, type EngineOptions } from './engine.ts'

/** What the agent's thread sends. */
export type ToThread =
  | EngineCommand
  | { readonly kind: 'ask'; readonly id: number; readonly look: boolean }
  | { readonly kind: 'close' }

/** What an engine needs that can be sent to a thread. */
export type PlainOptions = Omit<EngineOptions, 'host' | 'namespace' | 'onEvent'>

const port = parentPort
if (port !== null) {
  raisePriority()
  const host = openHost()
  const options = workerData as PlainOptions
  const engine = new Engine({ ...options, host, namespace: host.own, onEvent: (event) => port.postMessage({ event }) })
  port.on('message', (message: ToThread) => {
    if (message.kind === 'ask') {
      engine.state(message.look).then((state) => port.postMessage({ id: message.id, state }))
    } else if (message.kind !== 'close') engine.command(message)
    else {
      engine.close()
      port.close()
    }
  })
}

/** Heartbeats of a node that is busy must not wait for a processor. Linux sets the priority of the calling thread alone; who may not has the usual one. */
function raisePriority(): void {
  try {
    setPriority(-15)
  } catch {
    // It works without.
  }
}
