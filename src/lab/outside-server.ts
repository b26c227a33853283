import { createServer } from 'node:http'
import type { Host } from '../host/index.ts'
import type { Machine } from './rack.ts'

/** The port of the server beyond the router. */
const port = 80

/** How long a connection may be idle, in milliseconds: tests of connections that survive hold them. */
const keepAliveMs = 600_000

/** A web server beyond the router, at each of the machine's addresses: it answers with the source that it sees, `172.30.0.200 1053`. */
export function serveOutside(host: Host, { namespace, addresses }: Machine): void {
  for (const address of addresses) {
    const server = createServer({ keepAliveTimeout: keepAliveMs }, ({ socket }, response) => {
      response.setHeader('content-type', 'text/plain')
      response.end(`${socket.remoteAddress} ${socket.remotePort}\n`)
    })
    server.listen({ fd: host.listenTcp(namespace, address, port).fd })
  }
}
