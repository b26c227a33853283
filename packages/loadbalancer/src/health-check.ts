import type { Clock } from './clock.ts'
import type { Endpoint } from './endpoint.ts'
import type { ServiceInstance } from './instance.ts'

/** Active health checks, for discoveries that do not know health themselves. Spring's names and defaults. */
export interface HealthCheckOptions {
  readonly initialDelayMs?: number
  readonly intervalMs?: number
  /** Empty: no check. */
  readonly path?: string
  readonly port?: number
  /** After the first round, go on. */
  readonly repeatHealthCheck?: boolean
  readonly timeoutMs?: number
  /** How to check; HTTP GET with a 2xx answer unless given. */
  readonly probe?: (
    instance: ServiceInstance,
    options: { path: string; port: number; timeoutMs: number },
  ) => Promise<boolean>
}

/** Checks all instances in rounds and marks them; `changed` is called when any mark changes. */
export function startHealthChecks(
  options: HealthCheckOptions,
  clock: Clock,
  endpoints: () => readonly Endpoint[],
  changed: () => void,
): () => void {
  const { initialDelayMs = 0, intervalMs = 25_000, path = '/actuator/health', timeoutMs = 5000 } = options
  if (path === '') return () => undefined
  const probe = options.probe ?? httpProbe
  let stopped = false
  let cancel = clock.after(initialDelayMs, round)
  function round(): void {
    const checks = endpoints().map(async (endpoint) => {
      const port = options.port ?? endpoint.instance.port
      const isWell = await probe(endpoint.instance, { path, port, timeoutMs }).catch(() => false)
      if (stopped || endpoint.unhealthy === !isWell) return
      endpoint.unhealthy = !isWell
      // A passed check outweighs what traffic said before (Envoy does the same).
      if (isWell) endpoint.ejectedUntilMs = 0
      changed()
    })
    void Promise.all(checks).then(() => {
      if (!stopped && options.repeatHealthCheck !== false) cancel = clock.after(intervalMs, round)
    })
  }
  return () => {
    stopped = true
    cancel()
  }
}

async function httpProbe(
  instance: ServiceInstance,
  { path, port, timeoutMs }: { path: string; port: number; timeoutMs: number },
): Promise<boolean> {
  const { request } = instance.secure === true ? await import('node:https') : await import('node:http')
  return new Promise((resolve) => {
    const call = request(
      { host: instance.host, port, path, method: 'GET', timeout: timeoutMs, agent: false },
      (answer) => {
        answer.resume()
        resolve(answer.statusCode !== undefined && answer.statusCode >= 200 && answer.statusCode < 300)
      },
    )
    call.on('timeout', () => call.destroy(new Error('timeout')))
    call.on('error', () => resolve(false))
    call.end()
  })
}
