import { createServer, type Server, type ServerResponse } from 'node:http'
import { type Address, familyOf } from '../addr/index.ts'
import { type ObjectKey, splitKey } from '../cluster/index.ts'
import type { Host, Namespace } from '../host/index.ts'
import type { NodePlan } from '../nodeplan/index.ts'
import type { Log } from './contract.ts'

interface Place {
  readonly address: Address
  readonly port: number
  /** What is answered there now. */
  key: ObjectKey
  localEndpoints: number
}

/**
 * The HTTP servers of `healthCheckNodePort`, one per port and node address, which tell load balancers whether this node has
 * ready endpoints (KEP-1669); status, headers and body are upstream's.
 */
export class HealthPorts {
  readonly #host: Host
  readonly #namespace: Namespace
  readonly #fresh: () => boolean
  readonly #log: Log
  #checks: NodePlan['healthChecks'] | undefined
  #addresses: readonly Address[] | undefined
  #refused = false
  readonly #servers = new Map<string, { readonly place: Place; readonly server: Server }>()

  /** `fresh` tells whether the kernel holds what the objects say. */
  constructor(host: Host, namespace: Namespace, fresh: () => boolean, log: Log) {
    this.#host = host
    this.#namespace = namespace
    this.#fresh = fresh
    this.#log = log
  }

  /** Listens for the Services that the plan has, and for no others. A port that somebody else has is told and tried again next time. */
  update({ healthChecks, view }: Pick<NodePlan, 'healthChecks' | 'view'>): void {
    const addresses = view.nodePortAddresses
    // A new map means that something changed, and most rounds change nothing here.
    if (healthChecks === this.#checks && addresses === this.#addresses && !this.#refused) return
    this.#checks = healthChecks
    this.#addresses = addresses
    this.#refused = false
    const wanted = new Map<string, Place>()
    for (const [key, { port, localEndpoints }] of healthChecks) {
      for (const address of addresses) {
        const id = `${address} ${port}`
        if (!wanted.has(id)) wanted.set(id, { address, port, key, localEndpoints: localEndpoints[familyOf(address)] })
      }
    }
    for (const [id, { server }] of this.#servers) {
      if (wanted.has(id)) continue
      this.#servers.delete(id)
      close(server)
    }
    for (const [id, place] of wanted) {
      const known = this.#servers.get(id)
      if (known === undefined) this.#listen(id, place)
      else Object.assign(known.place, place)
    }
  }

  close(): void {
    for (const { server } of this.#servers.values()) close(server)
    this.#servers.clear()
  }

  #listen(id: string, place: Place): void {
    try {
      const { fd } = this.#host.listenTcp(this.#namespace, place.address, place.port)
      const server = createServer((_request, response) => answer(response, place, this.#fresh()))
      server.requestTimeout = 10_000
      server.listen({ fd })
      this.#servers.set(id, { place, server })
    } catch (error) {
      this.#refused = true
      const fields = { service: place.key, address: place.address, port: place.port, error: String(error) }
      this.#log.warn(fields, 'healthCheckNodePort cannot be served')
    }
  }
}

function answer(response: ServerResponse, { key, localEndpoints }: Place, serviceProxyHealthy: boolean): void {
  const { namespace, name } = splitKey(key)
  response.writeHead(localEndpoints > 0 && serviceProxyHealthy ? 200 : 503, {
    'Content-Type': 'application/json',
    'X-Content-Type-Options': 'nosniff',
    'X-Load-Balancing-Endpoint-Weight': String(localEndpoints),
  })
  response.end(JSON.stringify({ service: { namespace, name }, localEndpoints, serviceProxyHealthy }, null, '\t'))
}

function close(server: Server): void {
  server.close()
  server.closeAllConnections()
}
