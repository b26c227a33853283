import { createSocket } from 'node:dgram'
import { familyOf, parseAddress } from '../addr/index.ts'
import type { Outcome, Probe } from '../doctor/index.ts'
import { type Host, HostError, type Namespace } from '../host/index.ts'
import type { Tap } from './tap.ts'
import type { Patience, Tried } from './tcp.ts'

/** Sends one datagram from the namespace: a DNS question, or a byte that only a refusal answers. Never rejects. */
export async function tryUdp(
  host: Host,
  namespace: Namespace,
  tap: Tap,
  probe: Probe,
  patience: Patience,
): Promise<Tried> {
  const family = familyOf(probe.address)
  let bound: { fd: number; port: number }
  try {
    bound = host.bindUdp(namespace, parseAddress(family === 4 ? '0.0.0.0' : '::'), 0)
  } catch (error) {
    if (!(error instanceof HostError)) throw error
    return { outcome: { kind: 'unseen', says: error.message }, sight: undefined }
  }
  const sight = tap.watch(bound.port)
  const socket = createSocket(family === 4 ? 'udp4' : 'udp6')
  socket.bind({ fd: bound.fd })
  const { default: packet } = await import('dns-packet')
  const { speech } = probe
  const bytes =
    speech.kind === 'dns'
      ? packet.encode({
          type: 'query',
          id: bound.port,
          flags: packet.RECURSION_DESIRED,
          questions: [{ type: speech.type, name: speech.name }],
        })
      : Buffer.from([0])
  try {
    const outcome = await new Promise<Outcome>((resolve) => {
      const timer = setTimeout(
        () => resolve(later()),
        speech.kind === 'dns' ? patience.connectMs : Math.min(400, patience.connectMs),
      )
      const done = (outcome: Outcome): void => {
        clearTimeout(timer)
        resolve(outcome)
      }
      const later = (): Outcome => {
        if (sight.icmp !== undefined)
          return { kind: 'refused', by: 'icmp', from: sight.icmp.from, says: sight.icmp.says }
        return speech.kind === 'dns' ? { kind: 'silence' } : { kind: 'answered', says: 'sent, and nobody refused it' }
      }
      socket.on('message', (message) =>
        done(
          speech.kind === 'dns'
            ? readDns(packet.decode(message), speech.name)
            : { kind: 'answered', says: 'a datagram came back' },
        ),
      )
      socket.on('error', (error) => done({ kind: 'unreachable', says: error.message }))
      socket.send(bytes, probe.port, probe.address, (error) => {
        if (error !== null) done({ kind: 'unreachable', says: error.message })
      })
    })
    return { outcome, sight }
  } finally {
    socket.close()
  }
}

function readDns(answer: { rcode?: string; answers?: { type: string; data?: unknown }[] }, name: string): Outcome {
  const code = answer.rcode ?? 'NOERROR'
  const addresses = (answer.answers ?? []).flatMap(({ type, data }) =>
    type === 'A' || type === 'AAAA' ? [String(data)] : [],
  )
  if (code !== 'NOERROR') return { kind: 'garbled', speaks: 'other', says: `${name} is ${code}` }
  if (addresses.length === 0) return { kind: 'garbled', speaks: 'other', says: `${name} has no address` }
  return { kind: 'answered', says: addresses.join(', '), addresses }
}
