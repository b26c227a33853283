import { LoadBalancer } from './balancer.ts'
import type { Clock } from './clock.ts'
import { type StaticDiscovery, staticList } from './discovery/static.ts'
import type { LoadBalancerOptions } from './options.ts'
import { Random } from './random.ts'

interface Timer {
  readonly atMs: number
  readonly order: number
  readonly callback: () => void
}

/** Time that stands still until a test moves it; timers run in order of their time, then of their making. */
export class VirtualClock implements Clock {
  #nowMs = 0
  #made = 0
  /** A binary heap, the earliest first. */
  readonly #heap: Timer[] = []
  readonly #cancelled = new Set<number>()

  now(): number {
    return this.#nowMs
  }

  after(ms: number, callback: () => void): () => void {
    const order = this.#made++
    const heap = this.#heap
    heap.push({ atMs: this.#nowMs + Math.max(0, ms), order, callback })
    for (let i = heap.length - 1; i > 0; ) {
      const parent = (i - 1) >> 1
      if (!isBefore(heap[i]!, heap[parent]!)) break
      ;[heap[i], heap[parent]] = [heap[parent]!, heap[i]!]
      i = parent
    }
    return () => this.#cancelled.add(order)
  }

  /** Moves time, running what is due on the way. */
  advanceTo(atMs: number): void {
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= atMs; next = this.#heap[0]) {
      this.#pop()
      this.#nowMs = next.atMs
      if (!this.#cancelled.delete(next.order)) next.callback()
    }
    this.#nowMs = Math.max(this.#nowMs, atMs)
  }

  /** As `advanceTo`, and lets promises settle after each timer. */
  async advanceBy(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms
    await settle()
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= endMs; next = this.#heap[0]) {
      this.advanceTo(next.atMs)
      await settle()
    }
    this.advanceTo(endMs)
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    heap[0] = last
    for (let i = 0; ; ) {
      const left = 2 * i + 1
      let least = i
      for (const child of [left, left + 1])
        if (child < heap.length && isBefore(heap[child]!, heap[least]!)) least = child
      if (least === i) return
      ;[heap[i], heap[least]] = [heap[least]!, heap[i]!]
      i = least
    }
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}

/** Lets every promise that can settle do so. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

/** A balancer over a static list, on a virtual clock, repeatable. */
export function balancerOf(
  hosts: readonly string[],
  options: Partial<LoadBalancerOptions> = {},
): { lb: LoadBalancer; clock: VirtualClock; discovery: StaticDiscovery } {
  const clock = new VirtualClock()
  const discovery = staticList('svc', hosts.map(instanceOf))
  return { lb: new LoadBalancer({ serviceId: 'svc', discovery, clock, seed: 1, ...options }), clock, discovery }
}

export function instanceOf(host: string): { host: string; port: number; instanceId: string } {
  return { host, port: 80, instanceId: host }
}

export function namesOf(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `r${i}`)
}

/** How a replica answers a request that comes at a time. */
export type Replica = (atMs: number, random: Random) => { readonly latencyMs: number; readonly status: number }

/** What came of a simulated load. */
export interface Simulated {
  readonly total: number
  readonly failed: number
  readonly byHost: ReadonlyMap<string, number>
  /** Share of requests answered well within `ms`, percent. */
  successWithin(ms: number): number
  percentile(percent: number): number
}

/** Normally distributed, never below half the mean (Box-Muller). */
export function normal(random: Random, mean: number, deviation: number): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.next()))
  return Math.max(mean / 2, mean + deviation * radius * Math.cos(2 * Math.PI * random.next()))
}

/** Sends `perSecond` requests a second for `seconds`, one attempt each, and calls `at` before each. */
export function simulate(
  rig: { lb: LoadBalancer; clock: VirtualClock },
  load: {
    perSecond: number
    seconds: number
    replicaOf: (host: string) => Replica
    seed?: number
    at?: (nowMs: number) => void
  },
): Simulated {
  const random = new Random(load.seed ?? 7)
  const latencies: number[] = []
  const byHost = new Map<string, number>()
  let failed = 0
  const total = load.perSecond * load.seconds
  for (let i = 0; i < total; i++) {
    const nowMs = (i * 1000) / load.perSecond
    rig.clock.advanceTo(nowMs)
    load.at?.(nowMs)
    const lease = rig.lb.pick({ hashKey: `key-${random.int(10_000)}` })
    const { host } = lease.instance
    byHost.set(host, (byHost.get(host) ?? 0) + 1)
    const { latencyMs, status } = load.replicaOf(host)(nowMs, random)
    rig.clock.after(latencyMs, () => {
      lease.done(status)
      if (status >= 500) failed++
      else latencies.push(latencyMs)
    })
  }
  rig.clock.advanceTo(load.seconds * 1000 + 60_000)
  latencies.sort((a, b) => a - b)
  return {
    total,
    failed,
    byHost,
    successWithin: (ms) => (latencies.filter((latency) => latency <= ms).length * 100) / total,
    percentile: (percent) => latencies[Math.min(latencies.length - 1, Math.floor((percent / 100) * latencies.length))]!,
  }
}
