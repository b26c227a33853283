import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { Host } from '../host/index.ts'
import type { SpdyStream } from '../spdy/index.ts'
import { runAttachSession } from './attach-session.ts'
import { channelProtocols, channelStreams } from './channel-streams.ts'
import { runExecSession } from './exec-session.ts'
import type { Kubelet } from './kubelet.ts'
import { KubeletRefusal } from './kubelet-refusal.ts'
import type { PodWorker } from './pod-worker.ts'
import { dialPod, forwardSpdy, portForwardProtocol } from './port-forward.ts'
import { forwardChannels, portChannelProtocol } from './port-forward-channels.ts'
import type { RemoteStreams, StreamRequest } from './remote-streams.ts'
import { SpdyStreams, spdyCommandProtocol } from './spdy-streams.ts'

// SPDY itself inside WebSocket messages, as clients since 1.31 do (KEP-4006).
const tunnelProtocol = `SPDY/3.1+${portForwardProtocol}`

/** One upgrade request of a client. */
interface Upgrade {
  readonly request: IncomingMessage
  readonly socket: Duplex
  readonly head: Buffer
}

/** Serves exec, attach and port-forward over WebSocket or SPDY/3.1. Refusals are thrown before anything was answered. */
export async function serveStreams(
  host: Host,
  kubelet: Kubelet,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const upgrade = { request, socket, head }
  const url = new URL(request.url ?? '/', 'https://kubelet')
  const [, verb, namespace = '', pod = '', container] = url.pathname.split('/').map(decodeURIComponent)
  const worker = kubelet.findPod(namespace, pod)
  if (worker === undefined) throw new KubeletRefusal(404, `pod ${namespace}/${pod} is not on this node`)
  if (verb === 'exec') return serveExec(upgrade, worker, container, url.searchParams)
  if (verb === 'attach') return serveAttach(upgrade, worker, container, url.searchParams)
  if (verb === 'portForward') return servePortForward(upgrade, host, worker, url.searchParams)
  throw new KubeletRefusal(404, `404 page not found: ${url.pathname}`)
}

async function serveExec(
  upgrade: Upgrade,
  worker: PodWorker,
  container: string | undefined,
  query: URLSearchParams,
): Promise<void> {
  const command = query.getAll('command')
  if (command.length === 0) throw new KubeletRefusal(400, 'exec: the command is missing')
  const wanted = parseStreamRequest(query)
  const target = await worker.execTarget(container)
  const streams = await openStreams(upgrade, wanted)
  runExecSession(streams, command, wanted.tty, target)
}

async function serveAttach(
  upgrade: Upgrade,
  worker: PodWorker,
  container: string | undefined,
  query: URLSearchParams,
): Promise<void> {
  const runner = worker.findRunner(container)
  if (runner?.running === undefined)
    throw new KubeletRefusal(404, `container ${container ?? ''} of pod ${worker.title} is not running`)
  const { running } = runner
  const streams = await openStreams(upgrade, parseStreamRequest(query))
  runAttachSession(streams, running, runner.record.container.stdinOnce === true)
}

async function servePortForward(
  upgrade: Upgrade,
  host: Host,
  worker: PodWorker,
  query: URLSearchParams,
): Promise<void> {
  const { network } = worker
  if (network === undefined) throw new KubeletRefusal(404, `pod ${worker.title} has no network`)
  const dial = dialPod(host, network.namespace)
  if (isSpdy(upgrade)) {
    await acceptSpdy(upgrade, portForwardProtocol, forwardSpdy(dial))
    return
  }
  const webSocket = await acceptWebSocket(upgrade, [tunnelProtocol, portChannelProtocol])
  if (webSocket.protocol !== tunnelProtocol) {
    forwardChannels(webSocket, query.getAll('port').map(Number), dial)
    return
  }
  const [{ createWebSocketStream }, { SpdyConnection }] = await Promise.all([import('ws'), import('../spdy/index.ts')])
  new SpdyConnection(createWebSocketStream(webSocket), forwardSpdy(dial))
}

/** Which streams are wanted; the kubelet's own query says `input`, `output` and `error` where the API server's says `stdin` and so on. */
export function parseStreamRequest(query: URLSearchParams): StreamRequest {
  const flag = (...names: string[]) => names.some((name) => ['1', 'true'].includes(query.get(name) ?? ''))
  return {
    stdin: flag('stdin', 'input'),
    stdout: flag('stdout', 'output'),
    stderr: flag('stderr', 'error'),
    tty: flag('tty'),
  }
}

async function openStreams(upgrade: Upgrade, wanted: StreamRequest): Promise<RemoteStreams> {
  if (!isSpdy(upgrade)) return channelStreams(await acceptWebSocket(upgrade, channelProtocols), wanted)
  const streams = new SpdyStreams(wanted)
  const connection = await acceptSpdy(upgrade, spdyCommandProtocol, (stream) => streams.accept(stream))
  return streams.ready(connection).catch((error: Error) => {
    connection.close()
    throw error
  })
}

function isSpdy({ request }: Upgrade): boolean {
  return request.headers.upgrade?.toLowerCase() === 'spdy/3.1'
}

async function acceptSpdy(
  { request, socket, head }: Upgrade,
  protocol: string,
  onStream: (stream: SpdyStream) => void,
) {
  const header = request.headers['x-stream-protocol-version'] ?? []
  const offered = String(header)
    .split(',')
    .map((word) => word.trim())
  if (!offered.includes(protocol)) {
    const message = `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${protocol}]`
    throw new KubeletRefusal(403, message)
  }
  const { SpdyConnection } = await import('../spdy/index.ts')
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Connection: Upgrade',
    'Upgrade: SPDY/3.1',
    `X-Stream-Protocol-Version: ${protocol}`,
  ]
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  if (head.length > 0) socket.unshift(head)
  return new SpdyConnection(socket, onStream)
}

async function acceptWebSocket({ request, socket, head }: Upgrade, protocols: readonly string[]): Promise<WebSocket> {
  const { WebSocketServer } = await import('ws')
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: 8 << 20,
    handleProtocols: (offered) => protocols.find((protocol) => offered.has(protocol)) ?? false,
  })
  return new Promise((resolve) => server.handleUpgrade(request, socket, head, resolve))
}
