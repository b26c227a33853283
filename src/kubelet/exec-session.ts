import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import type { WebSocket } from 'ws'
import type { Status } from '../objects/index.ts'
import { enterCommand, killGroup } from './exec-capture.ts'

/** What a client wants to run and which streams it wants (`PodExecOptions`). */
export interface ExecRequest {
  readonly command: readonly string[]
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly tty: boolean
}

// Channels of the remote command protocol (k8s.io/apimachinery remotecommand; KEP-4006). `close` is v5's only.
const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const

/** The subprotocols that exec speaks, best first. */
export const execProtocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io']

/** Runs a command inside the namespaces of process `pid` and carries its streams over the WebSocket until it ends. */
export function runExecSession(
  socket: WebSocket,
  request: ExecRequest,
  target: { readonly pid: number; readonly environment: Readonly<Record<string, string>> },
): void {
  const inner = request.tty ? terminalCommand(request.command) : request.command
  const [program, ...words] = enterCommand(target.pid, inner)
  const environment = request.tty ? { TERM: 'xterm', ...target.environment } : target.environment
  const child = spawn(program!, words, {
    env: { ...environment },
    stdio: [request.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const send = (number: number, data: Uint8Array): void => {
    if (socket.readyState === socket.OPEN) socket.send(Buffer.concat([Buffer.from([number]), data]))
  }
  pipeOut(socket, child.stdout!, (data) => request.stdout && send(channel.stdout, data))
  pipeOut(socket, child.stderr!, (data) =>
    request.tty ? send(channel.stdout, data) : request.stderr && send(channel.stderr, data),
  )
  child.stdin?.on('error', () => undefined)
  socket.on('message', (message: Buffer) => receive(child, message))
  socket.on('close', () => killGroup(child))
  const finish = (status: Status): void => {
    send(channel.error, Buffer.from(JSON.stringify(status)))
    socket.close(1000)
  }
  child.once('error', (error) => finish(failure(error.message, 'InternalError')))
  child.once('close', (code) => finish(exitStatus(code ?? 137)))
  // Tells the client that the streams are open.
  send(channel.stdout, new Uint8Array())
}

function receive(child: ChildProcess, message: Buffer): void {
  const data = message.subarray(1)
  if (message[0] === channel.stdin) child.stdin?.write(data)
  else if (message[0] === channel.close && data[0] === channel.stdin) child.stdin?.end()
}

/** Output stops while the client is slow, so that it is not collected here without bound. */
function pipeOut(socket: WebSocket, stream: Readable, deliver: (data: Buffer) => unknown): void {
  stream.on('data', (data: Buffer) => {
    deliver(data)
    if (socket.bufferedAmount < 1 << 20) return
    stream.pause()
    const timer = setInterval(() => {
      if (socket.bufferedAmount > 1 << 18 && socket.readyState === socket.OPEN) return
      clearInterval(timer)
      stream.resume()
    }, 20)
  })
}

/** `script` (util-linux) gives the command a terminal of its own and returns its exit code. */
function terminalCommand(command: readonly string[]): string[] {
  const words = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
  return ['script', '--quiet', '--return', '--command', words, '/dev/null']
}

/** The Status that ends an exec: `NonZeroExitCode` with a cause `ExitCode` is what clients take the exit code from. */
export function exitStatus(code: number): Status {
  if (code === 0) return { apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Success' }
  return {
    ...failure(`command terminated with non-zero exit code: exit status ${code}`, 'NonZeroExitCode'),
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  }
}

function failure(message: string, reason: string): Status {
  return { apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Failure', message, reason }
}
