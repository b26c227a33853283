import { Socket } from 'node:net'
import type { Outcome, Probe } from '../doctor/index.ts'
import { type Host, HostError, type Namespace } from '../host/index.ts'
import { canFollow, preface, readAnswer, requestText } from './speak.ts'
import type { Sight, Tap } from './tap.ts'
import { speakTls } from './tls.ts'

/** How long each part of a try may take, in milliseconds. */
export interface Patience {
  readonly connectMs: number
  readonly answerMs: number
  /** When a try is over whatever it waits for, by `performance.now()`. */
  readonly until: number
}

/** One try: what came of it, and what the wire says. */
export interface Tried {
  readonly outcome: Outcome
  /** Filled while packets come in, which may be after the outcome. */
  readonly sight: Sight | undefined
}

/** How long the packet that explains an error may come after it: both come from the kernel, on two sockets. */
const explanationMs = 15
/** How long a connection to which nothing is said is watched for an end. */
const holdMs = 60
const pollMs = 5
const icmpGraceMs = 50

/** Opens a connection from the namespace and speaks as the probe says. Never rejects. */
export async function tryTcp(
  host: Host,
  namespace: Namespace,
  tap: Tap,
  probe: Probe,
  patience: Patience,
): Promise<Tried> {
  const tried = await tryOnce(host, namespace, tap, probe, patience)
  const { speech } = probe
  if (speech.kind !== 'http' || speech.idleMs !== undefined || tried.outcome.kind !== 'closed') return tried
  // An end without a word may be an application that fails, or one that expects something before HTTP: what it answers to tells them apart.
  const [tls, proxied] = await Promise.all([
    tryOnce(host, namespace, tap, { ...probe, speech: { ...speech, kind: 'https', sni: '' } }, patience),
    tryOnce(host, namespace, tap, probe, patience, proxyHeader(probe)),
  ])
  const outcome = tls.outcome
  if (
    (outcome.kind === 'answered' && outcome.tls !== undefined) ||
    (outcome.kind === 'garbled' && outcome.speaks === 'tls')
  )
    return garbled(tried, 'tls', 'closed on plain HTTP, and TLS came back to a ClientHello')
  if (proxied.outcome.kind === 'answered')
    return garbled(
      tried,
      'proxy',
      `closed on plain HTTP, and ${proxied.outcome.says} came back after a header of the PROXY protocol`,
    )
  return tried
}

function garbled(tried: Tried, speaks: 'tls' | 'proxy', says: string): Tried {
  return { ...tried, outcome: { kind: 'garbled', speaks, says } }
}

/** A header of version 1 (haproxy.org, proxy-protocol.txt, 2.1) with addresses for documentation. */
function proxyHeader({ address, port }: Probe): string {
  return address.includes(':')
    ? `PROXY TCP6 2001:db8::1 ${address} 40000 ${port}\r\n`
    : `PROXY TCP4 192.0.2.1 ${address} 40000 ${port}\r\n`
}

async function tryOnce(
  host: Host,
  namespace: Namespace,
  tap: Tap,
  probe: Probe,
  patience: Patience,
  before = '',
): Promise<Tried> {
  let fd: number
  try {
    fd = host.connectTcp(namespace, probe.address, probe.port).fd
  } catch (error) {
    if (!(error instanceof HostError)) throw error
    return { outcome: refusedHere(error), sight: undefined }
  }
  const socket = new Socket({ fd })
  const sight = tap.watch(socket.localPort ?? 0)
  try {
    return { outcome: await converse(socket, sight, probe, patience, before), sight }
  } finally {
    socket.destroy()
  }
}

function refusedHere({ errno, code }: HostError): Outcome {
  if (errno === 'ENETUNREACH' || errno === 'EHOSTUNREACH')
    return { kind: 'unreachable', says: `${errno}, this machine has no way there` }
  // A drop in the output hook is told to the caller as EPERM.
  if (errno === 'EPERM' || errno === 'EACCES')
    return { kind: 'refused', by: 'unknown', says: `${errno}, by a rule or route of the sender’s own machine` }
  if (errno === 'ECONNREFUSED') return { kind: 'refused', by: 'reset', says: 'by the machine itself' }
  // connect(2) chooses the port, of ip_local_port_range, and finds none that is free for that destination.
  if (errno === 'EADDRNOTAVAIL') return { kind: 'exhausted', says: `${errno}, no local port is free for it` }
  return { kind: 'unseen', says: `${code} ${errno}` }
}

async function converse(
  socket: Socket,
  sight: Sight,
  probe: Probe,
  patience: Patience,
  before: string,
): Promise<Outcome> {
  const failed = new Promise<NodeJS.ErrnoException>((resolve) => socket.once('error', resolve))
  const connected = whenConnected(socket, sight)
  const first = await within(remaining(patience, patience.connectMs), Promise.race([connected, failed]))
  if (first === undefined || first === 'icmp') return told(sight)
  if (first !== true) return explain(first, sight)
  switch (probe.speech.kind) {
    case 'https':
      return speakTls(socket, probe.speech, remaining(patience, patience.answerMs))
    case 'http':
    case 'h2c':
      if (before !== '') socket.write(before)
      return exchange(socket, probe.speech, failed, patience)
    default: {
      const end = await within(holdMs, Promise.race([failed, ended(socket)]))
      if (end === undefined) return { kind: 'answered', says: 'connected' }
      return { kind: 'closed', how: end instanceof Error ? 'reset' : 'end' }
    }
  }
}

/** Node does not tell when a connection of a given descriptor is there; its peer has a name from then on. */
function whenConnected(socket: Socket, sight: Sight): Promise<true | 'icmp'> {
  return new Promise((resolve) => {
    let waited = 0
    const look = (): void => {
      if (socket.destroyed) return
      if (sight.connected || socket.remotePort !== undefined) resolve(true)
      // An error that comes while connect(2) still holds the socket is forgotten until the next packet, a second later.
      else if (sight.icmp !== undefined && ++waited > icmpGraceMs / pollMs) resolve('icmp')
      else setTimeout(look, pollMs)
    }
    look()
  })
}

function told({ icmp }: Sight): Outcome {
  if (icmp === undefined) return { kind: 'silence' }
  if (/port unreachable|prohibited/.test(icmp.says)) return { kind: 'refused', by: 'icmp', ...icmp }
  return { kind: 'unreachable', says: `ICMP ${icmp.says} from ${icmp.from}` }
}

async function explain(error: NodeJS.ErrnoException, sight: Sight): Promise<Outcome> {
  await new Promise((resolve) => setTimeout(resolve, explanationMs))
  const { reset, icmp } = sight
  if (error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET') {
    if (icmp !== undefined) return { kind: 'refused', by: 'icmp', from: icmp.from, says: icmp.says }
    return {
      kind: 'refused',
      by: reset === undefined ? 'unknown' : 'reset',
      ...(reset === undefined ? {} : reset),
      says: '',
    }
  }
  const says = icmp === undefined ? (error.code ?? error.message) : `ICMP ${icmp.says} from ${icmp.from}`
  return { kind: 'unreachable', says }
}

async function exchange(
  socket: Socket,
  speech: Extract<Probe['speech'], { kind: 'http' | 'h2c' }>,
  failed: Promise<NodeJS.ErrnoException>,
  patience: Patience,
): Promise<Outcome> {
  const ear = new Ear(socket, failed)
  const say = (): Promise<Outcome> => {
    socket.write(speech.kind === 'http' ? requestText(speech) : preface)
    return ear.hear(speech.kind, remaining(patience, patience.answerMs))
  }
  const first = await say()
  if (speech.kind !== 'http' || speech.idleMs === undefined || first.kind !== 'answered') return first
  if (first.http === undefined || !canFollow(first.http, ear.bytes)) return first
  const closed = await within(speech.idleMs, ear.ended)
  if (closed !== undefined) return { ...first, says: `${first.says}, then the idle connection was closed` }
  ear.forget()
  const second = await say()
  // That it takes longer than there is time for is told by others.
  return second.kind === 'stalled' ? first : second
}

/** Listens to one connection, answer after answer. */
class Ear {
  bytes = Buffer.alloc(0)
  readonly ended: Promise<'end' | 'reset'>
  #over: 'end' | 'reset' | undefined
  #judge: () => void = () => undefined

  constructor(socket: Socket, failed: Promise<NodeJS.ErrnoException>) {
    const { promise, resolve } = Promise.withResolvers<'end' | 'reset'>()
    this.ended = promise
    socket.on('data', (chunk: Buffer) => {
      this.bytes = Buffer.concat([this.bytes, chunk])
      this.#judge()
    })
    socket.once('end', () => resolve('end'))
    void failed.then(() => resolve('reset'))
    void promise.then((how) => {
      this.#over = how
      this.#judge()
    })
  }

  forget(): void {
    this.bytes = Buffer.alloc(0)
  }

  /** The next answer; a part of one that is not whole in time is told as one that was cut. */
  async hear(spoken: 'http' | 'h2c', patienceMs: number): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>()
    this.#judge = () => {
      const reset = this.#over === 'reset' && this.bytes.length === 0
      const outcome = reset
        ? ({ kind: 'closed', how: 'reset' } as const)
        : readAnswer(spoken, this.bytes, this.#over !== undefined)
      if (outcome !== undefined) resolve(outcome)
    }
    this.#judge()
    const late = async (): Promise<Outcome> => {
      const part = this.bytes.length === 0 ? undefined : readAnswer(spoken, this.bytes, true)
      return part?.kind === 'answered' ? part : { kind: 'stalled' }
    }
    return (await within(patienceMs, promise)) ?? late()
  }
}

/** What is left of a part's time. */
function remaining({ until }: Patience, ms: number): number {
  return Math.max(0, Math.min(ms, until - performance.now()))
}

function ended(socket: Socket): Promise<true> {
  return new Promise((resolve) => {
    socket.once('end', () => resolve(true))
    socket.resume()
  })
}

/** The value, or undefined when the time is over first. */
export function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), ms)
    void promise.then((value) => {
      clearTimeout(timer)
      resolve(value)
    })
  })
}
