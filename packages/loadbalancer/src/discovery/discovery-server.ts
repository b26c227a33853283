import { type Clock, systemClock } from '../clock.ts'
import type { Discovery, ServiceInstance } from '../instance.ts'
import { poll } from './poll.ts'

/** Where the discovery server is and which service is asked for. */
export interface DiscoveryServerOptions {
  readonly serviceId: string
  /** `http://plumb-discovery:8761`; Spring Cloud Kubernetes' own server answers the same. */
  readonly url: string
  readonly intervalMs?: number
  readonly timeoutMs?: number
  readonly clock?: Clock
}

/** An instance as `/apps/{name}` tells it. */
interface Told {
  readonly instanceId?: unknown
  readonly host?: unknown
  readonly port?: unknown
  readonly secure?: unknown
  readonly metadata?: unknown
  readonly podMetadata?: unknown
}

/** Instances by the HTTP interface of Spring Cloud Kubernetes' discovery server, polled. */
export function discoveryServer(options: DiscoveryServerOptions): Discovery {
  const { serviceId, url, intervalMs = 5000, timeoutMs = 5000, clock = systemClock } = options
  const address = new URL(`apps/${encodeURIComponent(serviceId)}`, url.endsWith('/') ? url : `${url}/`)
  return {
    source: `discovery server ${address.href}`,
    subscribe: (listener) =>
      poll(
        clock,
        listener,
        async () => {
          const answer = await fetch(address, {
            signal: AbortSignal.timeout(timeoutMs),
            headers: { accept: 'application/json' },
          })
          if (!answer.ok) throw new Error(`${address.href} answered ${answer.status}`)
          const told: unknown = await answer.json()
          if (!Array.isArray(told)) throw new Error(`${address.href} did not answer with a list`)
          return { instances: told.flatMap((one: Told) => parseTold(serviceId, one)), nextMs: intervalMs }
        },
        intervalMs,
      ),
  }
}

function parseTold(serviceId: string, told: Told): ServiceInstance[] {
  const { instanceId, host, port, secure, metadata } = told
  if (typeof host !== 'string' || typeof port !== 'number') return []
  const texts = Object.entries((metadata ?? {}) as Record<string, unknown>).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  )
  const known = Object.fromEntries(texts)
  return [
    {
      instanceId: typeof instanceId === 'string' ? instanceId : `${host}:${port}`,
      serviceId,
      host,
      port,
      secure: secure === true,
      metadata: known,
      ...(known.zone === undefined ? {} : { zone: known.zone }),
      // Extras of Plumb's server, absent from others.
      ...(known.terminating === 'true' ? { ready: false, terminating: true, serving: known.serving === 'true' } : {}),
    },
  ]
}
