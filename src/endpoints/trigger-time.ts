import type { Pod, Service } from '../objects/index.ts'
import { readyCondition } from './pod-state.ts'

/**
 * When the oldest change happened that the next write of a Service's endpoints will reflect: the creation of a new Service, else the
 * earliest new transition of a Pod's Ready condition (k/k TriggerTimeTracker).
 */
export class TriggerTime {
  readonly #lastByPod = new Map<string, number>()
  #service: number
  #created: number | undefined
  #oldest: number | undefined

  constructor(service: Service) {
    this.#service = parse(service.metadata.creationTimestamp)
    this.#created = this.#service > 0 ? this.#service : undefined
  }

  /** The time, RFC 3339 in UTC, or undefined when nothing with a known time changed; the next time counts from now on. */
  take(): string | undefined {
    const time = this.#created ?? this.#oldest
    this.#created = undefined
    this.#oldest = undefined
    return time === undefined ? undefined : new Date(time).toISOString().replace('.000Z', 'Z')
  }

  /** Puts back a time that was taken and could not be written. */
  restore(time: string | undefined): void {
    if (time !== undefined) this.#note(parse(time))
  }

  setService(service: Service): void {
    const time = parse(service.metadata.creationTimestamp)
    if (time > this.#service) this.#note(time)
    this.#service = time
  }

  setPod(key: string, pod: Pod | undefined): void {
    const time = pod === undefined ? 0 : parse(readyCondition(pod)?.lastTransitionTime)
    if (time > (this.#lastByPod.get(key) ?? 0)) this.#note(time)
    if (time > 0) this.#lastByPod.set(key, time)
    else this.#lastByPod.delete(key)
  }

  #note(time: number): void {
    this.#oldest = Math.min(this.#oldest ?? time, time)
  }
}

/** Milliseconds since 1970, 0 when the time is absent or no time. */
function parse(text: string | undefined): number {
  const time = text === undefined ? Number.NaN : Date.parse(text)
  return Number.isNaN(time) ? 0 : time
}
