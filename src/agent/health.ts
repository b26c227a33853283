import { createServer, type Server, type ServerResponse } from 'node:http'
import type { Address } from '../addr/index.ts'
import type { Host, Namespace } from '../host/index.ts'
import type { Metrics } from './metrics.ts'

/** What the health endpoints need to know. */
export interface HealthSource {
  /** When the last round succeeded; undefined before the first. */
  lastRound(): Date | undefined
  /** Since when a change waits for its round, if one does. */
  waitingSince(): Date | undefined
  /** Whether the node is meant to get traffic: false once an autoscaler marked it (KEP-3836). */
  eligible(): boolean
}

/** A change that waits this long means that rules are stale (twice kube-proxy's sync period of 30 s). */
const staleAfterMs = 60_000

/**
 * `/healthz`, `/livez` and `/metrics` as kube-proxy serves them: 503 while rules are stale or were never written, and for
 * `/healthz` also when the node is being removed.
 */
export function serveHealth(
  host: Host,
  namespace: Namespace,
  at: { readonly address: Address; readonly port: number },
  source: HealthSource,
  metrics: Metrics,
): { readonly server: Server; readonly port: number } {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0]
    if (request.method !== 'GET' && request.method !== 'HEAD') answer(response, 405, 'text/plain', 'only GET')
    else if (path === '/healthz') answerHealth(response, source, metrics, 'kubeproxy_proxy_healthz_total')
    else if (path === '/livez') answerHealth(response, source, metrics, 'kubeproxy_proxy_livez_total')
    else if (path === '/metrics') {
      metrics.scrape().then(
        ({ text, contentType }) => answer(response, 200, contentType, text),
        (error: unknown) => answer(response, 500, 'text/plain', String(error)),
      )
    } else answer(response, 404, 'text/plain', 'there are /healthz, /livez and /metrics')
  })
  server.requestTimeout = 10_000
  const { fd, port } = host.listenTcp(namespace, at.address, at.port)
  server.listen({ fd })
  return { server, port }
}

/** Whether the kernel holds what the objects say, or not for long something else. */
export function isFresh(source: Pick<HealthSource, 'lastRound' | 'waitingSince'>, now = new Date()): boolean {
  const waiting = source.waitingSince()
  return source.lastRound() !== undefined && (waiting === undefined || +now - +waiting < staleAfterMs)
}

function answerHealth(
  response: ServerResponse,
  source: HealthSource,
  metrics: Metrics,
  counter: 'kubeproxy_proxy_healthz_total' | 'kubeproxy_proxy_livez_total',
): void {
  const now = new Date()
  const fresh = isFresh(source, now)
  const healthy = fresh && (counter === 'kubeproxy_proxy_livez_total' || source.eligible())
  const code = healthy ? 200 : 503
  metrics.record(counter, 1, String(code))
  const body = {
    lastUpdated: source.lastRound()?.toISOString() ?? null,
    currentTime: now.toISOString(),
    nodeEligible: source.eligible(),
  }
  answer(response, code, 'application/json', JSON.stringify(body))
}

function answer(response: ServerResponse, code: number, contentType: string, body: string): void {
  response.writeHead(code, { 'Content-Type': contentType, 'X-Content-Type-Options': 'nosniff' })
  response.end(body)
}
