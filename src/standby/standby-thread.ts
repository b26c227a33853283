/** In a thread of its own: neither heartbeats nor the agent's rounds wait for conntrack's events, nor connections for a large round. */
import { parentPort, workerData } from 'node:worker_threads'
import type { Address } from '../addr/index.ts'
import { openHost } from '../host/index.ts'
import type { StandbyConfig, StandbyOptions } from './contract.ts'
import { Standby } from './standby.ts'

export type Call =
  | { readonly kind: 'configure'; readonly config: StandbyConfig }
  | { readonly kind: 'owners'; readonly owners: ReadonlyMap<Address, string> }
  | { readonly kind: 'prepare'; readonly address: Address; readonly from: string }
  | { readonly kind: 'hold' | 'take'; readonly address: Address }
  | { readonly kind: 'datagrams'; readonly address: Address; readonly node: string }
  | { readonly kind: 'lose'; readonly address: Address; readonly to: string | undefined }
  | { readonly kind: 'state' | 'close' }

export interface ToThread {
  readonly id: number
  readonly call: Call
}

export type FromThread =
  | { readonly kind: 'trouble'; readonly message: string }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: unknown }

/** What it needs that can be sent to a thread. */
export type PlainOptions = Omit<StandbyOptions, 'host' | 'namespace' | 'onTrouble'>

const port = parentPort
if (port !== null) {
  const host = openHost()
  const say = (message: FromThread): void => port.postMessage(message)
  const onTrouble = (message: string): void => say({ kind: 'trouble', message })
  const standby = new Standby({ ...(workerData as PlainOptions), host, namespace: host.own, onTrouble })
  const obey = (call: Call): unknown => {
    switch (call.kind) {
      case 'configure':
        return standby.configure(call.config)
      case 'owners':
        return standby.setOwners(call.owners)
      case 'prepare':
        return standby.prepare(call.address, call.from)
      case 'hold':
        return standby.hold(call.address)
      case 'take':
        return standby.take(call.address)
      case 'datagrams':
        return standby.datagrams(call.address, call.node)
      case 'lose':
        return standby.lose(call.address, call.to)
      case 'state':
        return standby.state()
      case 'close':
        standby.close()
        port.close()
        return undefined
      default:
        return call satisfies never
    }
  }
  port.on('message', ({ id, call }: ToThread) => {
    Promise.resolve(obey(call)).then(
      (answer) => say({ kind: 'answer', id, answer }),
      (error: unknown) => {
        onTrouble(String(error))
        say({ kind: 'answer', id, answer: undefined })
      },
    )
  })
}
