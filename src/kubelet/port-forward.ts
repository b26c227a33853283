import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Address } from '../addr/index.ts'
import type { Host, Namespace } from '../host/index.ts'
import type { SpdyStream } from '../spdy/index.ts'

/** The protocol of port-forward over SPDY. */
export const portForwardProtocol = 'portforward.k8s.io'

/** Opens a connection to a port of a pod; rejects with the reason when nobody listens there. */
export type Dial = (port: number) => Promise<Socket>

/** Dials the pod's own loopback, IPv4 first, as container runtimes do. */
export function dialPod(host: Host, namespace: Namespace): Dial {
  return async (port) => {
    let failure: unknown
    for (const address of ['127.0.0.1', '::1'] as Address[]) {
      try {
        return await settled(new Socket({ fd: host.connectTcp(namespace, address, port).fd, allowHalfOpen: true }))
      } catch (error) {
        failure ??= error
      }
    }
    throw failure
  }
}

/** The loopback's answer is there when `connect` returns, so an error is told within one turn of the event loop. */
function settled(socket: Socket): Promise<Socket> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    setImmediate(() =>
      setImmediate(() => {
        socket.off('error', reject)
        if (!socket.destroyed) resolve(socket)
      }),
    )
  })
}

/**
 * Forwards connections of one SPDY connection: each is a pair of streams with the same `requestID`, `error` first. A port out of
 * range and a pod that does not answer are told on the error stream.
 */
export function forwardSpdy(dial: Dial): (stream: SpdyStream) => void {
  const errors = new Map<string, SpdyStream>()
  return (stream) => {
    // Clients from before requestID number the data stream two after its error stream.
    const own = stream.headers.get('requestid')
    const type = stream.headers.get('streamtype')
    const request = own ?? String(type === 'error' ? stream.id : stream.id - 2)
    if (type === 'error') {
      stream.resume()
      errors.set(request, stream)
      stream.once('close', () => errors.delete(request))
      return
    }
    const error = errors.get(request)
    errors.delete(request)
    if (type !== 'data' || error === undefined) return void stream.destroy()
    const port = Number(stream.headers.get('port'))
    void forward(stream, port, dial, (message) => error.end(message))
  }
}

/** Joins a client's stream to a port of the pod; `tell` gets the reason when that fails, and undefined at a good end. */
export async function forward(
  client: Duplex,
  port: number,
  dial: Dial,
  tell: (message: string | undefined) => void,
): Promise<void> {
  const failed = (error: unknown): void => {
    const reason = error instanceof Error ? error.message : String(error)
    tell(`error forwarding port ${port} inside the pod: ${reason}`)
  }
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    failed(new Error('it is no port number'))
    return void client.destroy()
  }
  try {
    const socket = await dial(port)
    join(client, socket, failed, () => tell(undefined))
  } catch (error) {
    failed(error)
    client.end()
  }
}

function join(client: Duplex, socket: Socket, failed: (error: Error) => void, done: () => void): void {
  socket.on('error', (error) => {
    failed(error)
    client.destroy()
  })
  client.on('error', () => socket.destroy())
  client.once('close', () => socket.destroySoon())
  socket.once('close', () => {
    client.end()
    done()
  })
  client.pipe(socket)
  socket.pipe(client)
}
