/** An engine as a process of its own, to be killed and stopped: options in the first argument, commands in lines of standard input, events in lines of standard output. */
import { setPriority } from 'node:os'
import { createInterface } from 'node:readline'
import { openHost } from '../host/index.ts'
import { Engine, type EngineCommand, type EngineOptions } from './engine.ts'

const { key, ...options } = JSON.parse(process.argv[2] ?? '') as Omit<
  EngineOptions,
  'host' | 'namespace' | 'onEvent' | 'key'
> & { key: string }
// As the agent's thread has it.
setPriority(-15)
const host = openHost()
const engine = new Engine({
  ...options,
  key: Buffer.from(key),
  host,
  namespace: host.own,
  onEvent(event) {
    // Nobody prepares anything here.
    if (event.kind === 'prepare') engine.command({ kind: 'prepared', address: event.address, from: event.from })
    const owners = event.kind === 'owners' ? [...event.owners] : undefined
    process.stdout.write(`${JSON.stringify({ ...event, owners })}\n`)
  },
})
// Nobody is left to hold addresses for.
process.stdout.on('error', () => process.exit())
createInterface({ input: process.stdin }).on('line', (line) => engine.command(JSON.parse(line) as EngineCommand))
