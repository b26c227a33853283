import type { Client, Resource } from '../client/index.ts'
import { type ObjectKey, type Snapshot, splitKey } from '../cluster/index.ts'
import type { Log } from './contract.ts'
import type { ServiceTotals, ServiceTraffic } from './traffic.ts'

/** `kubectl get servicetraffic`: one object per Service and node, which goes with its Service. */
const serviceTraffics: Resource = {
  group: 'plumb.network',
  version: 'v1alpha1',
  plural: 'servicetraffics',
  namespaced: true,
  kind: 'ServiceTraffic',
}

/** The busiest Services of a node that have an object; the rest is in the metrics. */
const maxObjects = 200
/** The Services that metrics tell apart. */
const maxSeries = 1000

interface Reading {
  readonly totals: ServiceTotals
  readonly connectionsPerSecond: number
  readonly bytesPerSecond: number
}

/** Reads the counters now and then and tells them: as objects of the API server and as metrics. */
export class TrafficReport {
  readonly #traffic: ServiceTraffic
  readonly #parts: {
    readonly client: Client
    readonly snapshot: Snapshot
    readonly nodeName: string
    readonly log: Log
  }
  readonly #timer: NodeJS.Timeout
  #readings: ReadonlyMap<ObjectKey, Reading> = new Map()
  #readAt = performance.now()
  #told = new Map<ObjectKey, string>()
  #telling: Promise<void> = Promise.resolve()
  #refused = false

  constructor(
    traffic: ServiceTraffic,
    parts: {
      readonly client: Client
      readonly snapshot: Snapshot
      readonly nodeName: string
      readonly log: Log
      readonly intervalMs: number
    },
  ) {
    this.#traffic = traffic
    this.#parts = parts
    this.#timer = setInterval(() => this.report(), parts.intervalMs)
    this.#timer.unref()
  }

  close(): void {
    clearInterval(this.#timer)
    this.#traffic.close()
  }

  /** Reads now and writes what changed. */
  report(): Promise<void> {
    const { snapshot } = this.#parts
    const now = performance.now()
    const seconds = Math.max((now - this.#readAt) / 1000, 0.001)
    this.#readAt = now
    this.#traffic.keep((key) => snapshot.services.has(key))
    const readings = new Map<ObjectKey, Reading>()
    for (const [key, totals] of this.#traffic.read()) {
      const before = this.#readings.get(key)?.totals
      const rate = (of: (one: ServiceTotals) => number): number =>
        Math.round((of(totals) - (before === undefined ? 0 : of(before))) / seconds)
      readings.set(key, {
        totals,
        connectionsPerSecond: rate(({ connections }) => connections),
        bytesPerSecond: rate(({ requestBytes, replyBytes }) => requestBytes + replyBytes),
      })
    }
    this.#readings = readings
    this.#telling = this.#telling.then(() => this.#tell(readings))
    return this.#telling
  }

  /** The counters in the exposition format, as of the last reading. */
  text(): string {
    const busiest = mostBytes(this.#readings, maxSeries)
    const label = (key: ObjectKey): string => {
      const { namespace, name } = splitKey(key)
      return `namespace="${namespace}",service="${name}"`
    }
    const lines = (name: string, help: string, of: (one: ServiceTotals) => readonly [string, number][]): string[] => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} counter`,
      ...busiest.flatMap(([key, { totals }]) =>
        of(totals).map(([more, value]) => `${name}{${label(key)}${more}} ${value}`),
      ),
    ]
    const both = (request: number, reply: number): [string, number][] => [
      [',direction="request"', request],
      [',direction="reply"', reply],
    ]
    const text = [
      ...lines('plumb_service_connections_total', 'Connections to the Service through this node.', (one) => [
        ['', one.connections],
      ]),
      ...lines('plumb_service_packets_total', 'IP packets of connections to the Service.', (one) =>
        both(one.requestPackets, one.replyPackets),
      ),
      ...lines('plumb_service_bytes_total', 'Bytes of IP packets of connections to the Service.', (one) =>
        both(one.requestBytes, one.replyBytes),
      ),
      '# HELP plumb_service_traffic_events_lost_total Times that conntrack events were lost: counters lag behind.',
      '# TYPE plumb_service_traffic_events_lost_total counter',
      `plumb_service_traffic_events_lost_total ${this.#traffic.lost}`,
    ]
    return `${text.join('\n')}\n`
  }

  async #tell(readings: ReadonlyMap<ObjectKey, Reading>): Promise<void> {
    for (const key of this.#told.keys()) if (!readings.has(key)) this.#told.delete(key)
    for (const [key, reading] of mostBytes(readings, maxObjects)) {
      const text = JSON.stringify(reading)
      if (this.#told.get(key) === text) continue
      try {
        await this.#write(key, reading)
        this.#told.set(key, text)
        this.#refused = false
      } catch (error) {
        if (!this.#refused) this.#parts.log.warn({ service: key, error: String(error) }, 'traffic cannot be told')
        this.#refused = true
        return
      }
    }
  }

  async #write(key: ObjectKey, { totals, ...rates }: Reading): Promise<void> {
    const { client, snapshot, nodeName } = this.#parts
    const { namespace, name } = splitKey(key)
    const uid = snapshot.services.get(key)?.metadata.uid
    const owner = { apiVersion: 'v1', kind: 'Service', name, uid }
    const object = {
      apiVersion: 'plumb.network/v1alpha1',
      kind: 'ServiceTraffic',
      metadata: {
        name: `${name}.${nodeName}`,
        namespace,
        labels: { 'kubernetes.io/service-name': name },
        ...(uid === undefined ? {} : { ownerReferences: [owner] }),
      },
      service: name,
      node: nodeName,
      ...totals,
      ...rates,
    }
    const options = { fieldManager: 'plumb-traffic', force: true }
    await client.patch(serviceTraffics, namespace, object.metadata.name, 'apply', object, options)
  }
}

function mostBytes(readings: ReadonlyMap<ObjectKey, Reading>, count: number): readonly [ObjectKey, Reading][] {
  const bytes = ({ totals }: Reading): number => totals.requestBytes + totals.replyBytes
  const all = [...readings]
  return all.length <= count ? all : all.sort(([, a], [, b]) => bytes(b) - bytes(a)).slice(0, count)
}
