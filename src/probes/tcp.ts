import { Socket } from 'node:net'
import type { Outcome, Probe } from '../doctor/index.ts'
import { type Host, HostError, type Namespace } from '../host/index.ts'
import { preface, readAnswer, requestText } from './speak.ts'
import type { Sight, Tap } from './tap.ts'
import { speakTls } from './tls.ts'

/** How long each part of a try may take, in milliseconds. */
export interface Patience {
  readonly connectMs: number
  readonly answerMs: number
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
  if (probe.speech.kind !== 'http' || tried.outcome.kind !== 'closed') return tried
  // An end without a word may be an application that fails, or one that expects TLS: a ClientHello tells them apart.
  const speech = { kind: 'https', host: probe.speech.host, path: probe.speech.path, sni: '' } as const
  const { outcome } = await tryOnce(host, namespace, tap, { ...probe, speech }, patience)
  const isTls =
    (outcome.kind === 'answered' && outcome.tls !== undefined) ||
    (outcome.kind === 'garbled' && outcome.speaks === 'tls')
  if (!isTls) return tried
  return {
    ...tried,
    outcome: { kind: 'garbled', speaks: 'tls', says: 'closed on plain HTTP, and TLS came back to a ClientHello' },
  }
}

async function tryOnce(host: Host, namespace: Namespace, tap: Tap, probe: Probe, patience: Patience): Promise<Tried> {
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
    return { outcome: await converse(socket, sight, probe, patience), sight }
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
  return { kind: 'unseen', says: `${code} ${errno}` }
}

async function converse(socket: Socket, sight: Sight, probe: Probe, patience: Patience): Promise<Outcome> {
  const failed = new Promise<NodeJS.ErrnoException>((resolve) => socket.once('error', resolve))
  const connected = whenConnected(socket, sight)
  const first = await within(patience.connectMs, Promise.race([connected, failed]))
  if (first === undefined || first === 'icmp') return told(sight)
  if (first !== true) return explain(first, sight)
  switch (probe.speech.kind) {
    case 'https':
      return speakTls(socket, probe.speech, patience.answerMs)
    case 'http':
    case 'h2c':
      return exchange(socket, probe.speech, failed, patience.answerMs)
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
  answerMs: number,
): Promise<Outcome> {
  const chunks: Buffer[] = []
  const outcome = new Promise<Outcome>((resolve) => {
    const judge = (end: boolean): void => {
      const answer = readAnswer(speech.kind, Buffer.concat(chunks), end)
      if (answer !== undefined) resolve(answer)
    }
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      judge(false)
    })
    socket.once('end', () => judge(true))
    void failed.then(() => (chunks.length > 0 ? judge(true) : resolve({ kind: 'closed', how: 'reset' })))
  })
  socket.write(speech.kind === 'http' ? requestText(speech) : preface)
  return (await within(answerMs, outcome)) ?? { kind: 'stalled' }
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
