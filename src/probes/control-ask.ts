import { request } from 'node:http'
import { createConnection, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import type { ControlPlan } from '../doctor/index.ts'

/** How long a control may take to be there. */
export const startMs = 3000
export const pollMs = 10
/** Shorter than an LB's: whoever is slow is told from whoever is silent without waiting a minute. */
export const controlTimeoutsMs = { connect: 1300, answer: 2500 } as const
const askMs = 4000
const silentMs = 300

/** One request through a control over its unix socket; whatever comes of it. */
export async function get(socketPath: string, { host, path }: ControlPlan): Promise<void> {
  const connection = await connectSoon(socketPath)
  const asked = request({ createConnection: () => connection, path, headers: { host, connection: 'close' } })
  asked.setTimeout(askMs, () => asked.destroy())
  const { promise, resolve } = Promise.withResolvers<void>()
  asked.once('response', (answer) => answer.resume().once('error', () => undefined))
  asked.once('error', () => resolve())
  asked.once('close', () => resolve())
  asked.end()
  await promise
}

/** Connects and waits for an end or a moment: servers of unknown protocols may keep silent. */
export async function knock(socketPath: string): Promise<void> {
  const connection = await connectSoon(socketPath)
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(() => connection.destroy(), silentMs)
  connection.once('error', () => resolve())
  connection.once('close', () => resolve())
  connection.resume()
  await promise
  clearTimeout(timer)
}

async function connectSoon(socketPath: string): Promise<Socket> {
  for (const end = Date.now() + startMs; ; ) {
    const connection = createConnection(socketPath)
    const { promise, resolve } = Promise.withResolvers<NodeJS.ErrnoException | undefined>()
    connection.once('connect', () => resolve(undefined))
    connection.once('error', resolve)
    const error = await promise
    if (error === undefined) return connection
    if (Date.now() > end) throw error
    await pause(pollMs)
  }
}
