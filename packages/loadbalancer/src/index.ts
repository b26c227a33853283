export { LoadBalancer } from './balancer.ts'
export { type Clock, systemClock } from './clock.ts'
export { type Credentials, loadCredentials } from './discovery/credentials.ts'
export { type DiscoveryServerOptions, discoveryServer } from './discovery/discovery-server.ts'
export { type DnsOptions, dnsDiscovery, type Resolver } from './discovery/dns.ts'
export { type EndpointSlicesOptions, endpointSlices } from './discovery/endpoint-slices.ts'
export { type StaticDiscovery, type StaticInstance, staticList } from './discovery/static.ts'
export type { Endpoint, FailureOrigin, OutcomeKind } from './endpoint.ts'
export { type Explanation, type InstanceVerdict, renderExplanation } from './explain.ts'
export type { ApiVersionOptions } from './filter/by-request.ts'
export type { Filter, Inventory } from './filter/filter.ts'
export type { HealthCheckOptions } from './health-check.ts'
export {
  addressOf,
  type BalancedRequest,
  type Discovery,
  type InstanceList,
  originOf,
  type ServiceInstance,
} from './instance.ts'
export type { Ending, Lease } from './lease.ts'
export {
  type LoadBalancerLifecycle,
  NoInstanceError,
  type OtelMeter,
  otelMetrics,
  type PromClient,
  promMetrics,
} from './lifecycle.ts'
export type { LoadBalancerOptions } from './options.ts'
export type { OutlierOptions } from './outlier.ts'
export { type PickContext, type Policy, type PolicyName, policyNames, type View } from './policy/index.ts'
export { Maglev } from './policy/maglev.ts'
export { RingHash } from './policy/ring-hash.ts'
export { LoadBalancers, type RegistryOptions } from './registry.ts'
export { ConcurrencyLimit, type LimitOptions, OverloadedError } from './traffic/limit.ts'
export { type HedgeOptions, RetryBudget, type RetryOptions } from './traffic/retry.ts'
export { type Attempt, DeadlineError, type RunOptions, run, Traffic } from './traffic/run.ts'
