import { LoadBalancer } from './balancer.ts'
import type { LoadBalancerOptions } from './options.ts'
import { type Attempt, type RunOptions, run, Traffic } from './traffic/run.ts'

type ServiceOptions = Omit<LoadBalancerOptions, 'serviceId'>

/** Options for all services, and those that differ by service (`spring.cloud.loadbalancer.clients.<serviceId>.*`). */
export interface RegistryOptions {
  readonly defaults?: Partial<ServiceOptions>
  readonly clients: Readonly<Record<string, ServiceOptions>>
}

/** One balancer for each service, made when it is first asked for. */
export class LoadBalancers {
  readonly #options: RegistryOptions
  readonly #traffic = new Map<string, Traffic>()

  constructor(options: RegistryOptions) {
    this.#options = options
  }

  /** The service's balancer with its retry budget, limit and latencies; undefined for a service that is not configured. */
  find(serviceId: string): Traffic | undefined {
    const known = this.#traffic.get(serviceId)
    if (known !== undefined) return known
    if (!Object.hasOwn(this.#options.clients, serviceId)) return undefined
    const own = this.#options.clients[serviceId]!
    const traffic = new Traffic(new LoadBalancer({ ...this.#options.defaults, ...own, serviceId }))
    this.#traffic.set(serviceId, traffic)
    return traffic
  }

  /** Throws for a service that is not configured, with those that are. */
  get(serviceId: string): Traffic {
    const found = this.find(serviceId)
    if (found !== undefined) return found
    const known = Object.keys(this.#options.clients).join(', ')
    throw new Error(`service "${serviceId}" is not among the clients; there are: ${known || 'none'}`)
  }

  run<T>(serviceId: string, attempt: (attempt: Attempt) => Promise<T>, options?: RunOptions<T>): Promise<T> {
    return run(this.get(serviceId), attempt, options)
  }

  /** Eager loading: resolves when every configured service has its first list. */
  async ready(): Promise<void> {
    await Promise.all(Object.keys(this.#options.clients).map((serviceId) => this.get(serviceId).balancer.ready()))
  }

  close(): void {
    for (const { balancer } of this.#traffic.values()) balancer.close()
    this.#traffic.clear()
  }
}
