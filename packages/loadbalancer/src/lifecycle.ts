import type { OutcomeKind } from './endpoint.ts'
import type { Explanation } from './explain.ts'
import type { BalancedRequest, ServiceInstance } from './instance.ts'
import type { Ending, Lease } from './lease.ts'

/** Told of what happens, by Spring's names; an observer that throws is not called again for that event's sake, the request goes on. */
export interface LoadBalancerLifecycle {
  /** Before the pick. */
  onStart?(serviceId: string, request: BalancedRequest): void
  /** An instance was picked and the request goes to it. */
  onStartRequest?(serviceId: string, lease: Lease): void
  /** It ended; `discard`: without an answer that anybody waited for, or without an instance (then `lease` is undefined). */
  onComplete?(serviceId: string, kind: OutcomeKind, ending: Ending, lease: Lease | undefined, latencyMs: number): void
  /** Instances came or went. */
  onList?(serviceId: string, instances: readonly ServiceInstance[], stale: boolean): void
  onEjected?(serviceId: string, instance: ServiceInstance, because: string): void
}

/** Thrown when a request finds no instance; `explanation()` tells of each why not. */
export class NoInstanceError extends Error {
  readonly code = 'PLUMB_NO_INSTANCE'
  readonly serviceId: string
  readonly explanation: () => Explanation

  constructor(serviceId: string, says: string, explanation: () => Explanation) {
    super(`${serviceId}: ${says}`)
    this.name = 'NoInstanceError'
    this.serviceId = serviceId
    this.explanation = explanation
  }
}

/** How prom-client makes an instrument; `Registry` is its own. */
interface PromOptions<Registry> {
  name: string
  help: string
  labelNames: string[]
  buckets?: number[]
  registers?: Registry[]
}
type Labels = Record<string, string>

/** The part of prom-client that the metrics need; pass the module itself. */
export interface PromClient<Registry> {
  Counter: new (o: PromOptions<Registry>) => { inc(labels: Labels): void }
  Gauge: new (
    o: PromOptions<Registry>,
  ) => { inc(labels: Labels): void; dec(labels: Labels): void; set(labels: Labels, value: number): void }
  Histogram: new (o: PromOptions<Registry>) => { observe(labels: Labels, value: number): void }
}

const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Metrics by Spring's names for prom-client: `import * as prom from 'prom-client'; promMetrics(prom)`. */
export function promMetrics<Registry>(prom: PromClient<Registry>, registers?: Registry[]): LoadBalancerLifecycle {
  const common = { labelNames: ['service'], ...(registers === undefined ? {} : { registers }) }
  const each = { ...common, labelNames: ['service', 'instance'] }
  const active = new prom.Gauge({ name: 'loadbalancer_requests_active', help: 'Requests under way', ...each })
  const timer = (name: string, help: string) => new prom.Histogram({ name, help, buckets, ...each })
  const success = timer('loadbalancer_requests_success_seconds', 'Requests that succeeded')
  const failed = timer('loadbalancer_requests_failed_seconds', 'Requests that failed')
  const discard = new prom.Counter({
    name: 'loadbalancer_requests_discard_total',
    help: 'Requests given up',
    ...common,
  })
  const ejected = new prom.Counter({ name: 'loadbalancer_ejections_total', help: 'Instances ejected', ...common })
  const known = new prom.Gauge({ name: 'loadbalancer_instances', help: 'Instances known', ...common })
  return {
    onStartRequest: (service, lease) => active.inc({ service, instance: lease.instance.instanceId }),
    onComplete(service, kind, _ending, lease, latencyMs) {
      if (lease !== undefined) active.dec({ service, instance: lease.instance.instanceId })
      if (kind === 'discard' || lease === undefined) return discard.inc({ service })
      const labels = { service, instance: lease.instance.instanceId }
      if (kind === 'success') success.observe(labels, latencyMs / 1000)
      else failed.observe(labels, latencyMs / 1000)
    },
    onEjected: (service) => ejected.inc({ service }),
    onList: (service, instances) => known.set({ service }, instances.length),
  }
}

/** The part of an OpenTelemetry Meter that the metrics need. */
export interface OtelMeter {
  createHistogram(
    name: string,
    options?: { unit?: string; description?: string },
  ): {
    record(value: number, attributes?: Record<string, string | number>): void
  }
  createUpDownCounter(
    name: string,
    options?: { description?: string },
  ): {
    add(value: number, attributes?: Record<string, string | number>): void
  }
  createCounter(
    name: string,
    options?: { description?: string },
  ): {
    add(value: number, attributes?: Record<string, string | number>): void
  }
}

/** Metrics for OpenTelemetry: `otelMetrics(metrics.getMeter('orders'))`; attributes follow its semantic conventions. */
export function otelMetrics(meter: OtelMeter): LoadBalancerLifecycle {
  const duration = meter.createHistogram('loadbalancer.requests', { unit: 's', description: 'Requests by instance' })
  const active = meter.createUpDownCounter('loadbalancer.requests.active', { description: 'Requests under way' })
  const ejections = meter.createCounter('loadbalancer.ejections', { description: 'Instances ejected' })
  const attributesOf = (service: string, lease: Lease) => ({
    'service.name': service,
    'server.address': lease.instance.host,
    'server.port': lease.instance.port,
  })
  return {
    onStartRequest: (service, lease) => active.add(1, attributesOf(service, lease)),
    onComplete(service, kind, ending, lease, latencyMs) {
      const attributes: Record<string, string | number> =
        lease === undefined ? { 'service.name': service } : attributesOf(service, lease)
      if (lease !== undefined) active.add(-1, attributes)
      const outcome: Record<string, string | number> = { ...attributes, outcome: kind }
      if (ending.status !== undefined) outcome['http.response.status_code'] = ending.status
      duration.record(latencyMs / 1000, outcome)
    },
    onEjected: (service, instance) =>
      ejections.add(1, { 'service.name': service, 'server.address': instance.host, 'server.port': instance.port }),
  }
}
