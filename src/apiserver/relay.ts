import type { IncomingMessage, ServerResponse } from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import type { Duplex } from 'node:stream'
import { errors, type Node, type Pod, type Status } from '../objects/index.ts'
import type { Call, Core } from './core.ts'
import { Refusal } from './refusal.ts'
import { getEntry } from './resource.ts'
import type { Scope } from './scope.ts'

/** How the kubelet names the streaming endpoint of a pod's subresource. */
const endpoints = { log: 'containerLogs', exec: 'exec', attach: 'attach', portforward: 'portForward' } as const
export type RelayedSubresource = keyof typeof endpoints

/** The kubelet's words for the streams of exec and attach (k8s.io/api/core: ExecStdinParam and its siblings). */
const streamWords: Readonly<Record<string, string>> = { stdin: 'input', stdout: 'output', stderr: 'error', tty: 'tty' }
const logWords = ['follow', 'previous', 'sinceSeconds', 'sinceTime', 'timestamps', 'tailLines', 'limitBytes', 'stream']
const connectMs = 10_000

/** Whether a pod's subresource is served by its kubelet. */
export function isRelayed(subresource: string | undefined): subresource is RelayedSubresource {
  return subresource !== undefined && Object.hasOwn(endpoints, subresource)
}

/** The kubelet's host, port and path for a request about a pod; refused when the pod has no node or no such container. */
export function kubeletTarget(core: Core, scope: Scope, call: Call): RequestOptions {
  const subresource = scope.subresource as RelayedSubresource
  const pod = getEntry(core, { ...scope, subresource: undefined }).value as Pod
  const { name, namespace } = pod.metadata
  if (!pod.spec.nodeName) throw new Refusal(errors.badRequest(`pod ${name} does not have a host assigned`))
  const parts: string[] = [endpoints[subresource], namespace!, name]
  if (subresource !== 'portforward') parts.push(containerOf(pod, call.query.get('container')))
  const path = `/${parts.map(encodeURIComponent).join('/')}?${kubeletQuery(subresource, call.query)}`
  return { ...nodeDoor(core, pod.spec.nodeName), path }
}

function containerOf(pod: Pod, asked: string | null): string {
  const names = (pod.spec.containers ?? []).map((container) => container.name)
  const { initContainers = [], ephemeralContainers = [] } = pod.spec
  const all = [...names, ...[...initContainers, ...ephemeralContainers].map((container) => container.name)]
  if (asked) {
    if (all.includes(asked)) return asked
    throw new Refusal(errors.badRequest(`container ${asked} is not valid for pod ${pod.metadata.name}`))
  }
  if (names.length === 1) return names[0]!
  const message = `a container name must be specified for pod ${pod.metadata.name}, choose one of: [${names.join(' ')}]`
  throw new Refusal(errors.badRequest(message))
}

function kubeletQuery(subresource: RelayedSubresource, query: URLSearchParams): URLSearchParams {
  const result = new URLSearchParams()
  if (subresource === 'log') {
    for (const word of logWords) if (query.has(word)) result.set(word, query.get(word)!)
  } else if (subresource === 'portforward') {
    for (const key of ['port', 'ports']) for (const value of query.getAll(key)) result.append('port', value)
  } else {
    for (const [word, name] of Object.entries(streamWords)) {
      if (query.get(word) === 'true' || query.get(word) === '1') result.set(name, '1')
    }
    for (const word of query.getAll('command')) result.append('command', word)
  }
  return result
}

/** How a node's kubelet is reached; refused while the node has told no address and port. */
export function nodeDoor(core: Core, nodeName: string): RequestOptions {
  const node = core.store.collection('/nodes').find(nodeName)?.value as Node | undefined
  const address = node?.status?.addresses?.find((item) => item.type === 'InternalIP')?.address
  const port = node?.status?.daemonEndpoints?.kubeletEndpoint?.Port
  if (address === undefined || !port)
    throw new Refusal(errors.serviceUnavailable(`node ${nodeName} has told no InternalIP and kubelet port yet`))
  if (core.kubelet === undefined)
    throw new Refusal(errors.serviceUnavailable('the API server has no client certificate for kubelets'))
  const { key, cert, ca } = core.kubelet
  // The certificate is the node's; its name is not in DNS, and the address may have changed since it was made.
  return { host: address, port, key, cert, ca, checkServerIdentity: () => undefined, agent: false }
}

/** Streams the kubelet's plain answer (logs) to the client. */
export function relayAnswer(target: RequestOptions, response: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    const outgoing = httpsRequest({ ...target, method: 'GET', timeout: connectMs })
    outgoing.on('timeout', () => {
      if (!response.headersSent) outgoing.destroy(new Error('ETIMEDOUT'))
    })
    outgoing.on('error', (error) => {
      if (response.headersSent) response.destroy()
      else reject(new Refusal(unreachable(target, error)))
      resolve()
    })
    outgoing.on('response', (answer) => {
      if ((answer.statusCode ?? 0) >= 400) return void refuse(answer).then(reject, reject)
      const type = answer.headers['content-type'] ?? 'text/plain'
      response.writeHead(answer.statusCode ?? 502, { 'content-type': type, 'cache-control': 'no-cache, private' })
      response.flushHeaders()
      answer.on('error', () => response.destroy())
      answer.on('end', resolve)
      answer.pipe(response)
    })
    response.on('close', () => outgoing.destroy())
    outgoing.end()
  })
}

const maximumReason = 10 * 1024

/** What a kubelet said no with, as a Status (upstream's GenericHttpResponseChecker). */
async function refuse(answer: IncomingMessage): Promise<Refusal> {
  let text = ''
  answer.setEncoding('utf8')
  for await (const chunk of answer) {
    text += chunk
    if (text.length > maximumReason) break
  }
  const message = text.trim().slice(0, maximumReason)
  switch (answer.statusCode) {
    case 400:
      return new Refusal(errors.badRequest(message))
    case 404:
      return new Refusal({ ...errors.noSuchResource(), message })
    default:
      return new Refusal(errors.internalError(message))
  }
}

/** Hands an upgraded connection (exec, attach, port-forward over WebSocket or SPDY) to the kubelet, byte for byte in both directions. */
export function relayUpgrade(
  target: RequestOptions,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const outgoing = httpsRequest({
      ...target,
      method: request.method,
      headers: upgradeHeaders(request),
      timeout: connectMs,
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error('ETIMEDOUT')))
    outgoing.on('error', (error) => reject(new Refusal(unreachable(target, error))))
    outgoing.on('response', (answer) => {
      writeHead(socket, answer)
      answer.pipe(socket)
      resolve()
    })
    outgoing.on('upgrade', (answer, kubelet, kubeletHead) => {
      writeHead(socket, answer)
      socket.write(kubeletHead)
      kubelet.write(head)
      kubelet.setTimeout(0)
      joinStreams(socket, kubelet)
      resolve()
    })
    socket.on('close', () => outgoing.destroy())
    outgoing.end()
  })
}

/** Each stream's bytes go to the other, and both end together. */
export function joinStreams(a: Duplex, b: Duplex): void {
  a.pipe(b)
  b.pipe(a)
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    one.on('error', () => other.destroy())
    one.on('close', () => other.destroy())
  }
}

function upgradeHeaders({ headers }: IncomingMessage): Record<string, string | string[]> {
  const kept = Object.entries(headers).filter(
    ([name, value]) => value !== undefined && /^(connection|upgrade|sec-websocket-.*|x-stream-.*)$/.test(name),
  )
  // The body of a request that changes the protocol is empty; what follows belongs to the new one.
  return { ...(Object.fromEntries(kept) as Record<string, string | string[]>), 'content-length': '0' }
}

/** Writes the head of an answer to a connection that was taken over. */
export function writeHead(socket: Duplex, answer: IncomingMessage): void {
  const lines = [`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage ?? ''}`]
  const raw = answer.rawHeaders
  // The body is passed on without its chunks, so its length is told by the end of the connection.
  for (let i = 0; i < raw.length; i += 2)
    if (raw[i]!.toLowerCase() !== 'transfer-encoding') lines.push(`${raw[i]}: ${raw[i + 1]}`)
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
}

function unreachable({ host, port }: RequestOptions, error: Error): Status {
  return errors.serviceUnavailable(`cannot reach the kubelet at ${host}:${port}: ${error.message}`)
}
