import type { Dispatcher } from 'undici'
import { type BalancedRequest, originOf, type ServiceInstance } from '../instance.ts'
import type { Lease } from '../lease.ts'
import { isSafe } from '../traffic/retry.ts'
import { DeadlineError, type Traffic } from '../traffic/run.ts'
import { legacyHandler } from './legacy-handler.ts'
import { headersOf, ReplayBody, withHeaders } from './request-parts.ts'

type Controller = Dispatcher.DispatchController
type Handler = Dispatcher.DispatchHandler
type Headers = Record<string, string | string[] | undefined>

/** Bodies of refused answers that are read to keep the connection; longer ones cost it. */
const mostDrained = 64 << 10

interface Attempt {
  readonly lease: Lease
  controller: Controller | undefined
  status: number
  /** Lost or given up: nothing that it says reaches the caller. */
  isOver: boolean
  drained: number
}

/** One request of a caller: its attempts, the one that answers, and what the caller sees of them. */
export class Exchange implements Controller {
  readonly #traffic: Traffic
  readonly #poolOf: (instance: ServiceInstance) => Dispatcher
  readonly #options: Dispatcher.DispatchOptions
  readonly #caller: Handler
  readonly #request: BalancedRequest
  readonly #body: ReplayBody
  readonly #attempts: Attempt[] = []
  readonly #cancels: (() => void)[] = []
  #leave: ((dropped: boolean) => void) | undefined
  #begunMs = 0
  #retries = 0
  #winner: Attempt | undefined
  #isStarted = false
  #isEnded = false
  #reason: Error | null = null

  constructor(
    traffic: Traffic,
    poolOf: (instance: ServiceInstance) => Dispatcher,
    options: Dispatcher.DispatchOptions,
    handler: Handler,
  ) {
    this.#traffic = traffic
    this.#poolOf = poolOf
    this.#options = options
    this.#caller = handler.onRequestStart === undefined ? legacyHandler(handler) : handler
    this.#body = new ReplayBody(options.body)
    this.#request = {
      method: options.method,
      path: options.path,
      // Read only when a filter asks.
      get headers() {
        return headersOf(options.headers)
      },
    }
  }

  get aborted(): boolean {
    return this.#reason !== null
  }
  get reason(): Error | null {
    return this.#reason
  }
  get paused(): boolean {
    return this.#winner?.controller?.paused ?? false
  }
  get rawHeaders(): Controller['rawHeaders'] {
    return this.#winner?.controller?.rawHeaders
  }
  get rawTrailers(): Controller['rawTrailers'] {
    return this.#winner?.controller?.rawTrailers
  }
  pause(): void {
    this.#winner?.controller?.pause()
  }
  resume(): void {
    this.#winner?.controller?.resume()
  }
  abort(reason: Error): void {
    if (this.#isEnded) return
    this.#reason = reason ?? new Error('aborted')
    this.#end(this.#reason)
  }

  start(): void {
    const { balancer } = this.#traffic
    this.#begunMs = balancer.clock.now()
    try {
      this.#leave = this.#traffic.enter()
    } catch (error) {
      this.#end(error as Error)
      return
    }
    const { deadlineMs } = balancer.options
    if (deadlineMs !== undefined) {
      const late = () => this.#end(new DeadlineError(balancer.serviceId, deadlineMs))
      this.#cancels.push(balancer.clock.after(deadlineMs, late))
    }
    const hedgeMs = this.#traffic.hedgeAfterMs(this.#request)
    if (hedgeMs !== undefined) this.#cancels.push(balancer.clock.after(hedgeMs, () => this.#hedge()))
    this.#attempt()
  }

  #hedge(): void {
    const alive = this.#attempts.filter((attempt) => !attempt.isOver).length
    if (this.#winner !== undefined || this.#isEnded || alive !== 1 || !isSafe(this.#request) || !this.#body.mayRepeat)
      return
    if (this.#traffic.budget.tryWithdraw()) this.#attempt()
  }

  #attempt(): void {
    if (this.#isEnded) return
    let attempt: Attempt | undefined
    try {
      const request =
        this.#attempts.length === 0
          ? this.#request
          : this.#traffic.nextRequest(
              this.#request,
              this.#attempts.map(({ lease }) => lease),
            )
      const lease = this.#traffic.balancer.pick(request)
      attempt = { lease, controller: undefined, status: 0, isOver: false, drained: 0 }
      this.#attempts.push(attempt)
      this.#poolOf(lease.instance).dispatch(this.#optionsFor(lease.instance), this.#handlerOf(attempt))
    } catch (error) {
      if (attempt !== undefined) this.#failed(attempt, error as Error)
      else if (this.#attempts.every(({ isOver }) => isOver)) this.#end(error as Error)
    }
  }

  #optionsFor(instance: ServiceInstance): Dispatcher.DispatchOptions {
    const { clock, options } = this.#traffic.balancer
    const { stickySession, xForwarded, deadlineMs } = options
    const added: [string, string][] = []
    if (xForwarded?.enabled === true) {
      const url = new URL(String(this.#options.origin))
      added.push(['x-forwarded-host', url.host], ['x-forwarded-proto', url.protocol.slice(0, -1)])
    }
    if (stickySession?.addServiceInstanceCookie === true)
      added.push(['cookie', `${stickySession.instanceIdCookieName ?? 'sc-lb-instance-id'}=${instance.instanceId}`])
    const remainingMs = deadlineMs === undefined ? undefined : deadlineMs - (clock.now() - this.#begunMs)
    if (remainingMs !== undefined) added.push(...Object.entries(this.#traffic.deadlineHeaders(remainingMs)))
    const body = this.#body.next()
    // Copied whole: leaving a key out by destructuring costs microseconds.
    const changed: Dispatcher.DispatchOptions = { ...this.#options, origin: originOf(instance) }
    if (body !== undefined) changed.body = body
    if (added.length > 0) changed.headers = withHeaders(this.#options.headers, added)
    return changed
  }

  #handlerOf(attempt: Attempt): Handler {
    return {
      onRequestStart: (controller) => {
        attempt.controller = controller
        if (attempt.isOver) return controller.abort(this.#reason ?? new Error('given up'))
        if (this.#isStarted) return
        this.#isStarted = true
        this.#caller.onRequestStart?.(this, {})
      },
      onRequestUpgrade: (_controller, status, headers, socket) => {
        this.#win(attempt)
        socket.once('close', () => attempt.lease.done(200))
        this.#close(false)
        this.#caller.onRequestUpgrade?.(this, status, headers, socket)
      },
      onResponseStart: (controller, status, headers, text) =>
        this.#answered(attempt, controller, status, headers, text),
      onResponseData: (controller, chunk) => {
        if (!attempt.isOver) return this.#caller.onResponseData?.(this, chunk)
        attempt.drained += chunk.length
        if (attempt.drained > mostDrained) controller.abort(new Error('the answer is not wanted'))
      },
      onResponseEnd: (_controller, trailers) => {
        if (attempt.isOver) return
        attempt.isOver = true
        attempt.lease.done(attempt.status)
        this.#traffic.latencies.add(attempt.lease.respondedMs - attempt.lease.startedMs)
        this.#close(false)
        this.#caller.onResponseEnd?.(this, trailers)
      },
      onResponseError: (_controller, error) => this.#failed(attempt, error),
    }
  }

  #answered(attempt: Attempt, controller: Controller, status: number, headers: Headers, text?: string): void {
    if (attempt.isOver) return
    attempt.lease.responded()
    attempt.status = status
    const mayRetry = this.#winner === undefined && this.#body.mayRepeat
    if (mayRetry && this.#traffic.mayRetry(this.#request, this.#retries, { status })) {
      attempt.isOver = true
      attempt.lease.done(status)
      this.#again()
      return
    }
    this.#win(attempt)
    if (attempt.controller === undefined) attempt.controller = controller
    this.#caller.onResponseStart?.(this, status, headers, text)
  }

  #failed(attempt: Attempt, error: Error): void {
    if (attempt.isOver) return
    attempt.isOver = true
    attempt.lease.complete('failure', { error, origin: 'local' })
    if (this.#winner === undefined) {
      if (this.#body.mayRepeat && this.#traffic.mayRetry(this.#request, this.#retries, { error })) {
        this.#again()
        return
      }
      // The hedge may still answer.
      if (this.#attempts.some(({ isOver }) => !isOver)) return
    }
    this.#end(error)
  }

  #again(): void {
    const waitMs = this.#traffic.backoffMs(++this.#retries)
    if (waitMs === 0) this.#attempt()
    else this.#cancels.push(this.#traffic.balancer.clock.after(waitMs, () => this.#attempt()))
  }

  #win(attempt: Attempt): void {
    if (this.#winner !== undefined) return
    this.#winner = attempt
    for (const other of this.#attempts)
      if (other !== attempt) this.#giveUp(other, 'discard', new Error('another attempt answered'))
  }

  #giveUp(attempt: Attempt, kind: 'discard' | 'failure', reason: Error): void {
    if (attempt.isOver) return
    attempt.isOver = true
    attempt.lease.complete(kind, { error: reason, origin: 'local' })
    attempt.controller?.abort(reason)
  }

  /** Ends with an error, for the caller's sake or because nothing is left to try. */
  #end(error: Error): void {
    if (this.#isEnded) return
    const isLate = error instanceof DeadlineError
    this.#reason ??= error
    this.#close(true)
    for (const attempt of this.#attempts) this.#giveUp(attempt, isLate ? 'failure' : 'discard', error)
    this.#caller.onResponseError?.(this, error)
  }

  #close(dropped: boolean): void {
    this.#isEnded = true
    for (const cancel of this.#cancels) cancel()
    this.#leave?.(dropped)
    this.#leave = undefined
  }
}
