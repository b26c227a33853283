import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as prom from 'prom-client'
import { ordersOf, startReplicas } from './binding/servers.fixture.ts'
import { type OtelMeter, otelMetrics, promMetrics } from './lifecycle.ts'

/** Two requests that succeed, one that fails, one that nobody waited for. */
async function spend(lifecycle: ReturnType<typeof promMetrics>): Promise<string> {
  await using replicas = await startReplicas(1)
  const { balancers } = ordersOf(replicas, { lifecycle: [lifecycle] })
  await balancers.ready()
  const { balancer } = balancers.get('orders')
  const done = (end: (lease: ReturnType<typeof balancer.pick>) => void) => end(balancer.pick({ method: 'GET' }))
  done((lease) => lease.done(200))
  done((lease) => lease.done(204))
  done((lease) => lease.done(500))
  done((lease) => lease.complete('discard'))
  balancer.pick({})
  return replicas[0]!.address
}

test('prom-client: requests by outcome and instance, those under way, instances known', async () => {
  const registry = new prom.Registry()
  const address = await spend(promMetrics(prom, [registry]))
  const text = await registry.metrics()
  const labels = `service="orders",instance="${address}"`
  for (const line of [
    `loadbalancer_requests_success_seconds_count{${labels}} 2`,
    `loadbalancer_requests_failed_seconds_count{${labels}} 1`,
    'loadbalancer_requests_discard_total{service="orders"} 1',
    `loadbalancer_requests_active{${labels}} 1`,
    'loadbalancer_instances{service="orders"} 1',
  ])
    assert.ok(text.includes(line), `${line} in\n${text}`)
})

test('OpenTelemetry: durations with outcome and status, the count under way goes up and down', async () => {
  const seen: [string, number, Record<string, string | number> | undefined][] = []
  const instrument = (name: string) => ({
    record: (value: number, attributes?: Record<string, string | number>) => seen.push([name, value, attributes]),
    add: (value: number, attributes?: Record<string, string | number>) => seen.push([name, value, attributes]),
  })
  const meter: OtelMeter = {
    createHistogram: instrument,
    createUpDownCounter: instrument,
    createCounter: instrument,
  }
  const address = await spend(otelMetrics(meter))
  const of = (wanted: string) => seen.filter(([name]) => name === wanted)
  assert.deepEqual(
    of('loadbalancer.requests').map(([, , attributes]) => [
      attributes?.outcome,
      attributes?.['http.response.status_code'],
    ]),
    [
      ['success', 200],
      ['success', 204],
      ['failure', 500],
      ['discard', undefined],
    ],
  )
  assert.equal(
    of('loadbalancer.requests.active').reduce((sum, [, value]) => sum + value, 0),
    1,
  )
  const [, , attributes] = of('loadbalancer.requests.active')[0]!
  assert.equal(`${attributes?.['server.address']}:${attributes?.['server.port']}`, address)
})
