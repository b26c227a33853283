import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Address } from '../addr/index.ts'
import type { Host } from '../host/index.ts'
import type { Kubelet } from './kubelet.ts'
import { parseLogRequest, sendLog } from './kubelet-logs.ts'
import { KubeletRefusal } from './kubelet-refusal.ts'
import { serveStreams } from './kubelet-streams.ts'

/** The kubelet's server certificate and the CA of the clients it lets in, PEM text. */
export interface KubeletCredentials {
  readonly cert: string
  readonly key: string
  readonly clientCa: string
}

export const kubeletPort = 10250

/**
 * Serves a node's kubelet API, in the node's namespace, to clients with a certificate of the cluster's CA: container logs,
 * exec, attach, port-forward, `/pods`, `/healthz`. TLS and HTTP are set up at the first connection, so an unasked kubelet costs two sockets.
 */
export function serveKubelet(host: Host, kubelet: Kubelet, credentials: () => Promise<KubeletCredentials>): void {
  let inner: Promise<Server> | undefined
  const accept = (socket: Socket): void => {
    socket.on('error', () => socket.destroy())
    inner ??= openInner(host, kubelet, credentials)
    inner.then(
      (server) => server.emit('connection', socket),
      () => socket.destroy(),
    )
  }
  for (const address of ['0.0.0.0', '::'] as Address[]) {
    const { fd } = host.listenTcp(kubelet.node.namespace, address, kubeletPort)
    createServer({ pauseOnConnect: false }, accept).listen({ fd })
  }
}

async function openInner(
  host: Host,
  kubelet: Kubelet,
  credentials: () => Promise<KubeletCredentials>,
): Promise<Server> {
  const [{ createServer: createHttps }, { cert, key, clientCa }] = await Promise.all([
    import('node:https'),
    credentials(),
  ])
  const options = { cert, key, ca: clientCa, requestCert: true, rejectUnauthorized: true }
  const server = createHttps(options, (request, response) => {
    answer(kubelet, request, response).catch((error: Error) => {
      response.writeHead(error instanceof KubeletRefusal ? error.status : 500, { 'content-type': 'text/plain' })
      response.end(`${error.message}\n`)
    })
  })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy())
    serveStreams(host, kubelet, request, socket, head).catch((error: Error) => {
      const status = error instanceof KubeletRefusal ? error.status : 500
      socket.end(
        `HTTP/1.1 ${status} Error\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(error.message)}\r\n\r\n${error.message}`,
      )
    })
  })
  return server
}

async function answer(kubelet: Kubelet, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'https://kubelet')
  const [, verb, namespace = '', pod = '', container = ''] = url.pathname.split('/').map(decodeURIComponent)
  if (verb === 'healthz') {
    response.end('ok')
  } else if (verb === 'metrics') {
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' })
    response.end(metricsOf(kubelet))
  } else if (verb === 'pods') {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items: kubelet.pods() }))
  } else if (verb === 'containerLogs') {
    const wanted = parseLogRequest(url.searchParams, Date.now())
    sendLog(response, findLog(kubelet, namespace, pod, container, wanted.previous), wanted)
  } else {
    throw new KubeletRefusal(404, `404 page not found: ${url.pathname}`)
  }
}

/** The few of upstream's metrics that say something here. */
function metricsOf(kubelet: Kubelet): string {
  const pods = kubelet.pods()
  const running = pods.filter(({ status }) => status?.phase === 'Running')
  const containers = pods.flatMap(({ status }) => status?.containerStatuses ?? [])
  const rows: [string, string, number][] = [
    ['kubelet_running_pods', 'Number of pods that have a running pod sandbox', running.length],
    [
      'kubelet_running_containers',
      'Number of containers currently running',
      containers.filter((one) => one.state?.running).length,
    ],
  ]
  return rows.map(([name, help, value]) => `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${name} ${value}\n`).join('')
}

function findLog(kubelet: Kubelet, namespace: string, pod: string, container: string, previous: boolean) {
  const runner = kubelet.findPod(namespace, pod)?.findRunner(container)
  if (runner === undefined)
    throw new KubeletRefusal(404, `container "${container}" of pod "${namespace}/${pod}" is not on this node`)
  const log = runner.log(previous)
  if (log !== undefined) return log
  if (previous) {
    throw new KubeletRefusal(400, `previous terminated container "${container}" in pod "${pod}" not found`)
  }
  const reason = runner.record.state.waiting?.reason ?? 'ContainerCreating'
  throw new KubeletRefusal(400, `container "${container}" in pod "${pod}" is waiting to start: ${reason}`)
}
