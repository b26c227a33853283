import { type ChannelOptions, connectivityState, experimental, type Metadata, status } from '@grpc/grpc-js'
import type { LoadBalancer } from '../balancer.ts'
import { addressOf, type BalancedRequest } from '../instance.ts'
import type { Lease } from '../lease.ts'
import type { LoadBalancers } from '../registry.ts'

const policyName = 'plumb'

type Helper = experimental.ChannelControlHelper
type Endpoints = Parameters<experimental.LoadBalancer['updateAddressList']>[0]

/** Answers that speak against the instance rather than the request. */
const failures = new Set([
  status.UNKNOWN,
  status.DEADLINE_EXCEEDED,
  status.RESOURCE_EXHAUSTED,
  status.INTERNAL,
  status.UNAVAILABLE,
  status.DATA_LOSS,
])

/**
 * Makes `plumb:///orders` a target of grpc-js: instances by the service's discovery, picked by its balancer. Once per process; a later call replaces the balancers for channels made afterwards.
 */
export function registerGrpc(balancers: LoadBalancers): void {
  current = balancers
  if (experimental.isLoadBalancerNameRegistered(policyName)) return
  experimental.registerResolver('plumb', ServiceResolver)
  experimental.registerLoadBalancerType(policyName, ServicePolicy, PolicyConfig)
}

let current: LoadBalancers | undefined

function balancerOf(service: string): LoadBalancer {
  return current!.get(service).balancer
}

/** Tells a channel the instances of a service, whenever they change. */
class ServiceResolver implements experimental.Resolver {
  readonly #listener: experimental.ResolverListener
  readonly #service: string
  #stop: (() => void) | undefined

  constructor(target: experimental.GrpcUri, listener: experimental.ResolverListener) {
    this.#listener = listener
    this.#service = target.path.replace(/^\//, '')
    balancerOf(this.#service)
  }

  updateResolution(): void {
    if (this.#stop !== undefined) return
    const balancer = balancerOf(this.#service)
    this.#stop = balancer.onChange(() => this.#tell(balancer))
    void balancer.ready().then(() => this.#tell(balancer))
  }

  destroy(): void {
    this.#stop?.()
    this.#stop = undefined
  }

  static getDefaultAuthority(target: experimental.GrpcUri): string {
    return target.path.replace(/^\//, '')
  }

  #tell(balancer: LoadBalancer): void {
    if (this.#stop === undefined) return
    const endpoints = balancer.instances.map(({ host, port }) => ({ addresses: [{ host, port }] }))
    const config = { loadBalancingConfig: [{ [policyName]: { service: this.#service } }], methodConfig: [] }
    this.#listener(experimental.statusOrFromValue(endpoints), {}, experimental.statusOrFromValue(config), '')
  }
}

class PolicyConfig implements experimental.TypedLoadBalancingConfig {
  readonly service: string

  constructor(service: string) {
    this.service = service
  }

  getLoadBalancerName(): string {
    return policyName
  }

  toJsonObject(): object {
    return { [policyName]: { service: this.service } }
  }

  static createFromJson(config: { service?: unknown }): PolicyConfig {
    if (typeof config.service !== 'string') throw new Error(`${policyName}: service is not a text`)
    return new PolicyConfig(config.service)
  }
}

/** Keeps a connection to every instance; picks among the connected ones by the balancer. */
class ServicePolicy implements experimental.LoadBalancer {
  readonly #helper: Helper
  readonly #leafHelper: Helper
  /** By `host:port`; an instance that stays keeps its connection. */
  readonly #leaves = new Map<string, experimental.LeafLoadBalancer>()
  #balancer: LoadBalancer | undefined
  #trouble: string | null = null
  #isUpdating = false

  constructor(helper: Helper) {
    this.#helper = helper
    this.#leafHelper = experimental.createChildChannelControlHelper(helper, {
      updateState: (_state, _picker, trouble) => {
        if (trouble !== null) this.#trouble = trouble
        this.#report()
      },
    })
  }

  updateAddressList(
    endpoints: Endpoints,
    config: experimental.TypedLoadBalancingConfig,
    options: ChannelOptions,
    note: string,
  ): boolean {
    if (!(config instanceof PolicyConfig)) return false
    this.#balancer = balancerOf(config.service)
    // A resolver in trouble does not make the instances disappear.
    if (!endpoints.ok) return true
    this.#isUpdating = true
    const gone = new Set(this.#leaves.keys())
    for (const endpoint of endpoints.value) {
      const address = addressOf(endpoint.addresses[0] as { host: string; port: number })
      if (gone.delete(address) || this.#leaves.has(address)) continue
      const leaf = new experimental.LeafLoadBalancer(endpoint, this.#leafHelper, options, note)
      this.#leaves.set(address, leaf)
      leaf.startConnecting()
    }
    for (const address of gone) {
      this.#leaves.get(address)?.destroy()
      this.#leaves.delete(address)
    }
    this.#isUpdating = false
    this.#report()
    return true
  }

  exitIdle(): void {
    for (const leaf of this.#leaves.values()) leaf.exitIdle()
  }

  /** Leaves have no backoff of their own; subchannels do. */
  resetBackoff(): void {}

  destroy(): void {
    for (const leaf of this.#leaves.values()) leaf.destroy()
    this.#leaves.clear()
  }

  getTypeName(): string {
    return policyName
  }

  #report(): void {
    if (this.#isUpdating || this.#balancer === undefined) return
    const states = new Map([...this.#leaves].map(([address, leaf]) => [address, leaf.getConnectivityState()]))
    const has = (state: connectivityState) => [...states.values()].includes(state)
    const { READY, CONNECTING, IDLE, TRANSIENT_FAILURE } = connectivityState
    if (has(READY)) {
      const unconnected = this.#balancer.instances.filter((one) => states.get(addressOf(one)) !== READY)
      const avoid = new Set(unconnected.map(({ instanceId }) => instanceId))
      this.#helper.updateState(READY, new ServicePicker(this.#balancer, new Map(this.#leaves), avoid), null)
    } else if (has(CONNECTING) || has(IDLE)) {
      this.#helper.updateState(CONNECTING, new experimental.QueuePicker(this), null)
    } else {
      const details = `${this.#balancer.serviceId}: no instance is connected${this.#trouble === null ? '' : `; ${this.#trouble}`}`
      this.#helper.updateState(TRANSIENT_FAILURE, new experimental.UnavailablePicker({ details }), details)
    }
    for (const [address, state] of states) if (state === IDLE) this.#leaves.get(address)?.exitIdle()
  }
}

class ServicePicker implements experimental.Picker {
  readonly #balancer: LoadBalancer
  readonly #leaves: ReadonlyMap<string, experimental.LeafLoadBalancer>
  readonly #avoid: ReadonlySet<string>

  constructor(
    balancer: LoadBalancer,
    leaves: ReadonlyMap<string, experimental.LeafLoadBalancer>,
    avoid: ReadonlySet<string>,
  ) {
    this.#balancer = balancer
    this.#leaves = leaves
    this.#avoid = avoid
  }

  pick(args: experimental.PickArgs): experimental.PickResult {
    let lease: Lease
    try {
      lease = this.#balancer.pick(describe(args.metadata, this.#avoid))
    } catch (error) {
      return new experimental.UnavailablePicker({ details: (error as Error).message }).pick(args)
    }
    const leaf = this.#leaves.get(addressOf(lease.instance))
    const result = leaf?.getPicker().pick(args)
    if (result === undefined || result.pickResultType !== experimental.PickResultType.COMPLETE) {
      lease.complete('discard')
      return (
        result ?? {
          pickResultType: experimental.PickResultType.QUEUE,
          subchannel: null,
          status: null,
          onCallStarted: null,
          onCallEnded: null,
        }
      )
    }
    return {
      ...result,
      onCallEnded(code, details, metadata) {
        result.onCallEnded?.(code, details, metadata)
        if (code === status.CANCELLED) lease.complete('discard')
        else if (failures.has(code))
          lease.complete('failure', { error: details, origin: code === status.UNAVAILABLE ? 'local' : 'remote' })
        else lease.complete('success')
      },
    }
  }
}

function describe(metadata: Metadata, avoid: ReadonlySet<string>): BalancedRequest {
  return {
    method: 'POST',
    get headers() {
      return metadata.getMap() as Record<string, string>
    },
    avoid,
  }
}
