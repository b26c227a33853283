/** What a request is counted under, named as kube-apiserver names it. */
export interface RequestLabels {
  /** `GET`, `LIST`, `WATCH`, `POST`, `PUT`, `PATCH`, `DELETE`, `DELETECOLLECTION`. */
  readonly verb: string
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly subresource: string
  readonly scope: string
}

/** Upper bounds in seconds. */
const bounds = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 5, 10, 30, 60]

interface Durations {
  readonly counts: number[]
  sum: number
  count: number
}

/** Counts requests and their durations; labels come from what is served, so their number is bounded. */
export class Metrics {
  readonly #labels = new WeakMap<object, RequestLabels>()
  readonly #totals = new Map<string, number>()
  readonly #durations = new Map<string, Durations>()

  readonly #counts = new Map<string, number>()

  /** Counts one of something, by the type of it. */
  count(name: string, type?: string): void {
    const key = type === undefined ? name : `${name}{type="${type}"}`
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
  }

  /** Remembers what the request behind this answer is about. */
  label(response: object, labels: RequestLabels): void {
    this.#labels.set(response, labels)
  }

  /** Counts an answer. `seconds` is undefined for streams. Requests that were never labelled are about no resource. */
  observe(response: object, code: number, seconds: number | undefined): void {
    const labels = this.#labels.get(response)
    if (labels === undefined) return
    const text = render({ ...labels })
    const total = `${text},code="${code}"`
    this.#totals.set(total, (this.#totals.get(total) ?? 0) + 1)
    if (seconds === undefined) return
    let durations = this.#durations.get(text)
    if (durations === undefined) {
      durations = { counts: bounds.map(() => 0), sum: 0, count: 0 }
      this.#durations.set(text, durations)
    }
    const at = bounds.findIndex((bound) => seconds <= bound)
    if (at >= 0) durations.counts[at]!++
    durations.sum += seconds
    durations.count++
  }

  /** Everything in the text format of Prometheus. */
  text(revision: number): string {
    const lines = [
      '# HELP apiserver_request_total Requests by verb, resource and code of the answer.',
      '# TYPE apiserver_request_total counter',
      ...[...this.#totals].map(([labels, count]) => `apiserver_request_total{${labels}} ${count}`),
      '# HELP apiserver_request_duration_seconds Time from the request to its whole answer; streams are left out.',
      '# TYPE apiserver_request_duration_seconds histogram',
      ...[...this.#durations].flatMap(([labels, durations]) => histogram(labels, durations)),
      ...[...this.#counts].map(([name, count]) => `${name} ${count}`),
      '# HELP apiserver_storage_revision The latest committed resourceVersion.',
      '# TYPE apiserver_storage_revision gauge',
      `apiserver_storage_revision ${revision}`,
      '# HELP process_resident_memory_bytes Resident memory of the process.',
      '# TYPE process_resident_memory_bytes gauge',
      `process_resident_memory_bytes ${process.memoryUsage.rss()}`,
    ]
    return `${lines.join('\n')}\n`
  }
}

function histogram(labels: string, { counts, sum, count }: Durations): string[] {
  const name = 'apiserver_request_duration_seconds'
  let below = 0
  const buckets = bounds.map((bound, index) => {
    below += counts[index]!
    return `${name}_bucket{${labels},le="${bound}"} ${below}`
  })
  return [
    ...buckets,
    `${name}_bucket{${labels},le="+Inf"} ${count}`,
    `${name}_sum{${labels}} ${sum}`,
    `${name}_count{${labels}} ${count}`,
  ]
}

function render(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value}"`)
    .join(',')
}
