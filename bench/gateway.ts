import { spawnSync } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import type { KubeObject } from '../src/objects/index.ts'
import { serviceOf, sliceOf } from '../src/proxy/gateway-objects.fixture.ts'
import type { GatewayRig } from '../src/proxy/rig.fixture.ts'
import { chain } from './gateway/chain.ts'
import { costs } from './gateway/costs.ts'
import { handshakes } from './gateway/handshakes.ts'
import { hosts } from './gateway/hosts.ts'
import { percentile, row } from './gateway/rows.ts'
import { ingress, name, pathsOf, Stand, services } from './gateway/stand.ts'
import type { Row } from './row.ts'

/**
 * What a request costs a gateway beside HAProxy configurations written by hand for the same routes, beside nginx and a Node proxy; how soon a
 * route and an endpoint serve, and what the agent needs for it; what fails while both change. Load comes from h2load, in a namespace beyond the node's.
 */
export async function* bench(only: readonly string[] = []): AsyncIterable<Row> {
  const unknown = only.find((part) => !Object.hasOwn(parts, part))
  if (unknown !== undefined)
    throw new Error(`no part is called ${unknown}; there are: ${Object.keys(parts).join(', ')}`)
  const lacking = ['h2load', 'haproxy'].filter((program) => spawnSync(program, ['-v']).error !== undefined)
  if (lacking.length > 0) throw new Error(`${lacking.join(', ')} must be installed (Debian: nghttp2-client, haproxy)`)
  for (const [name, part] of Object.entries(parts)) if (only.length === 0 || only.includes(name)) yield* part()
}

const parts = {
  'costs-10': () => costs(10),
  'costs-10000': () => costs(10_000),
  handshakes,
  hosts,
  changes: () => changes(3000),
  ingresses: () => chain('Ingress', 3000),
  routes: () => chain('HTTPRoute', 5000),
  load: underLoad,
}

const newServices = 250

/** From the event at the informers until it is answered so: asked all the time. */
async function* changes(routes: number): AsyncIterable<Row> {
  await using stand = await Stand.open()
  const { gateway } = stand
  const [one, two] = gateway.rig.backends
  gateway.serve(one, 8001)
  gateway.serve(two, 8001)
  const many = Array.from({ length: routes }, (_, at) => ingress(`many-${at}`, `h${at}.example`, ['/'], services))
  await gateway.change([serviceOf('moving'), sliceOf('moving', 8001, one), ...many])
  await gateway.change([ingress('moving', 'moving.example', ['/'], ['moving'])])
  const agent = gateway.agent(true)
  const routesMs: number[] = []
  for (let at = 0; at < 100; at++) {
    const begun = performance.now()
    const changed = gateway.change([ingress(`new-${at}`, `new-${at}.example`, ['/'], ['moving'])])
    while ((await gateway.ask(`new-${at}.example`, '/', agent)).status !== 200) await pause(1)
    routesMs.push(performance.now() - begun)
    await changed
  }
  for (const share of [50, 99])
    yield row(`a new route at ${routes} serves, p${share}`, percentile(routesMs, share), 'ms')
  const servicesMs: number[] = []
  const { reloads } = gateway.module
  for (let at = 0; at < newServices; at++) {
    const own = [serviceOf(`own-${at}`), sliceOf(`own-${at}`, 8001, one)]
    const begun = performance.now()
    const changed = gateway.change([...own, ingress(`own-${at}`, `own-${at}.example`, ['/'], [`own-${at}`])])
    while ((await gateway.ask(`own-${at}.example`, '/', agent)).status !== 200) await pause(1)
    servicesMs.push(performance.now() - begun)
    await changed
  }
  for (const share of [50, 99])
    yield row(`a new Service with a route at ${routes} serves, p${share}`, percentile(servicesMs, share), 'ms')
  const reloaded = ((gateway.module.reloads - reloads) * 1000) / newServices
  yield row(`reloads for 1,000 new Services with routes at ${routes}`, reloaded, 'reloads')
  const endpointsMs: number[] = []
  for (let at = 0; at < 100; at++) {
    const station = at % 2 === 0 ? two : one
    const begun = performance.now()
    const changed = gateway.change([sliceOf('moving', 8001, station)])
    while ((await gateway.ask('moving.example', '/', agent)).from !== `${station.name}:8001`) await pause(1)
    endpointsMs.push(performance.now() - begun)
    await changed
  }
  for (const share of [50, 99])
    yield row(`an endpoint at ${routes} routes serves, p${share}`, percentile(endpointsMs, share), 'ms')
  agent.destroy()
}

/**
 * 1,000 route edits, and 10 reloads by backends with other timeouts, while clients keep their connections or open one for each request, and try nothing
 * again.
 */
async function* underLoad(): AsyncIterable<Row> {
  await using stand = await Stand.open()
  const { gateway } = stand
  await stand.serve(10)
  const [path = ''] = pathsOf(1)
  const total = { requests: 0, failed: 0 }
  let done = false
  const ask = async (agent: ReturnType<GatewayRig['agent']>): Promise<void> => {
    while (!done) {
      const answer = await gateway.ask(name, path, agent).catch(() => undefined)
      total.requests++
      if (answer?.status !== 200) total.failed++
    }
    agent.destroy()
  }
  const clients = [true, true, true, true, false, false].map((keepAlive) => ask(gateway.agent(keepAlive)))
  const reloads = gateway.module.reloads
  const edits = 1000
  const edit = (at: number): KubeObject => ingress('edited', `edited-${at}.example`, ['/'], services)
  for (let at = 0; at < edits; at++) {
    const annotations = { 'plumb.network/proxy-connect-timeout': String(1 + at / 100) }
    const patient = ingress(`more-${at}`, 'more.example', [`/${at}`], services)
    const more = { ...patient, metadata: { ...patient.metadata, annotations } }
    await gateway.change(at % 100 === 0 ? [edit(at), more] : [edit(at)])
  }
  done = true
  await Promise.all(clients)
  const words = `${edits} edits and ${gateway.module.reloads - reloads} reloads`
  yield row(`requests during ${words}`, total.requests, 'requests')
  yield row('of them failed', total.failed, 'requests')
}
