/** The engine in a thread of its own: neither a garbage collection of the agent nor a large round keeps heartbeats back. */
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
