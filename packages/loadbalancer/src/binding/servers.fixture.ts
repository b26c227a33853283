import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { staticList } from '../discovery/static.ts'
import { LoadBalancers, type RegistryOptions } from '../registry.ts'

/** A server on loopback that counts what it is asked; it answers its name unless told otherwise. */
export interface Replica {
  readonly name: string
  readonly address: string
  requests: number
  answer: RequestListener
  readonly server: Server
}

export async function startReplicas(count: number): Promise<Replica[] & AsyncDisposable> {
  const replicas = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const server = createServer((request, response) => {
        replica.requests++
        replica.answer(request, response)
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const replica: Replica = {
        name: `r${i}`,
        address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
        requests: 0,
        answer: (request, response) => request.resume().on('end', () => response.end(`r${i}`)),
        server,
      }
      return replica
    }),
  )
  return Object.assign(replicas, {
    async [Symbol.asyncDispose]() {
      await Promise.all(replicas.map((replica) => stopReplica(replica)))
    },
  })
}

/** Ends it with its connections. */
export async function stopReplica({ server }: Replica): Promise<void> {
  if (!server.listening) return
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
}

/** Balancers with one service, `orders`. */
export function ordersOf(
  replicas: readonly Pick<Replica, 'address'>[],
  options: Omit<RegistryOptions['clients'][string], 'discovery'> = {},
): { balancers: LoadBalancers; discovery: ReturnType<typeof staticList> } {
  const discovery = staticList(
    'orders',
    replicas.map(({ address }) => address),
  )
  return { balancers: new LoadBalancers({ clients: { orders: { discovery, seed: 1, ...options } } }), discovery }
}
