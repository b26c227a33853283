import type { LoadBalancer } from '../balancer.ts'
import type { BalancedRequest, ServiceInstance } from '../instance.ts'
import type { Lease } from '../lease.ts'
import { Random } from '../random.ts'
import { ConcurrencyLimit, OverloadedError } from './limit.ts'
import { backoffMs, isSafe, LatencyWindow, RetryBudget, wasNeverSent } from './retry.ts'

/** What an attempt is given. */
export interface Attempt {
  readonly instance: ServiceInstance
  readonly lease: Lease
  /** From 1. */
  readonly number: number
  /** Fires when another attempt won, the deadline passed, or the caller gave up. */
  readonly signal: AbortSignal
  /** Milliseconds left, if there is a deadline. */
  readonly remainingMs: number | undefined
  /** Headers that the instance should see: what is left of the deadline. */
  readonly headers: Readonly<Record<string, string>>
}

/** Thrown when the deadline passes before an answer. */
export class DeadlineError extends Error {
  readonly code = 'PLUMB_DEADLINE'
  constructor(serviceId: string, deadlineMs: number) {
    super(`${serviceId}: no answer within ${deadlineMs} ms`)
    this.name = 'DeadlineError'
  }
}

/** The rules of one service that all its requests share: budget, limit, latencies. */
export class Traffic {
  readonly balancer: LoadBalancer
  readonly budget: RetryBudget
  readonly limit: ConcurrencyLimit | undefined
  readonly latencies = new LatencyWindow()
  readonly #random: Random

  constructor(balancer: LoadBalancer) {
    const { options, clock } = balancer
    this.balancer = balancer
    this.budget = new RetryBudget(options.retry?.budget ?? {}, clock)
    this.limit = options.limit === undefined ? undefined : new ConcurrencyLimit(options.limit)
    this.#random = new Random(options.seed)
  }

  /** Whether a failed attempt is worth another; takes a token when it is. `error` or `status`, whichever there was. */
  mayRetry(request: BalancedRequest, retries: number, failure: { error?: unknown; status?: number }): boolean {
    const { retry = {} } = this.balancer.options
    const most = (retry.maxRetriesOnSameServiceInstance ?? 0) + (retry.maxRetriesOnNextServiceInstance ?? 1)
    if (retry.enabled === false || retries >= most) return false
    const unsent = failure.status === undefined && wasNeverSent(failure.error)
    if (!unsent && retry.retryOnAllOperations !== true && !isSafe(request)) return false
    if (failure.status !== undefined && retry.retryableStatusCodes?.includes(failure.status) !== true) return false
    if (failure.status === undefined && retry.isRetryable?.(failure.error) === false) return false
    return this.budget.tryWithdraw()
  }

  /** The request for attempt `number`, which leaves out those that were tried once their own retries are used up. */
  nextRequest(request: BalancedRequest, tried: readonly Lease[]): BalancedRequest {
    const { maxRetriesOnSameServiceInstance: same = 0, avoidPreviousInstance = true } =
      this.balancer.options.retry ?? {}
    if (!avoidPreviousInstance || tried.length === 0 || tried.length <= same) return request
    return {
      ...request,
      avoid: new Set([...(request.avoid ?? []), ...tried.map(({ instance }) => instance.instanceId)]),
    }
  }

  backoffMs(retries: number): number {
    return backoffMs(this.balancer.options.retry?.backoff, retries, this.#random)
  }

  /** When to send a second attempt although the first is under way; undefined: never. */
  hedgeAfterMs(request: BalancedRequest): number | undefined {
    const { hedge } = this.balancer.options
    if (hedge === undefined || !isSafe(request)) return undefined
    const usual = this.latencies.percentile(hedge.percentile ?? 95)
    if (usual === undefined && hedge.delayMs === undefined) return undefined
    return Math.max(hedge.delayMs ?? 0, usual ?? 0)
  }

  deadlineHeaders(remainingMs: number | undefined): Record<string, string> {
    const { deadlineHeader } = this.balancer.options
    if (deadlineHeader === undefined || remainingMs === undefined) return {}
    return { [deadlineHeader]: String(Math.max(0, Math.floor(remainingMs))) }
  }

  /** Asks for a place under the limit; returns the way to give it back. Throws OverloadedError. */
  enter(): (dropped: boolean) => void {
    this.budget.deposit()
    if (this.limit === undefined) return () => undefined
    if (!this.limit.tryAcquire()) throw new OverloadedError(this.balancer.serviceId, this.limit.limit)
    const begunMs = this.balancer.clock.now()
    return (dropped) => this.limit?.release(this.balancer.clock.now() - begunMs, dropped)
  }
}

/** What `run` needs to know of a request and its answers. */
export interface RunOptions<T> {
  readonly request?: BalancedRequest
  readonly signal?: AbortSignal
  /** The HTTP status of an answer, for failures and retries; without it an answer is a success. */
  readonly statusOf?: (answer: T) => number
}

/** Runs a function against an instance, with the service's deadline, retries, hedges and limit. */
export async function run<T>(
  traffic: Traffic,
  attempt: (attempt: Attempt) => Promise<T>,
  options: RunOptions<T> = {},
): Promise<T> {
  const leave = traffic.enter()
  let dropped = true
  try {
    const answer = await new Race(traffic, attempt, options).run()
    dropped = false
    return answer
  } finally {
    leave(dropped)
  }
}

type Result<T> = { readonly answer: T } | { readonly error: unknown }

/** The attempts of one request; the first that need not be retried decides. */
class Race<T> {
  readonly #traffic: Traffic
  readonly #attempt: (attempt: Attempt) => Promise<T>
  readonly #options: RunOptions<T>
  readonly #request: BalancedRequest
  readonly #deadlineMs: number | undefined
  readonly #begunMs: number
  readonly #leases: Lease[] = []
  readonly #aborts = new Set<AbortController>()
  readonly #cancels: (() => void)[] = []
  #underWay = 0
  #retries = 0
  #settle!: (result: Result<T>) => void

  constructor(traffic: Traffic, attempt: (attempt: Attempt) => Promise<T>, options: RunOptions<T>) {
    this.#traffic = traffic
    this.#attempt = attempt
    this.#options = options
    this.#request = options.request ?? {}
    this.#deadlineMs = this.#request.deadlineMs ?? traffic.balancer.options.deadlineMs
    this.#begunMs = traffic.balancer.clock.now()
  }

  async run(): Promise<T> {
    const { signal } = this.#options
    signal?.throwIfAborted()
    const { clock, serviceId } = this.#traffic.balancer
    const giveUp = () => this.#settle({ error: signal?.reason })
    const result = await new Promise<Result<T>>((settle) => {
      this.#settle = settle
      signal?.addEventListener('abort', giveUp)
      const deadlineMs = this.#deadlineMs
      if (deadlineMs !== undefined)
        this.#after(deadlineMs, () => settle({ error: new DeadlineError(serviceId, deadlineMs) }))
      const hedgeMs = this.#traffic.hedgeAfterMs(this.#request)
      if (hedgeMs !== undefined) this.#after(hedgeMs, () => this.#hedge())
      this.#start()
    })
    signal?.removeEventListener('abort', giveUp)
    for (const cancel of this.#cancels) cancel()
    for (const abort of this.#aborts)
      abort.abort('error' in result ? result.error : new Error('another attempt answered'))
    if ('error' in result) throw result.error
    this.#traffic.latencies.add(clock.now() - this.#begunMs)
    return result.answer
  }

  #after(ms: number, callback: () => void): void {
    this.#cancels.push(this.#traffic.balancer.clock.after(ms, callback))
  }

  #hedge(): void {
    if (this.#underWay === 1 && this.#traffic.budget.tryWithdraw()) this.#start()
  }

  #start(): void {
    const { balancer } = this.#traffic
    let lease: Lease
    try {
      lease = balancer.pick(this.#traffic.nextRequest(this.#request, this.#leases))
    } catch (error) {
      if (this.#underWay === 0) this.#settle({ error })
      return
    }
    this.#leases.push(lease)
    this.#underWay++
    const abort = new AbortController()
    this.#aborts.add(abort)
    const deadline = this.#deadlineMs
    const remainingMs = deadline === undefined ? undefined : deadline - (balancer.clock.now() - this.#begunMs)
    const headers = this.#traffic.deadlineHeaders(remainingMs)
    const number = this.#leases.length
    // In a turn of its own, so that a function that throws at once is no different from one that rejects.
    Promise.resolve({ instance: lease.instance, lease, number, signal: abort.signal, remainingMs, headers })
      .then(this.#attempt)
      .then(
        (answer) => this.#answered(lease, abort, answer),
        (error: unknown) => this.#failed(lease, abort, error),
      )
  }

  #answered(lease: Lease, abort: AbortController, answer: T): void {
    this.#underWay--
    this.#aborts.delete(abort)
    if (abort.signal.aborted) {
      lease.complete('discard')
      return
    }
    const status = this.#options.statusOf?.(answer)
    lease.done(status)
    if (status !== undefined && this.#retry({ status })) return
    this.#settle({ answer })
  }

  #failed(lease: Lease, abort: AbortController, error: unknown): void {
    this.#underWay--
    this.#aborts.delete(abort)
    // An instance that let a deadline pass has failed; one that lost a race has not.
    const isLate = abort.signal.reason instanceof DeadlineError
    if (abort.signal.aborted) {
      lease.complete(isLate ? 'failure' : 'discard', { error, origin: 'local' })
      return
    }
    lease.complete('failure', { error, origin: 'local' })
    if (this.#retry({ error }) || this.#underWay > 0) return
    this.#settle({ error })
  }

  #retry(failure: { error?: unknown; status?: number }): boolean {
    if (!this.#traffic.mayRetry(this.#request, this.#retries, failure)) return false
    const waitMs = this.#traffic.backoffMs(++this.#retries)
    if (waitMs === 0) this.#start()
    else this.#after(waitMs, () => this.#start())
    return true
  }
}
