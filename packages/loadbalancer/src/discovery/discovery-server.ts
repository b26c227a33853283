import { type Clock, systemClock } from '../clock.ts'
import type { Discovery, ServiceInstance } from '../instance.ts'
import { type Ask, poll } from './poll.ts'

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

/** A stream without a sign of life for longer is asked anew; the server sends one every 15 s. */
const silenceMs = 45_000
/** An event of a thousand-instance Service has some 400 kB. */
const longestEvent = 16_000_000

/**
 * Instances by the HTTP interface of Spring Cloud Kubernetes' discovery server. Plumb's own tells changes at once, as server-sent events; where the
 * server has none it is polled.
 */
export function discoveryServer(options: DiscoveryServerOptions): Discovery {
  const { serviceId, url, intervalMs = 5000, timeoutMs = 5000, clock = systemClock } = options
  const address = new URL(`apps/${encodeURIComponent(serviceId)}`, url.endsWith('/') ? url : `${url}/`)
  const parse = (told: unknown): ServiceInstance[] => {
    if (!Array.isArray(told)) throw new Error(`${address.href} did not answer with a list`)
    return told.flatMap((one: Told) => parseTold(serviceId, one))
  }
  const ask: Ask = async (tell, stopped) => {
    const silence = new AbortController()
    const late = (ms: number) => clock.after(ms, () => silence.abort(new Error(`${address.href} is silent`)))
    let cancel = late(timeoutMs)
    try {
      const answer = await fetch(address, {
        signal: AbortSignal.any([stopped, silence.signal]),
        headers: { accept: 'text/event-stream, application/json;q=0.9' },
      })
      if (!answer.ok) throw new Error(`${address.href} answered ${answer.status}`)
      if (!answer.headers.get('content-type')?.startsWith('text/event-stream')) {
        tell(parse(await answer.json()))
        return intervalMs
      }
      for await (const data of eventsOf(answer.body!, () => {
        cancel()
        cancel = late(silenceMs)
      }))
        tell(parse(JSON.parse(data)))
      return intervalMs
    } finally {
      cancel()
    }
  }
  return {
    source: `discovery server ${address.href}`,
    subscribe: (listener) => poll(clock, listener, ask, intervalMs),
  }
}

/** The data of server-sent events (HTML, section 9.2); lists come on one line each. */
async function* eventsOf(body: ReadableStream<Uint8Array>, onBytes: () => void): AsyncGenerator<string> {
  let rest = ''
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    onBytes()
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > longestEvent) throw new Error('an event without end')
    for (const line of lines) if (line.startsWith('data:')) yield line.slice(5)
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
