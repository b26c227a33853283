import type { Socket } from 'node:net'

/** Answers the few Redis commands that clients use to see whether a server is there; the others get an error that says so. */
export function serveRedis(socket: Socket, identity: string): void {
  let rest = ''
  socket.on('data', (chunk) => {
    rest += chunk.toString('latin1')
    if (rest.length > 64 * 1024) {
      socket.destroy()
      return
    }
    for (let next = takeCommand(rest); next !== undefined; next = takeCommand(rest)) {
      rest = rest.slice(next.length)
      if (next.words.length > 0) socket.write(answer(next.words, identity))
    }
  })
}

/** The first whole command of RESP text: an array of bulk strings, or an inline line. */
export function takeCommand(text: string): { words: string[]; length: number } | undefined {
  const head = text.indexOf('\r\n') < 0 ? text.indexOf('\n') : text.indexOf('\r\n')
  if (head < 0) return undefined
  const skip = text[head] === '\r' ? 2 : 1
  const line = text.slice(0, head)
  if (!line.startsWith('*')) return { words: line.split(' ').filter(Boolean), length: head + skip }
  const words: string[] = []
  let at = head + skip
  for (let i = 0; i < Number(line.slice(1)); i++) {
    const end = text.indexOf('\r\n', at)
    if (end < 0) return undefined
    const length = Number(text.slice(at + 1, end))
    if (!Number.isInteger(length) || length < 0) return { words: [], length: text.length }
    if (text.length < end + 2 + length + 2) return undefined
    words.push(text.slice(end + 2, end + 2 + length))
    at = end + 2 + length + 2
  }
  return { words, length: at }
}

function answer(words: readonly string[], identity: string): string {
  const command = (words[0] ?? '').toUpperCase()
  const bulk = (text: string) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`
  if (command === 'PING') return words[1] === undefined ? '+PONG\r\n' : bulk(words[1])
  if (command === 'ECHO') return bulk(words[1] ?? '')
  if (command === 'INFO') return bulk(`# Server\r\nstand_in:${identity.trim()}\r\n`)
  if (command === 'SELECT' || command === 'AUTH' || command === 'QUIT' || command === 'CLIENT') return '+OK\r\n'
  return `-ERR stand-in has no command '${command}': ${identity.trim()}\r\n`
}
