import { createConnection } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
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

/**
 * Sends requests over one connection of the runtime socket, without waiting between them, and resolves with their answers, trimmed: HAProxy
 * takes one after another. Rejects when an answer does not come in time.
 */
function converse(path: string, requests: readonly string[]): Promise<readonly string[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>()
  const socket = createConnection(path)
  let said = ''
  const answers = (): string[] => said.split(prompt).slice(1, -1)
  socket.setEncoding('utf8')
  socket.setTimeout(answerMs, () => socket.destroy(new Error(`no answer on ${path}`)))
  socket.on('data', (text: string) => {
    said += text
    if (!text.endsWith(prompt.trimStart()) || answers().length < requests.length) return
    resolve(answers().map((one) => one.replace(/^(\+ )+/, '').trim()))
    socket.end()
  })
  socket.on('error', reject)
  socket.on('close', () => reject(new Error(`no answer on ${path}: ${said.slice(-200)}`)))
  socket.write(`${['prompt', ...requests].join('\n')}\n`)
  return promise
}

/** What stands before each answer and after the last; a line of a payload is told by a plus. */
const prompt = '\n> '

/** Carries out commands in order; rejects with the first that HAProxy refused. */
export async function runCommands(path: string, commands: readonly Command[]): Promise<void> {
  let exchanges: Exchange[] = []
  let isGrown = false
  for (const command of commands) {
    if (!isGrown && takesAway(command)) {
      isGrown = true
      if (exchanges.length > 0) await exchange(path, exchanges)
      exchanges = []
      await pause(graceMs)
    }
    if (command.kind !== 'set-map') {
      exchanges.push(...renderCommand(command))
      continue
    }
    const answer = await exchange(path, [...exchanges, { request: prepareMap(command.path), expect: /./ }])
    const version = findVersion(answer)
    if (version === undefined) throw new Error(`prepare map ${command.path}: ${answer}`)
    exchanges = [...fillMap(command.path, version, command.entries)]
  }
  if (exchanges.length > 0) await exchange(path, exchanges)
}

/** Requests that are on their way through the maps have found what goes, and look it up in the next. */
const graceMs = 10

function takesAway(command: Command): boolean {
  return command.kind === 'edit-map' && command.remove.length > 0
}

/** Deletes servers in maintenance; answers those that still have connections. */
export async function deleteServers<Left extends { readonly backend: string; readonly server: string }>(
  path: string,
  servers: readonly Left[],
): Promise<Left[]> {
  if (servers.length === 0) return []
  const exchanges = servers.map(({ backend, server }) => deleteServer(backend, server))
  const answers = await converse(
    path,
    exchanges.map(({ request }) => request),
  )
  return servers.filter((_, at) => !exchanges[at]!.expect.test(answers[at]!) && !/No such/.test(answers[at]!))
}

/** Answers what was said last. */
async function exchange(path: string, exchanges: readonly Exchange[]): Promise<string> {
  const answers = await converse(
    path,
    exchanges.map(({ request }) => request),
  )
  for (const [at, { request, expect }] of exchanges.entries()) {
    const answer = answers[at]!
    if (!expect.test(answer)) throw new Error(`${request.split('\n', 1)[0]}: ${answer || 'no answer'}`)
  }
  return answers.at(-1) ?? ''
}
