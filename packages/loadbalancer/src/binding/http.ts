import {
  type ClientRequest,
  Agent as HttpAgent,
  type AgentOptions as HttpAgentOptions,
  type IncomingMessage,
} from 'node:http'
import { Agent as HttpsAgent, type AgentOptions as HttpsAgentOptions } from 'node:https'
import type { BalancedRequest, ServiceInstance } from '../instance.ts'
import type { Lease } from '../lease.ts'
import type { LoadBalancers } from '../registry.ts'

/** The method of Agent through which every request goes; not in the types, and overridden by every agent on npm. */
interface AddsRequests {
  addRequest(request: ClientRequest, options: Record<string, unknown>): void
}

/**
 * An http.Agent for which the host of a request is a service. One attempt per request: node:http has sent the head before an agent could
 * choose again. Hosts that are no service are reached as ever.
 */
export class BalancedAgent extends HttpAgent implements AddsRequests {
  readonly #balancers: LoadBalancers

  constructor(balancers: LoadBalancers, options: HttpAgentOptions = {}) {
    super({ keepAlive: true, ...options })
    this.#balancers = balancers
  }

  addRequest(request: ClientRequest, options: Record<string, unknown>): void {
    route(this.#balancers, HttpAgent.prototype, this, request, options)
  }
}

/** The same for https. The certificate must name the service, whichever instance shows it. */
export class BalancedHttpsAgent extends HttpsAgent implements AddsRequests {
  readonly #balancers: LoadBalancers

  constructor(balancers: LoadBalancers, options: HttpsAgentOptions = {}) {
    super({ keepAlive: true, ...options })
    this.#balancers = balancers
  }

  addRequest(request: ClientRequest, options: Record<string, unknown>): void {
    route(this.#balancers, HttpsAgent.prototype, this, request, options)
  }
}

/** Sends a request on its way through the agent's own machinery, to an instance when its host is a service. */
function route(
  balancers: LoadBalancers,
  prototype: HttpAgent,
  agent: HttpAgent,
  request: ClientRequest,
  options: Record<string, unknown>,
): void {
  const { addRequest } = prototype as unknown as AddsRequests
  const traffic = balancers.find(String(options.host ?? options.hostname))
  if (traffic === undefined) {
    addRequest.call(agent, request, options)
    return
  }
  let lease: Lease
  try {
    lease = traffic.balancer.pick(describe(request))
  } catch (error) {
    // As Agent itself reports a connection that could not be made; `destroy` is silent before there is a socket.
    ;(request as unknown as { onSocket(socket: null, error: unknown): void }).onSocket(null, error)
    return
  }
  follow(request, lease)
  addRequest.call(agent, request, { ...options, ...placeOf(lease.instance) })
}

function placeOf(instance: ServiceInstance): { host: string; port: number } {
  return { host: instance.host, port: instance.port }
}

function describe(request: ClientRequest): BalancedRequest {
  return {
    method: request.method,
    path: request.path,
    get headers() {
      return request.getHeaders() as Record<string, string | string[] | undefined>
    },
  }
}

function follow(request: ClientRequest, lease: Lease): void {
  let status: number | undefined
  let failure: Error | undefined
  request.once('response', (answer: IncomingMessage) => {
    lease.responded()
    status = answer.statusCode
  })
  request.once('error', (error) => {
    failure = error
  })
  request.once('close', () => {
    if (status !== undefined && failure === undefined) lease.done(status)
    else if (request.destroyed && failure === undefined) lease.complete('discard')
    else lease.complete('failure', { error: failure, origin: 'local' })
  })
}
