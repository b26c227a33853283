import type { Clock } from './clock.ts'
import {
  type ApiVersionOptions,
  apiVersion,
  hints,
  requestBasedStickySession,
  sameInstancePreference,
} from './filter/by-request.ts'
import type { Filter } from './filter/filter.ts'
import { subset } from './filter/subset.ts'
import { zonePreference } from './filter/zone-preference.ts'
import type { HealthCheckOptions } from './health-check.ts'
import type { Discovery } from './instance.ts'
import type { LoadBalancerLifecycle } from './lifecycle.ts'
import type { OutlierOptions } from './outlier.ts'
import type { Policy, PolicyName } from './policy/index.ts'
import type { LimitOptions } from './traffic/limit.ts'
import type { HedgeOptions, RetryOptions } from './traffic/retry.ts'

/** All that can be set for one service. Spring's features have Spring's names; see the table in the README. */
export interface LoadBalancerOptions {
  readonly serviceId: string
  readonly discovery: Discovery
  /** `peak-ewma` unless given. */
  readonly policy?: PolicyName | Policy
  /** Prefer this zone; `node` also honours node hints. */
  readonly zone?: string
  readonly node?: string
  readonly sameInstancePreference?: boolean
  readonly stickySession?: { readonly instanceIdCookieName?: string; readonly addServiceInstanceCookie?: boolean }
  /** `hint.default` and `hint-header-name`. */
  readonly hint?: { readonly default?: string; readonly headerName?: string }
  readonly subset?: { readonly size?: number; readonly instanceId: string }
  readonly apiVersion?: ApiVersionOptions
  readonly healthCheck?: HealthCheckOptions
  readonly retry?: RetryOptions
  readonly hedge?: HedgeOptions
  readonly limit?: LimitOptions
  /** Milliseconds for requests that bring no deadline of their own. */
  readonly deadlineMs?: number
  /** Tells the instance what is left of the deadline, in milliseconds. */
  readonly deadlineHeader?: string
  readonly xForwarded?: { readonly enabled: boolean }
  /** On unless false. */
  readonly outlier?: OutlierOptions | false
  /** Off unless `windowMs` is given. */
  readonly slowStart?: { readonly windowMs: number; readonly aggression?: number; readonly minWeightPercent?: number }
  /** 50 unless given; 0 never panics. */
  readonly panicThresholdPercent?: number
  /** What a failure counts as for `peak-ewma`, milliseconds; 1000 unless given, and never less than five times the usual latency. */
  readonly failurePenaltyMs?: number
  readonly lifecycle?: readonly LoadBalancerLifecycle[]
  /** Further filters, after those above. */
  readonly filters?: readonly Filter[]
  readonly clock?: Clock
  /** Makes picks repeatable. */
  readonly seed?: number
}

/** The filters that the options ask for, in the order in which they narrow the list. */
export function filtersOf(options: LoadBalancerOptions): Filter[] {
  const { zone, node, stickySession, hint, apiVersion: versions } = options
  return [
    ...(zone === undefined ? [] : [zonePreference(zone, node)]),
    ...(options.subset === undefined ? [] : [subset(options.subset.size ?? 100, options.subset.instanceId)]),
    ...(versions === undefined ? [] : [apiVersion(versions)]),
    ...(hint === undefined ? [] : [hints(hint)]),
    ...(stickySession === undefined ? [] : [requestBasedStickySession(stickySession.instanceIdCookieName)]),
    ...(options.sameInstancePreference === true ? [sameInstancePreference()] : []),
    ...(options.filters ?? []),
  ]
}
