import type { Duplex } from 'node:stream'
import type { Address } from '../addr/index.ts'
import type { Container, Probe } from '../objects/index.ts'
import { findPort } from './container-command.ts'
import { dialMessage } from './dial-error.ts'

/** The answer of one probe attempt; `message` says what was wrong, in kubelet's words. */
export type ProbeAnswer = { readonly ok: true } | { readonly ok: false; readonly message: string }

/** Where a probe's packets start and what it may run. */
export interface ProbeDoor {
  readonly podAddress: Address
  /** A stream from the node's namespace that is connecting. */
  connect(address: Address, port: number): Duplex
  /** Runs a command in the container; resolves to its exit code and output, or fails. */
  exec(argv: readonly string[], timeoutMs: number): Promise<{ exitCode: number; output: string }>
}

const ok: ProbeAnswer = { ok: true }

/** Makes one attempt. Never rejects: what goes wrong is a failed probe. */
export async function runProbe(
  probe: Probe,
  container: Container,
  door: ProbeDoor,
  timeoutMs: number,
): Promise<ProbeAnswer> {
  try {
    if (probe.httpGet !== undefined) return await probeHttp(probe.httpGet, container, door, timeoutMs)
    if (probe.tcpSocket !== undefined) return await probeTcp(probe.tcpSocket, container, door, timeoutMs)
    if (probe.grpc !== undefined) return await probeGrpc(probe.grpc, door, timeoutMs)
    if (probe.exec !== undefined) return await probeExec(probe.exec.command ?? [], door, timeoutMs)
    return { ok: false, message: 'missing probe handler' }
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) }
  }
}

function portOf(container: Container, port: number | string): number {
  const number = findPort(container, port)
  if (number === undefined || number < 1 || number > 65535) {
    throw new Error(`couldn't find port "${port}" in container ${container.name}`)
  }
  return number
}

async function probeHttp(
  get: NonNullable<Probe['httpGet']>,
  container: Container,
  door: ProbeDoor,
  timeoutMs: number,
): Promise<ProbeAnswer> {
  const { request } = await import('node:http')
  const port = portOf(container, get.port)
  const address = (get.host || door.podAddress) as Address
  const path = `/${(get.path ?? '/').replace(/^\//, '')}`
  const secure = get.scheme === 'HTTPS'
  const plain = door.connect(address, port)
  const socket = secure ? await startTls(plain) : plain
  const bracketed = address.includes(':') ? `[${address}]` : address
  const target = `${bracketed}:${port}`
  const url = `${secure ? 'https' : 'http'}://${target}${path}`
  const headers: Record<string, string> = { 'user-agent': 'kube-probe/1.33', accept: '*/*', connection: 'close' }
  for (const { name, value } of get.httpHeaders ?? []) headers[name.toLowerCase()] = value
  headers.host ??= target
  const words = (error?: Error) =>
    error === undefined
      ? `Get "${url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`
      : `Get "${url}": ${dialMessage(target, error)}`
  const status = await within<number>(timeoutMs, socket, words, (resolve, reject) => {
    const asked = request({ path, headers, createConnection: () => socket as never }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    asked.on('error', (error) => reject(new Error(words(error))))
    asked.end()
  })
  if (status >= 200 && status < 400) return ok
  return { ok: false, message: `HTTP probe failed with statuscode: ${status}` }
}

/** Certificates of probed servers are not verified, as upstream. */
async function startTls(plain: Duplex): Promise<Duplex> {
  const { connect } = await import('node:tls')
  return connect({ socket: plain, rejectUnauthorized: false })
}

async function probeTcp(
  target: NonNullable<Probe['tcpSocket']>,
  container: Container,
  door: ProbeDoor,
  timeoutMs: number,
): Promise<ProbeAnswer> {
  const port = portOf(container, target.port)
  const address = (target.host || door.podAddress) as Address
  const socket = door.connect(address, port)
  const to = `${address.includes(':') ? `[${address}]` : address}:${port}`
  const words = (error?: Error) => (error === undefined ? `dial tcp ${to}: i/o timeout` : dialMessage(to, error))
  return within(timeoutMs, socket, words, (resolve, reject) => {
    // An empty write completes when the connection is there, and sends nothing.
    socket.write(Buffer.alloc(0), (error) => {
      if (error) reject(new Error(words(error)))
      else resolve(ok)
    })
  })
}

async function probeGrpc(
  { port, service = '' }: NonNullable<Probe['grpc']>,
  door: ProbeDoor,
  timeoutMs: number,
): Promise<ProbeAnswer> {
  const { checkHealth } = await import('./grpc-health.ts')
  const socket = door.connect(door.podAddress, port)
  const what = `timeout: failed to connect service "${door.podAddress}:${port}" within ${timeoutMs / 1000}s`
  const words = (error?: Error) => `${what}: ${error?.message ?? 'context deadline exceeded'}`
  const status = await within<string>(timeoutMs, socket, words, (resolve, reject) => {
    checkHealth(socket, `${door.podAddress}:${port}`, service).then(resolve, reject)
  })
  return status === 'SERVING' ? ok : { ok: false, message: `service unhealthy (responded with "${status}")` }
}

async function probeExec(argv: readonly string[], door: ProbeDoor, timeoutMs: number): Promise<ProbeAnswer> {
  const { exitCode, output } = await door.exec(argv, timeoutMs)
  return exitCode === 0 ? ok : { ok: false, message: output.slice(0, 1024) || `exit code ${exitCode}` }
}

/** Runs an attempt over a socket that is destroyed at its end or after the timeout; `words` says what an error means, or its absence in time. */
async function within<T>(
  timeoutMs: number,
  socket: Duplex,
  words: (error?: Error) => string,
  work: (resolve: (value: T) => void, reject: (error: Error) => void) => void,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  try {
    return await new Promise<T>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(words())), timeoutMs)
      socket.on('error', (error) => reject(new Error(words(error))))
      work(resolve, reject)
    })
  } finally {
    clearTimeout(timer)
    socket.destroy()
  }
}
