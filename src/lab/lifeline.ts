import { Socket } from 'node:net'
import type { LaunchMessage } from './launch.ts'

/** The supervisor's end of the channel to whoever started it (descriptor 3). */
export interface Lifeline {
  progress(text: string): void
  tell(message: LaunchMessage): void
}

/**
 * Opens the lifeline. `onAbandoned` is called when the starter goes away before it said that the lab shall stay; times in
 * progress messages count from this process's start.
 */
export function openLifeline(onAbandoned: () => void): Lifeline {
  const socket = new Socket({ fd: 3 })
  let kept = false
  socket.on('data', (chunk) => {
    kept ||= chunk.toString().includes('keep')
    if (kept) socket.end()
  })
  socket.on('error', () => undefined)
  socket.on('close', () => {
    if (!kept) onAbandoned()
  })
  socket.unref()
  const tell = (message: LaunchMessage): void => {
    if (socket.writable) socket.write(`${JSON.stringify(message)}\n`)
  }
  return { tell, progress: (text) => tell({ kind: 'progress', text, ms: Math.round(process.uptime() * 1000) }) }
}
