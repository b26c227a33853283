import { type ChildProcess, fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { startTestServer, type TestServer } from '../../src/apiserver/server.fixture.ts'
import { type Client, connect, type Resource } from '../../src/client/index.ts'
import { keeperOptions } from '../../src/memory/index.ts'
import {
  EndpointSlices,
  IngressClasses,
  Ingresses,
  type KubeObject,
  Namespaces,
  Services,
} from '../../src/objects/index.ts'
import { gatewayClass, gatewayOf, routeOf, serviceOf, sliceOf, to } from '../../src/proxy/gateway-objects.fixture.ts'
import { GatewayRig } from '../../src/proxy/rig.fixture.ts'
import type { Row } from '../row.ts'
import type { AgentStart, Memory } from './agent.ts'
import { percentile, row } from './rows.ts'

const api = { group: 'gateway.networking.k8s.io', version: 'v1' }
const Classes: Resource = { ...api, plural: 'gatewayclasses', namespaced: false, kind: 'GatewayClass' }
const Gateways: Resource = { ...api, plural: 'gateways', namespaced: true, kind: 'Gateway' }
const HTTPRoutes: Resource = { ...api, plural: 'httproutes', namespaced: true, kind: 'HTTPRoute' }

type RouteKind = 'Ingress' | 'HTTPRoute'

/** What a change cost, from the write at the API server on. */
interface ChainCosts {
  readonly routesMs: readonly number[]
  readonly endpointsMs: readonly number[]
  /** CPU of the agent for a change, in milliseconds. */
  readonly routeCpuMs: number
  readonly endpointCpuMs: number
  /** Of the agent, all routes known. */
  readonly memory: Memory
}

const changes = 100

/**
 * The whole chain: a client writes to an API server, the agent of a node follows it, HAProxy answers from a new route or another pod. The
 * agent is a process of its own.
 */
export async function* chain(kind: RouteKind, routes: number): AsyncIterable<Row> {
  const { routesMs, endpointsMs, routeCpuMs, endpointCpuMs, memory } = await measureChain(kind, routes)
  const at = `at ${routes} of ${kind}`
  for (const share of [50, 99])
    yield row(`${at}, from the API on: a new route serves, p${share}`, percentile(routesMs, share), 'ms')
  for (const share of [50, 99])
    yield row(`${at}, from the API on: an endpoint serves, p${share}`, percentile(endpointsMs, share), 'ms')
  yield row(`${at}: CPU of the agent for a new route`, routeCpuMs, 'ms')
  yield row(`${at}: CPU of the agent for an endpoint`, endpointCpuMs, 'ms')
  for (const [what, bytes] of Object.entries(memory))
    yield row(`${at}: memory of the agent, ${what}`, bytes / 1e6, 'MB')
}

async function measureChain(kind: RouteKind, routes: number): Promise<ChainCosts> {
  const definitions = [join(import.meta.dirname, '../../crds/gateway-api')]
  await using api = await startTestServer({ definitions })
  const rig = new GatewayRig()
  const credentials = credentialsOf(api)
  const client = connect(credentials)
  let agent: ChildProcess | undefined
  try {
    const [one, two] = rig.rig.backends
    for (const station of [one, two]) rig.serve(station, 8001)
    const write = writerOf(kind, client)
    await prepare(client, kind, sliceOf('moving', 8001, one))
    for (let at = 0; at < routes; at++) await write(at, `h${at}.example`)
    agent = await startAgent(credentials, rig)
    const pid = agent.pid!
    const asking = rig.agent(true)
    const port = kind === 'Ingress' ? 80 : 20_080
    const until = async (host: string, from?: string): Promise<number> => {
      const begun = performance.now()
      for (;;) {
        const got = await rig.ask(host, '/', asking, port).catch(() => undefined)
        if (got?.status === 200 && (from === undefined || got.from === from)) return performance.now() - begun
        if (performance.now() - begun > 60_000) throw new Error(`${host} is not served`)
        await pause(1)
      }
    }
    await until(`h${routes - 1}.example`)
    await pause(3000)
    const memory = await askMemory(agent)
    const measure = async (change: (at: number) => Promise<number>): Promise<{ all: number[]; cpuMs: number }> => {
      const all: number[] = []
      const before = cpuMs(pid)
      for (let at = 0; at < changes; at++) all.push(await change(at))
      // What is written down afterwards is part of it.
      await pause(500)
      return { all, cpuMs: (cpuMs(pid) - before) / changes }
    }
    const onRoutes = await measure(async (at) => {
      const begun = performance.now()
      await write(routes + at, `new-${at}.example`)
      await until(`new-${at}.example`)
      return performance.now() - begun
    })
    const onEndpoints = await measure(async (at) => {
      const station = at % 2 === 0 ? two : one
      const slice = await client.get<KubeObject>(EndpointSlices, 'ns', 'moving')
      const begun = performance.now()
      await client.update(EndpointSlices, { ...slice, ...pick(sliceOf('moving', 8001, station)) })
      await until('h0.example', `${station.name}:8001`)
      return performance.now() - begun
    })
    asking.destroy()
    return {
      routesMs: onRoutes.all,
      endpointsMs: onEndpoints.all,
      routeCpuMs: onRoutes.cpuMs,
      endpointCpuMs: onEndpoints.cpuMs,
      memory,
    }
  } finally {
    if (agent !== undefined) await stopAgent(agent)
    client.close()
    await rig.close()
  }
}

function pick({ endpoints }: ReturnType<typeof sliceOf>) {
  return { endpoints }
}

function credentialsOf({ server, certificates: { authority, admin } }: TestServer): AgentStart['server'] {
  const url = `https://127.0.0.1:${server.addresses[0]!.port}`
  return { server: url, ca: authority.cert, cert: admin.cert, key: admin.key, userAgent: 'bench' }
}

async function prepare(client: Client, kind: RouteKind, slice: KubeObject): Promise<void> {
  const create = (resource: Resource, object: KubeObject) => client.create(resource, object)
  await create(Namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'ns' } })
  await create(Services, serviceOf('moving'))
  await create(EndpointSlices, slice)
  if (kind === 'Ingress') {
    const metadata = { name: 'plumb' }
    const spec = { controller: 'plumb.network/gateway' }
    await create(IngressClasses, {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'IngressClass',
      metadata,
      spec,
    } as KubeObject)
    return
  }
  await create(Classes, gatewayClass)
  const [gateway, service] = gatewayOf('gw', [{ name: 'http', port: 80, protocol: 'HTTP' }])
  await create(Gateways, gateway!)
  await create(Services, service!)
}

function writerOf(kind: RouteKind, client: Client): (at: number, host: string) => Promise<unknown> {
  if (kind === 'HTTPRoute')
    return (at, host) =>
      client.create(
        HTTPRoutes,
        routeOf('HTTPRoute', `r${at}`, [{ backendRefs: [to('moving')] }], { hostnames: [host] }),
      )
  return (at, host) => {
    const paths = [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'moving', port: { number: 80 } } } }]
    return client.create(Ingresses, {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: `r${at}`, namespace: 'ns' },
      spec: { ingressClassName: 'plumb', rules: [{ host, http: { paths } }] },
    } as KubeObject)
  }
}

/** Compiled code as `src/cli/start.js` finds it. */
const compiled = join(import.meta.dirname, '../../node_modules/.cache/compile')

/** With the flags with which agents are started. */
async function startAgent(server: AgentStart['server'], rig: GatewayRig): Promise<ChildProcess> {
  const start = { server, namespace: rig.rig.node.path, directory: `${rig.directory}/agent` }
  const child = fork(join(import.meta.dirname, 'agent.ts'), [JSON.stringify(start)], {
    execArgv: [keeperOptions],
    env: { ...process.env, NODE_COMPILE_CACHE: compiled },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  await new Promise((resolve, reject) => {
    child.once('message', resolve)
    child.once('exit', (code) => reject(new Error(`the agent ended with ${code}`)))
  })
  return child
}

async function stopAgent(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.send('stop')
  await ended
}

function askMemory(child: ChildProcess): Promise<Memory> {
  const answer = new Promise<Memory>((resolve) => child.once('message', (told) => resolve(told as Memory)))
  child.send('memory')
  return answer
}

/** Of a process with its threads, not with HAProxy, which is another. */
function cpuMs(pid: number): number {
  const [, , ...fields] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(/\) |\s/)
  return (Number(fields[11]) + Number(fields[12])) * 10
}
