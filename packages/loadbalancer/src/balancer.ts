import { type Availability, availabilityOf } from './availability.ts'
import { type Clock, systemClock } from './clock.ts'
import type { Endpoint, OutcomeKind } from './endpoint.ts'
import { type Exclusion, type Explanation, verdictOf } from './explain.ts'
import type { Filter } from './filter/filter.ts'
import { startHealthChecks } from './health-check.ts'
import type { BalancedRequest, InstanceList, ServiceInstance } from './instance.ts'
import { type Ending, Lease, type LeaseOwner } from './lease.ts'
import { type LoadBalancerLifecycle, NoInstanceError } from './lifecycle.ts'
import { filtersOf, type LoadBalancerOptions } from './options.ts'
import { OutlierDetection } from './outlier.ts'
import { getPolicy, type PickContext, type Policy, type View } from './policy/index.ts'
import { Random } from './random.ts'
import { Roster } from './roster.ts'

const plain: BalancedRequest = {}
const mostViews = 256

/** Balances the requests to one service: discovery → filters → policy → pick, and learns from how requests end. */
export class LoadBalancer implements LeaseOwner {
  readonly serviceId: string
  readonly options: LoadBalancerOptions
  readonly clock: Clock
  readonly policy: Policy
  readonly #roster = new Roster()
  readonly #filters: readonly Filter[]
  readonly #asking: readonly Filter[]
  readonly #remembering: readonly Filter[]
  readonly #context: PickContext
  readonly #outlier: OutlierDetection | undefined
  readonly #lifecycle: readonly LoadBalancerLifecycle[]
  readonly #views = new Map<string, View>()
  readonly #narrowed = new WeakMap<ReadonlySet<string>, { whole: View; view: View }>()
  readonly #panicPercent: number
  readonly #failurePenaltyMs: number
  readonly #ends: (() => void)[] = []
  readonly #waiting: (() => void)[] = []
  readonly #listeners = new Set<() => void>()
  #available: Availability
  #view: View | undefined
  #isClosed = false

  constructor(options: LoadBalancerOptions) {
    this.serviceId = options.serviceId
    this.options = options
    this.clock = options.clock ?? systemClock
    this.policy = typeof options.policy === 'object' ? options.policy : getPolicy(options.policy ?? 'peak-ewma')
    this.#filters = filtersOf(options)
    this.#asking = this.#filters.filter((filter) => filter.variantOf !== undefined)
    this.#remembering = this.#filters.filter((filter) => filter.picked !== undefined)
    this.#lifecycle = options.lifecycle ?? []
    this.#panicPercent = options.panicThresholdPercent ?? 50
    this.#failurePenaltyMs = options.failurePenaltyMs ?? 1000
    const nowMs = this.clock.now()
    const random = new Random(options.seed)
    const { aggression = 1, minWeightPercent = 10 } = options.slowStart ?? {}
    const slowStart = { aggression, minWeightPercent }
    this.#context = { nowMs, random, sequence: random.int(1000), usualMs: 0, warming: false, slowStart }
    this.#outlier = options.outlier === false ? undefined : new OutlierDetection(options.outlier ?? {}, nowMs)
    this.#available = availabilityOf([], this.#panicPercent, nowMs)
    this.#ends.push(options.discovery.subscribe((list) => this.#update(list)))
    if (options.healthCheck !== undefined)
      this.#ends.push(
        startHealthChecks(
          options.healthCheck,
          this.clock,
          () => this.#roster.endpoints,
          () => this.#refresh(),
        ),
      )
  }

  /** Gives the request to an instance. Throws NoInstanceError when there is none. End the lease when the request has ended. */
  pick(request: BalancedRequest = plain): Lease {
    const nowMs = this.clock.now()
    if (nowMs >= this.#available.untilMs) this.#refresh()
    if (this.#lifecycle.length > 0) this.#tell((observer) => observer.onStart?.(this.serviceId, request))
    const { avoid } = request
    const view = avoid === undefined || avoid.size === 0 ? this.#viewFor(request) : this.#viewWithout(request, avoid)
    const count = view.endpoints.length
    if (count === 0) throw this.#noInstance(request)
    let index = 0
    if (count > 1) {
      const context = this.#context
      context.nowMs = nowMs
      view.prepared ??= this.policy.prepare?.(view.endpoints)
      index = this.policy.pick(view, request, context)
      context.sequence = (context.sequence + 1) & 0x3fff_ffff
      this.policy.picked?.(view)
    }
    const endpoint = view.endpoints[index]!
    endpoint.begin(nowMs)
    for (const filter of this.#remembering) filter.picked?.(endpoint)
    const lease = new Lease(this, endpoint, request, nowMs)
    if (this.#lifecycle.length > 0) this.#tell((observer) => observer.onStartRequest?.(this.serviceId, lease))
    return lease
  }

  /** Where the next `pick(request)` goes, and for each other instance why not. Changes nothing. */
  explain(request: BalancedRequest = plain): Explanation {
    const nowMs = this.clock.now()
    const all = this.#roster.endpoints
    const available = availabilityOf(all, this.#panicPercent, nowMs)
    const excluded = new Map<Endpoint, Exclusion>()
    let endpoints = available.endpoints
    const narrow = (kept: readonly Endpoint[], by: string, because: (endpoint: Endpoint) => string) => {
      const stay = new Set(kept)
      for (const one of endpoints) if (!stay.has(one)) excluded.set(one, { by, because: because(one) })
      endpoints = kept
    }
    const offered = new Set(endpoints)
    for (const one of all)
      if (!offered.has(one)) excluded.set(one, { by: 'availability', because: available.because(one) })
    for (const filter of this.#filters) {
      const variant = filter.variantOf?.(request, this.#roster.inventory) ?? ''
      narrow(filter.apply(endpoints, variant), filter.name, (endpoint) => filter.because(endpoint, variant))
    }
    narrow(without(endpoints, request.avoid), 'retry', () => 'an earlier attempt of this request went there')
    const { picked, because } = this.#foresee(endpoints, request, nowMs)
    const { stale, trouble } = this.#roster
    const decide = (one: Endpoint) => {
      const exclusion = excluded.get(one)
      return { because, ...(picked === undefined ? {} : { picked }), ...(exclusion === undefined ? {} : { exclusion }) }
    }
    return {
      serviceId: this.serviceId,
      source: this.options.discovery.source,
      stale,
      ...(trouble === undefined ? {} : { trouble }),
      policy: this.policy.name,
      panic: available.panic,
      ...(picked === undefined ? {} : { picked: picked.instance.instanceId }),
      because,
      instances: all.map((one) => verdictOf(one, nowMs, decide(one))),
    }
  }

  /** Resolves when discovery has told a first list, also an empty one. */
  ready(): Promise<void> {
    if (this.#roster.isKnown) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** All instances that discovery knows. */
  get instances(): readonly ServiceInstance[] {
    return this.#roster.endpoints.map(({ instance }) => instance)
  }

  /** Calls back when instances come, go or change; for bindings that keep connections. Returns the way to stop. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const end of this.#ends) end()
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  /** Called by a lease. */
  ended(lease: Lease, kind: OutcomeKind, ending: Ending): void {
    const { endpoint } = lease
    const nowMs = this.clock.now()
    endpoint.active--
    endpoint.progressMs = nowMs
    const elapsedMs = (lease.respondedMs === 0 ? nowMs : lease.respondedMs) - lease.startedMs
    if (kind === 'discard') {
      // Whoever gave up waited at least this long: a lower bound of the latency, and worth knowing only as one.
      if (endpoint.samples > 0 && elapsedMs > endpoint.latencyMs(nowMs)) endpoint.observe(elapsedMs, nowMs)
    } else this.#learn(endpoint, kind === 'failure', elapsedMs, ending, nowMs)
    if (this.#lifecycle.length > 0)
      this.#tell((observer) => observer.onComplete?.(this.serviceId, kind, ending, lease, nowMs - lease.startedMs))
  }

  #learn(endpoint: Endpoint, failed: boolean, elapsedMs: number, ending: Ending, nowMs: number): void {
    if (failed) {
      // Failing at once must look slow, or it would draw all the traffic.
      const penaltyMs = Math.max(this.#failurePenaltyMs, 5 * this.#context.usualMs)
      endpoint.observe(Math.max(elapsedMs, penaltyMs), nowMs)
      endpoint.noteFailureRate(true, nowMs)
    } else {
      const { usualMs } = this.#context
      this.#context.usualMs = usualMs === 0 ? elapsedMs : usualMs + (elapsedMs - usualMs) * 0.02
      endpoint.observe(elapsedMs, nowMs)
      if (endpoint.failureRate !== 0) endpoint.noteFailureRate(false, nowMs)
    }
    if (this.#outlier === undefined) return
    const origin = ending.origin ?? (ending.status === undefined ? 'local' : 'remote')
    const gateway = ending.status !== undefined && ending.status >= 502 && ending.status <= 504
    const before = endpoint.ejections
    if (!this.#outlier.note(endpoint, failed, origin, gateway, this.#roster.endpoints, nowMs)) return
    this.#refresh()
    if (endpoint.ejections > before)
      this.#tell((observer) => observer.onEjected?.(this.serviceId, endpoint.instance, endpoint.ejectedBecause))
  }

  #update(list: InstanceList): void {
    if (this.#isClosed) return
    this.#roster.update(list, this.options.slowStart?.windowMs ?? 0, this.clock.now())
    this.#refresh()
    for (const listener of [...this.#listeners]) listener()
    this.#tell((observer) => observer.onList?.(this.serviceId, list.instances, list.stale === true))
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  /** Looks again at who is available; every list made before is void. */
  #refresh(): void {
    const nowMs = this.clock.now()
    this.#available = availabilityOf(this.#roster.endpoints, this.#panicPercent, nowMs)
    this.#context.warming = this.#roster.endpoints.some((endpoint) => endpoint.warmUntilMs > nowMs)
    this.#views.clear()
    this.#view = undefined
  }

  #viewFor(request: BalancedRequest): View {
    if (this.#asking.length === 0) {
      this.#view ??= { endpoints: this.#narrow(request), prepared: undefined }
      return this.#view
    }
    let key = ''
    for (const filter of this.#asking) key += `${filter.variantOf?.(request, this.#roster.inventory)}\u0001`
    let view = this.#views.get(key)
    if (view === undefined) {
      if (this.#views.size >= mostViews) this.#views.clear()
      view = { endpoints: this.#narrow(request), prepared: undefined }
      this.#views.set(key, view)
    }
    return view
  }

  /** A list without the avoided; kept for as long as the caller keeps the set, since hashing policies build a table for it. */
  #viewWithout(request: BalancedRequest, avoid: ReadonlySet<string>): View {
    const whole = this.#viewFor(request)
    const known = this.#narrowed.get(avoid)
    if (known?.whole === whole) return known.view
    const view = { endpoints: without(whole.endpoints, avoid), prepared: undefined }
    this.#narrowed.set(avoid, { whole, view })
    return view
  }

  #narrow(request: BalancedRequest): readonly Endpoint[] {
    let { endpoints } = this.#available
    for (const filter of this.#filters)
      endpoints = filter.apply(endpoints, filter.variantOf?.(request, this.#roster.inventory) ?? '')
    return endpoints
  }

  #foresee(endpoints: readonly Endpoint[], request: BalancedRequest, nowMs: number) {
    if (endpoints.length === 0) return { because: this.#emptiness() }
    if (endpoints.length === 1) return { picked: endpoints[0]!, because: 'it is the only one left' }
    const context = (): PickContext => ({ ...this.#context, nowMs, random: this.#context.random.fork() })
    // The list that the pick will use, for the place that a policy keeps in it.
    const kept = request.avoid === undefined || request.avoid.size === 0 ? this.#viewFor(request) : undefined
    const view: View = kept ?? { endpoints, prepared: undefined }
    view.prepared ??= this.policy.prepare?.(view.endpoints)
    const index = this.policy.pick(view, request, context())
    return { picked: view.endpoints[index]!, because: this.policy.because(view, index, request, context()) }
  }

  #emptiness(): string {
    const { endpoints, isKnown, trouble } = this.#roster
    const { source } = this.options.discovery
    if (!isKnown) return `${source} has not answered yet${trouble === undefined ? '' : ` (${trouble})`}`
    if (endpoints.length === 0) return `${source} has no instances${trouble === undefined ? '' : ` (${trouble})`}`
    return `none of ${endpoints.length} instances may take it; explain() says why`
  }

  #noInstance(request: BalancedRequest): NoInstanceError {
    const error = new NoInstanceError(this.serviceId, this.#emptiness(), () => this.explain(request))
    this.#tell((observer) => observer.onComplete?.(this.serviceId, 'discard', { error }, undefined, 0))
    return error
  }

  #tell(event: (observer: LoadBalancerLifecycle) => void): void {
    for (const observer of this.#lifecycle) {
      try {
        event(observer)
      } catch {
        // An observer's mistake is not the request's.
      }
    }
  }
}

/** All but the avoided ones; all of them when nothing else is left. */
function without(endpoints: readonly Endpoint[], avoid: ReadonlySet<string> | undefined): readonly Endpoint[] {
  if (avoid === undefined || avoid.size === 0) return endpoints
  const rest = endpoints.filter(({ instance }) => !avoid.has(instance.instanceId))
  return rest.length === 0 ? endpoints : rest
}
