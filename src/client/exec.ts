import type { IncomingMessage } from 'node:http'
import type { WebSocket } from 'ws'
import type { Status } from '../objects/index.ts'
import type { Command, Running } from './contract.ts'
import { objectPath, query } from './path.ts'
import { errorOf } from './rest.ts'
import { collect, type Transport } from './transport.ts'

// Channels of the remote command protocol (KEP-4006): the first byte of each message.
const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3 } as const
/** Best first; what v5 adds is not used. */
const protocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io']
/** Characters of stderr that are kept. */
const maxStderr = 4096
const pods = { group: '', version: 'v1', plural: 'pods', namespaced: true, kind: 'Pod' }

/** Starts a command in a container. Rejects with `ApiError` when the API server or the kubelet refuses, and with the socket's error. */
export async function execInPod(transport: Transport, asked: Command): Promise<Running> {
  const { namespace, pod, container, command } = asked
  const options = query({ container, stdin: true, stdout: true, stderr: true })
  const words = command.map((word) => `&command=${encodeURIComponent(word)}`).join('')
  const path = `${objectPath(pods, namespace, pod, 'exec')}${options}${words}`
  const socket = await transport.upgrade(path, protocols)
  await opened(socket, path)
  return running(socket)
}

function opened(socket: WebSocket, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
    socket.once('unexpected-response', (_, response: IncomingMessage) =>
      collect(response).then((answer) => reject(errorOf(answer, 'GET', path)), reject),
    )
  })
}

function running(socket: WebSocket): Running {
  const listeners = new Set<(line: string) => void>()
  const decoder = new TextDecoder()
  let rest = ''
  let stderr = ''
  let status: Partial<Status> | undefined
  socket.on('error', () => socket.terminate())
  socket.on('message', (message: Buffer) => {
    const data = message.subarray(1)
    switch (message[0]) {
      case channel.stdout: {
        const [first = '', ...more] = decoder.decode(data, { stream: true }).split('\n')
        const lines = [rest + first, ...more]
        rest = lines.pop() ?? ''
        for (const line of lines) for (const tell of listeners) tell(line)
        return
      }
      case channel.stderr:
        stderr = (stderr + data.toString()).slice(-maxStderr)
        return
      case channel.error:
        status = JSON.parse(data.toString()) as Partial<Status>
    }
  })
  const ended = new Promise<string>((resolve) => {
    socket.once('close', (code) => {
      const said = stderr.trim()
      const message = status === undefined ? `the connection broke (${code})` : (status.message ?? '')
      resolve(said === '' ? message : said)
    })
  })
  return {
    write: (text) => socket.send(Buffer.concat([Buffer.of(channel.stdin), Buffer.from(text)])),
    onLine: (tell) => void listeners.add(tell),
    ended,
    close: () => socket.terminate(),
  }
}
