import { connect } from 'node:http2'
import type { Duplex } from 'node:stream'

// grpc.health.v1.HealthCheckResponse.ServingStatus
const statuses = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']

/** Asks `grpc.health.v1.Health/Check` over a connection of its own; resolves to the name of the serving status. */
export function checkHealth(socket: Duplex, authority: string, service: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://${authority}`, { createConnection: () => socket })
    session.on('error', reject)
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'kube-probe/1.33',
    })
    const chunks: Buffer[] = []
    let grpcStatus: string | undefined
    const note = (headers: Record<string, unknown>): void => {
      if (headers['grpc-status'] !== undefined) grpcStatus = String(headers['grpc-status'])
    }
    stream.on('response', note)
    stream.on('trailers', note)
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('error', reject)
    stream.on('end', () => {
      session.close()
      if (grpcStatus !== '0')
        reject(new Error(`error: health rpc probe failed: grpc-status ${grpcStatus ?? 'missing'}`))
      else resolve(statuses[servingStatus(Buffer.concat(chunks))] ?? 'UNKNOWN')
    })
    stream.end(requestMessage(service))
  })
}

/** HealthCheckRequest { string service = 1 } behind the five bytes of gRPC framing. */
export function requestMessage(service: string): Buffer {
  const name = Buffer.from(service).subarray(0, 127)
  const body = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, name.length]), name])
  return Buffer.concat([Buffer.from([0, 0, 0, 0, body.length]), body])
}

/** Field 1 (a varint) of the first message; absent means its default, 0. */
export function servingStatus(message: Buffer): number {
  return message[5] === 0x08 ? (message[6] ?? 0) : 0
}
