import { promises as dns } from 'node:dns'
import { type Clock, systemClock } from '../clock.ts'
import { addressOf, type Discovery, type ServiceInstance } from '../instance.ts'
import { poll } from './poll.ts'

/** What to ask the name servers for. */
export interface DnsOptions {
  readonly serviceId: string
  /** A host name with `port` for A and AAAA, or a name such as `_http._tcp.web.default.svc.cluster.local` without `port` for SRV. */
  readonly name: string
  readonly port?: number
  readonly family?: 4 | 6
  readonly secure?: boolean
  /** Between two questions: what the answer's TTL says, within these bounds. */
  readonly minIntervalMs?: number
  readonly maxIntervalMs?: number
  readonly clock?: Clock
  readonly resolver?: Resolver
}

/** The part of `dns.promises` that is needed. */
export interface Resolver {
  resolve4(name: string, options: { ttl: true }): Promise<{ address: string; ttl: number }[]>
  resolve6(name: string, options: { ttl: true }): Promise<{ address: string; ttl: number }[]>
  resolveSrv(name: string): Promise<{ name: string; port: number; priority: number; weight: number }[]>
}

/** More addresses than a name has in earnest. */
const mostInstances = 10_000

/**
 * Instances by DNS. An error or an empty answer keeps the last list, marked stale: a name server that lies for a moment must not empty a service. SRV weights are weights, and only records of the
 * lowest priority are used.
 */
export function dnsDiscovery(options: DnsOptions): Discovery {
  const { minIntervalMs = 1000, maxIntervalMs = 30_000, clock = systemClock } = options
  const resolver = options.resolver ?? (dns as Resolver)
  return {
    source: `DNS ${options.port === undefined ? 'SRV ' : ''}${options.name}`,
    subscribe: (listener) =>
      poll(
        clock,
        listener,
        async (tell) => {
          const { instances, ttlSeconds } =
            options.port === undefined
              ? await bySrv(options, resolver)
              : await byAddress(options, options.port, resolver)
          if (instances.length === 0) throw new Error(`${options.name} has no addresses`)
          tell(instances.slice(0, mostInstances))
          return Math.min(maxIntervalMs, Math.max(minIntervalMs, ttlSeconds * 1000))
        },
        minIntervalMs,
      ),
  }
}

async function byAddress({ serviceId, name, family, secure }: DnsOptions, port: number, resolver: Resolver) {
  const records = await addressesOf(name, family, resolver)
  return {
    instances: records.map(({ address: host }) => instanceOf(serviceId, host, port, secure)),
    ttlSeconds: lowestTtl(records),
  }
}

async function bySrv({ serviceId, name, family, secure }: DnsOptions, resolver: Resolver) {
  const records = await resolver.resolveSrv(name)
  const best = Math.min(...records.map(({ priority }) => priority))
  const targets = await Promise.all(
    records
      .filter(({ priority }) => priority === best)
      .map(async (record) => ({ record, addresses: await addressesOf(record.name, family, resolver) })),
  )
  const instances = targets.flatMap(({ record, addresses }) =>
    addresses.map(({ address }) => ({
      ...instanceOf(serviceId, address, record.port, secure),
      // Weight 0 is "hardly ever" (RFC 2782); a share of nothing cannot be told apart from an absent one.
      weight: Math.max(record.weight, 0.01),
      metadata: { hostname: record.name },
    })),
  )
  return { instances, ttlSeconds: lowestTtl(targets.flatMap(({ addresses }) => addresses)) }
}

function instanceOf(serviceId: string, host: string, port: number, secure = false): ServiceInstance {
  return { instanceId: addressOf({ host, port }), serviceId, host, port, secure }
}

function addressesOf(
  name: string,
  family: 4 | 6 | undefined,
  resolver: Resolver,
): Promise<{ address: string; ttl: number }[]> {
  return family === 6 ? resolver.resolve6(name, { ttl: true }) : resolver.resolve4(name, { ttl: true })
}

function lowestTtl(records: readonly { ttl: number }[]): number {
  return records.reduce((least, { ttl }) => Math.min(least, ttl), Number.POSITIVE_INFINITY)
}
