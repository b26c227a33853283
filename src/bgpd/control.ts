import { createConnection } from 'node:net'
import { type BirdReply, parseReply } from '../bird/index.ts'

const answerMs = 5000

/** Gives one command over BIRD's control socket and resolves with the whole reply; rejects when there is none in time, or BIRD is not there. */
export function askBird(path: string, command: string): Promise<BirdReply> {
  const { promise, resolve, reject } = Promise.withResolvers<BirdReply>()
  const socket = createConnection(path)
  let arrived = ''
  let isGreeted = false
  socket.setEncoding('utf8')
  socket.setTimeout(answerMs, () => socket.destroy(new Error(`BIRD does not answer on ${path}`)))
  socket.on('data', (text: string) => {
    arrived += text
    for (let found = parseReply(arrived); found !== undefined; found = parseReply(arrived)) {
      arrived = found.rest
      if (isGreeted) {
        resolve(found.reply)
        socket.destroy()
        return
      }
      isGreeted = true
      socket.write(`${command}\n`)
    }
  })
  socket.on('error', reject)
  socket.on('close', () => reject(new Error(`BIRD closed ${path} before it answered "${command}"`)))
  return promise
}
