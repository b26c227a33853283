import { createConnection } from 'node:net'
import {
  type Command,
  deleteServer,
  type Exchange,
  fillMap,
  findVersion,
  prepareMap,
  renderCommand,
} from '../haproxy/index.ts'

const answerMs = 5000

/** Sends one command over a unix socket of HAProxy and resolves with its answer, trimmed. Rejects when there is none in time. */
export function askHaproxy(path: string, request: string, patienceMs = answerMs): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const socket = createConnection(path)
  let answer = ''
  socket.setEncoding('utf8')
  socket.setTimeout(patienceMs, () => socket.destroy(new Error(`no answer on ${path}`)))
  socket.on('connect', () => socket.end(`${request}\n`))
  socket.on('data', (text: string) => {
    answer += text
  })
  socket.on('error', reject)
  // The master closes only when asked to, by the end of what it reads. After its close nothing of the answer is missing.
  socket.on('close', () => resolve(answer.trim()))
  return promise
}

/** Carries out commands in order; rejects with the first that HAProxy refused. */
export async function runCommands(path: string, commands: readonly Command[]): Promise<void> {
  for (const command of commands) {
    if (command.kind === 'set-map') {
      const answer = await askHaproxy(path, prepareMap(command.path))
      const version = findVersion(answer)
      if (version === undefined) throw new Error(`prepare map ${command.path}: ${answer}`)
      await exchange(path, fillMap(command.path, version, command.entries))
    } else await exchange(path, renderCommand(command))
  }
}

/** Deletes servers in maintenance; answers those that still have connections. */
export async function deleteServers(
  path: string,
  servers: readonly { readonly backend: string; readonly server: string }[],
): Promise<{ backend: string; server: string }[]> {
  const left = []
  for (const one of servers) {
    const { request, expect } = deleteServer(one.backend, one.server)
    const answer = await askHaproxy(path, request)
    if (!expect.test(answer) && !/No such/.test(answer)) left.push(one)
  }
  return left
}

async function exchange(path: string, exchanges: readonly Exchange[]): Promise<void> {
  for (const { request, expect } of exchanges) {
    const answer = await askHaproxy(path, request)
    if (!expect.test(answer)) throw new Error(`${request.split('\n', 1)[0]}: ${answer || 'no answer'}`)
  }
}
