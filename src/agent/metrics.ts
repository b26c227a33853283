import type { Registry } from 'prom-client'
import type { Family } from '../addr/index.ts'

/** Metrics by name, as kube-proxy calls those that mean the same, and `plumb_` for those that have no counterpart there. */
const definitions = {
  kubeproxy_sync_proxy_rules_duration_seconds: ['histogram', 'how long a round took'],
  kubeproxy_sync_full_proxy_rules_duration_seconds: ['histogram', 'how long a round that replaces the tables took'],
  kubeproxy_sync_partial_proxy_rules_duration_seconds: ['histogram', 'how long a round of changes took'],
  kubeproxy_network_programming_duration_seconds: [
    'programming',
    'from the change of a Pod or Service (endpoints.kubernetes.io/last-change-trigger-time) to the kernel',
  ],
  kubeproxy_sync_proxy_rules_last_timestamp_seconds: ['gauge', 'when the last round succeeded'],
  kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds: ['gauge', 'when the last change arrived'],
  kubeproxy_sync_proxy_rules_endpoint_changes_total: ['counter', 'EndpointSlices that changed'],
  kubeproxy_sync_proxy_rules_service_changes_total: ['counter', 'Services that changed, or whose slices did'],
  kubeproxy_sync_proxy_rules_endpoint_changes_pending: ['gauge', 'EndpointSlices that changed and wait for a round'],
  kubeproxy_sync_proxy_rules_service_changes_pending: [
    'gauge',
    'Services that changed, or whose slices did, and wait for a round',
  ],
  kubeproxy_sync_proxy_rules_no_local_endpoints_total: [
    'gauge',
    'Services with policy Local and no endpoint on this node',
    'traffic_policy',
  ],
  kubeproxy_sync_proxy_rules_nftables_sync_failures_total: ['counter', 'rounds that the kernel refused'],
  kubeproxy_sync_proxy_rules_nftables_cleanup_failures_total: [
    'counter',
    'rounds refused by the kernel that were to take away whatever was there before',
  ],
  kubeproxy_conntrack_reconciler_sync_duration_seconds: ['histogram', 'how long conntrack was looked through'],
  kubeproxy_conntrack_reconciler_deleted_entries_total: [
    'counter',
    'UDP entries deleted because their endpoint is gone',
  ],
  kubeproxy_proxy_healthz_total: ['counter', 'answers of /healthz', 'code'],
  kubeproxy_proxy_livez_total: ['counter', 'answers of /livez', 'code'],
  plumb_round_stage_seconds: ['histogram', 'how long each stage of a round took', 'stage'],
  plumb_round_operations_total: ['counter', 'nftables operations committed'],
  plumb_drained_connections_total: ['counter', 'connections cut because the time of their endpoint was over'],
  plumb_services: ['gauge', 'Services known'],
  plumb_policy_logged_packets_total: [
    'counter',
    'packets that policies denied or audited, as far as they were logged; of several policies the first by name',
    'verdict',
    'namespace',
    'direction',
    'policy',
  ],
  plumb_findings: ['gauge', 'mistakes found in objects'],
} as const satisfies Record<string, readonly ['histogram' | 'programming' | 'gauge' | 'counter', string, ...string[]]>

export type MetricName = keyof typeof definitions

/** What a round does for all families in one transaction; kube-proxy has a round per family, and names it in `ip_family`. */
const perFamily: ReadonlySet<MetricName> = new Set([
  'kubeproxy_sync_proxy_rules_duration_seconds',
  'kubeproxy_sync_full_proxy_rules_duration_seconds',
  'kubeproxy_sync_partial_proxy_rules_duration_seconds',
  'kubeproxy_sync_proxy_rules_last_timestamp_seconds',
  'kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds',
  'kubeproxy_sync_proxy_rules_nftables_sync_failures_total',
  'kubeproxy_sync_proxy_rules_nftables_cleanup_failures_total',
  'kubeproxy_conntrack_reconciler_sync_duration_seconds',
])

interface Sample {
  readonly name: MetricName
  readonly value: number
  readonly labels: readonly string[]
}

/** Samples kept for the first scrape; later ones push the oldest out. */
const backlog = 4096

/**
 * The agent's metrics. prom-client costs 20 MB and tens of milliseconds, so it is loaded by the first scrape and takes
 * the samples until then, at most 4096 of them; counters and gauges are kept by name and lose nothing.
 */
export class Metrics {
  readonly #families: readonly Family[]
  readonly #values = new Map<string, Sample>()
  #samples: Sample[] = []
  readonly #texts: (() => string | Promise<string>)[] = []
  #registry: Promise<Registry> | undefined
  #take: ((sample: Sample) => void) | undefined

  constructor(families: readonly Family[]) {
    this.#families = families
  }

  /** Adds to a counter, sets a gauge, or puts one sample (in seconds) into a histogram. */
  record(name: MetricName, value: number, ...labels: readonly string[]): void {
    const sample = { name, value, labels }
    if (this.#take !== undefined) {
      this.#take(sample)
      return
    }
    const [type] = definitions[name]
    if (type === 'histogram' || type === 'programming') {
      if (this.#samples.length >= backlog) this.#samples = this.#samples.slice(backlog / 2)
      this.#samples.push(sample)
      return
    }
    const key = [name, ...labels].join(' ')
    const before = type === 'counter' ? (this.#values.get(key)?.value ?? 0) : 0
    this.#values.set(key, { name, value: before + value, labels })
  }

  /** Text in the exposition format that every scrape asks for. */
  add(text: () => string | Promise<string>): void {
    this.#texts.push(text)
  }

  /** The exposition format, and its content type. */
  async scrape(): Promise<{ readonly text: string; readonly contentType: string }> {
    this.#registry ??= this.#load()
    const registry = await this.#registry
    const more = await Promise.all(this.#texts.map((text) => text()))
    return { text: `${await registry.metrics()}${more.join('')}`, contentType: registry.contentType }
  }

  async #load(): Promise<Registry> {
    const { Registry, Counter, Gauge, Histogram, collectDefaultMetrics, exponentialBuckets } = await import(
      'prom-client'
    )
    const registry = new Registry()
    collectDefaultMetrics({ register: registry })
    const takers = new Map<MetricName, (sample: Sample) => void>()
    for (const [name, [type, help, ...own]] of Object.entries(definitions) as [
      MetricName,
      readonly [string, string, ...string[]],
    ][]) {
      const families = perFamily.has(name) ? this.#families.map((family) => [`IPv${family}`]) : [[]]
      const labelNames = [...(perFamily.has(name) ? ['ip_family'] : []), ...own]
      const common = { name, help, registers: [registry], labelNames }
      const each = (sample: Sample, put: (labels: Record<string, string>) => void): void => {
        for (const family of families) {
          const values = [...family, ...sample.labels]
          put(Object.fromEntries(labelNames.map((label, i) => [label, values[i] ?? ''])))
        }
      }
      if (type === 'counter') {
        const counter = new Counter(common)
        takers.set(name, (sample) => each(sample, (labels) => counter.inc(labels, sample.value)))
      } else if (type === 'gauge') {
        const gauge = new Gauge(common)
        takers.set(name, (sample) => each(sample, (labels) => gauge.set(labels, sample.value)))
      } else {
        const buckets = type === 'programming' ? programmingBuckets() : exponentialBuckets(0.001, 2, 15)
        const histogram = new Histogram({ ...common, buckets })
        takers.set(name, (sample) => each(sample, (labels) => histogram.observe(labels, sample.value)))
      }
    }
    this.#take = (sample) => takers.get(sample.name)?.(sample)
    for (const sample of [...this.#values.values(), ...this.#samples]) this.#take(sample)
    this.#values.clear()
    this.#samples = []
    return registry
  }
}

/** kube-proxy's buckets of network programming: 0.25, 0.5, every second to a minute, every 5 s to two, then 7 steps of 30 s. */
function programmingBuckets(): number[] {
  const steps = (from: number, width: number, count: number) =>
    Array.from({ length: count }, (_, i) => from + i * width)
  return [0.25, 0.5, ...steps(1, 1, 59), ...steps(60, 5, 12), ...steps(120, 30, 7)]
}
