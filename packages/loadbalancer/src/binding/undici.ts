import { type DecoratorHandler, Dispatcher, Pool } from 'undici'
import { addressOf, originOf, type ServiceInstance } from '../instance.ts'
import type { LoadBalancers } from '../registry.ts'
import type { Traffic } from '../traffic/run.ts'
import { Exchange } from './exchange.ts'

export interface BalancedDispatcherOptions {
  readonly balancers: LoadBalancers
  /** For hosts that are no service; without it they are refused. */
  readonly fallback?: Dispatcher
  /** Options of each instance's Pool; or make it. TLS to addresses needs `connect: { servername }`. */
  readonly pool?: Pool.Options | ((origin: string, instance: ServiceInstance) => Dispatcher)
}

type Handler = Dispatcher.DispatchHandler & Partial<DecoratorHandler>

/**
 * An undici Dispatcher for which the host of a URL is a service: `setGlobalDispatcher(new BalancedDispatcher(…))`, then `fetch('http://orders/…')`.
 * With the service's retries, hedges, limit and deadline. An instance that leaves keeps its connections until its requests have ended.
 */
export class BalancedDispatcher extends Dispatcher {
  readonly #options: BalancedDispatcherOptions
  readonly #pools = new Map<string, ServicePools>()

  constructor(options: BalancedDispatcherOptions) {
    super()
    this.#options = options
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Handler): boolean {
    const host = hostOf(options.origin)
    const pools = this.#pools.get(host) ?? this.#open(host)
    if (pools === undefined) {
      if (this.#options.fallback !== undefined) return this.#options.fallback.dispatch(options, handler)
      throw new Error(`"${host}" is not among the services and there is no fallback dispatcher`)
    }
    new Exchange(pools.traffic, (instance) => pools.get(instance), options, handler).start()
    return true
  }

  #open(host: string): ServicePools | undefined {
    const traffic = this.#options.balancers.find(host)
    if (traffic === undefined) return undefined
    const pools = new ServicePools(traffic, this.#options.pool ?? {})
    this.#pools.set(host, pools)
    return pools
  }

  override close(): Promise<void>
  override close(callback: () => void): void
  override close(callback?: () => void): Promise<void> | void {
    const closed = Promise.all([...this.#pools.values()].map((pools) => pools.close())).then(() => undefined)
    this.#pools.clear()
    if (callback === undefined) return closed
    void closed.then(callback)
  }

  override destroy(...given: unknown[]): Promise<void> {
    const error = given.find((one): one is Error => one instanceof Error) ?? null
    const callback = given.find((one): one is () => void => typeof one === 'function')
    const destroyed = Promise.all([...this.#pools.values()].map((pools) => pools.destroy(error))).then(() => undefined)
    this.#pools.clear()
    if (callback !== undefined) void destroyed.then(callback)
    return destroyed
  }
}

/** The connections to one service, by instance. */
class ServicePools {
  readonly traffic: Traffic
  readonly #options: NonNullable<BalancedDispatcherOptions['pool']>
  readonly #byId = new Map<string, { address: string; pool: Dispatcher }>()
  readonly #stop: () => void

  constructor(traffic: Traffic, options: NonNullable<BalancedDispatcherOptions['pool']>) {
    this.traffic = traffic
    this.#options = options
    this.#stop = traffic.balancer.onChange(() => this.#closeOthers())
  }

  get(instance: ServiceInstance): Dispatcher {
    const known = this.#byId.get(instance.instanceId)
    if (known !== undefined) return known.pool
    const origin = originOf(instance)
    const pool = typeof this.#options === 'function' ? this.#options(origin, instance) : new Pool(origin, this.#options)
    this.#byId.set(instance.instanceId, { address: addressOf(instance), pool })
    return pool
  }

  #closeOthers(): void {
    const there = new Map(this.traffic.balancer.instances.map((one) => [one.instanceId, addressOf(one)]))
    for (const [id, { address, pool }] of this.#byId) {
      if (there.get(id) === address) continue
      this.#byId.delete(id)
      // Waits for the requests under way: this is the drain.
      void pool.close().catch(() => undefined)
    }
  }

  async close(): Promise<void> {
    this.#stop()
    await Promise.all([...this.#byId.values()].map(({ pool }) => pool.close()))
  }

  async destroy(error: Error | null): Promise<void> {
    this.#stop()
    await Promise.all([...this.#byId.values()].map(({ pool }) => pool.destroy(error)))
  }
}

/** The host of an origin, without the port. */
function hostOf(origin: string | URL | undefined): string {
  if (origin === undefined) return ''
  if (typeof origin !== 'string') return origin.hostname
  const from = origin.indexOf('://') + 3
  for (let i = from; i < origin.length; i++) if (origin[i] === ':' || origin[i] === '/') return origin.slice(from, i)
  return origin.slice(from)
}
