import { callCni } from './call.ts'

// As the installed programs call it: which plugin, and where the agent listens.
const [plugin, socket] = process.argv.slice(2)
await callCni({ plugin: plugin === 'loopback' ? plugin : 'plumb', socket: socket ?? '/run/plumb/agent.sock' })
