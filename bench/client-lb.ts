import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as grpc from '@grpc/grpc-js'
import { BalancedPool, type Dispatcher, Pool } from 'undici'
import { BalancedDispatcher } from '../packages/loadbalancer/src/binding/undici.ts'
import { LoadBalancer, LoadBalancers, type PolicyName, staticList } from '../packages/loadbalancer/src/index.ts'
import { balancerOf, namesOf, normal, type Replica, simulate } from '../packages/loadbalancer/src/simulation.fixture.ts'
import type { Row } from './row.ts'

/** Client-side balancing: cost of a pick and of a request, and what slow and failing replicas cost the caller, beside undici's BalancedPool and grpc-js's round_robin. */
export async function* bench(): AsyncGenerator<Row> {
  const row = (metric: string, value: number, unit: string, peer?: string, peerValue?: number): Row => ({
    bench: 'client-lb',
    metric,
    value,
    unit,
    ...(peer === undefined || peerValue === undefined ? {} : { peer, ratio: value / peerValue }),
  })
  let few = 0
  for (const count of [3, 10, 100, 1000]) {
    const rate = picksPerSecond('peak-ewma', count)
    if (count === 3) few = rate
    yield row(`pick and end, peak-ewma, ${count} endpoints`, rate / 1e6, 'M/s', 'with 3 endpoints', few / 1e6)
  }
  for (const policy of ['round-robin', 'least-request', 'maglev'] as const)
    yield row(`pick and end, ${policy}, 1000 endpoints`, picksPerSecond(policy, 1000) / 1e6, 'M/s')

  const [bare, balanced] = await requestCosts()
  yield row('request with its server, bare undici Pool', bare, 'µs CPU')
  yield row('request with its server, balanced', balanced, 'µs CPU', 'bare undici Pool', bare)
  yield row('overhead of balancing a request', balanced - bare, 'µs CPU')

  const turns = simulated('round-robin')
  for (const policy of ['least-request', 'peak-ewma'] as const)
    yield row(
      `one of 11 at 2 s half the time (virtual), ${policy}, < 1 s`,
      simulated(policy),
      '%',
      'round robin',
      turns,
    )

  for (const [name, unit, scenario] of [
    ['one of 10 slow, +300 ms: answers after 150 ms', '%', slow],
    ['one of 10 fails at once: calls failed', '%', failing],
  ] as const) {
    const peers = { 'undici BalancedPool': await scenario(undiciPeer), 'grpc-js round_robin': await scenario(grpcPeer) }
    const own = { 'fetch dispatcher': await scenario(undiciOwn), 'grpc-js by plumb': await scenario(grpcOwn) }
    for (const [who, value] of Object.entries(peers)) yield row(`${name}, ${who}`, value, unit)
    yield row(`${name}, peak-ewma`, own['fetch dispatcher'], unit, 'undici BalancedPool', peers['undici BalancedPool'])
    yield row(
      `${name}, grpc peak-ewma`,
      own['grpc-js by plumb'],
      unit,
      'grpc-js round_robin',
      peers['grpc-js round_robin'],
    )
  }
  yield row('10 changes of the list a second: calls failed', await churn(), 'of 2000')
}

function picksPerSecond(policy: PolicyName, count: number): number {
  const addresses = Array.from({ length: count }, (_, i) => `10.0.${i >> 8}.${i & 255}:80`)
  const lb = new LoadBalancer({ serviceId: 'x', policy, seed: 1, discovery: staticList('x', addresses) })
  const batch = 500_000
  let best = 0
  for (let round = 0; round < 5; round++) {
    const begun = performance.now()
    for (let i = 0; i < batch; i++) lb.pick().done()
    best = Math.max(best, (batch * 1000) / (performance.now() - begun))
  }
  return best
}

/** The Buoyant scenario: 167 ms, 1000 requests a second, one of 11 replicas at 2 s from second 15 to 45. Percent answered in 1 s. */
function simulated(policy: PolicyName): number {
  const usual: Replica = (_atMs, random) => ({ latencyMs: normal(random, 167, 5), status: 200 })
  const late: Replica = (atMs, random) =>
    atMs >= 15_000 && atMs < 45_000 ? { latencyMs: 2000, status: 200 } : usual(atMs, random)
  const rig = balancerOf(namesOf(11), { policy })
  return simulate(rig, {
    perSecond: 1000,
    seconds: 60,
    replicaOf: (host) => (host === 'r0' ? late : usual),
  }).successWithin(1000)
}

async function listen(listener: RequestListener): Promise<{ server: Server; address: string }> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, address: `127.0.0.1:${(server.address() as AddressInfo).port}` }
}

function dispatcherOf(addresses: readonly string[], pool: Pool.Options = {}): Dispatcher {
  const discovery = staticList('orders', addresses)
  return new BalancedDispatcher({ pool, balancers: new LoadBalancers({ clients: { orders: { discovery } } }) })
}

/** Least of batches taken in turn, µs per request, 16 at a time over kept connections: [bare, balanced]. */
async function requestCosts(): Promise<[bare: number, balanced: number]> {
  const { server, address } = await listen((_request, response) => response.end('ok'))
  const dispatchers = [new Pool(`http://${address}`, { connections: 16 }), dispatcherOf([address], { connections: 16 })]
  const costs = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let batch = 0; batch < 40; batch++) {
    const which = batch % 2
    const begun = process.cpuUsage()
    await Promise.all(
      Array.from({ length: 16 }, async () => {
        for (let i = 0; i < 60; i++) {
          const { body } = await dispatchers[which]!.request({ origin: 'http://orders', path: '/', method: 'GET' })
          await body.dump()
        }
      }),
    )
    const { user, system } = process.cpuUsage(begun)
    costs[which] = Math.min(costs[which]!, (user + system) / (16 * 60))
  }
  for (const dispatcher of dispatchers) await dispatcher.destroy()
  server.close()
  return [costs[0]!, costs[1]!]
}

type How = 'well' | 'slow' | 'failing'
/** Starts replicas that behave as told, and answers how to call one of them: whether the call succeeded; and how to end. */
type Stack = (replicas: readonly How[]) => Promise<{ call: () => Promise<boolean>; end: () => Promise<void> | void }>

const latencyMs = (how: How): number => (how === 'slow' ? 300 : how === 'failing' ? 0 : 10)

const undiciWith =
  (make: (addresses: string[]) => Dispatcher): Stack =>
  async (replicas) => {
    const servers = await Promise.all(
      replicas.map((how) =>
        listen((_request, response) => {
          if (how === 'failing') response.writeHead(500).end()
          else setTimeout(() => response.end('ok'), latencyMs(how))
        }),
      ),
    )
    const dispatcher = make(servers.map(({ address }) => address))
    return {
      async call() {
        const { body, statusCode } = await dispatcher.request({ origin: 'http://orders', path: '/', method: 'GET' })
        await body.dump()
        return statusCode === 200
      },
      async end() {
        await dispatcher.destroy()
        for (const { server } of servers) server.close()
      },
    }
  }
const undiciOwn = undiciWith((addresses) => dispatcherOf(addresses))
const undiciPeer = undiciWith((addresses) => new BalancedPool(addresses.map((address) => `http://${address}`)))

const path = '/bench.Echo/Call'
const same = (value: Buffer): Buffer => value
const definition = {
  path,
  requestStream: false,
  responseStream: false,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
}

const grpcWith =
  (target: (addresses: string[]) => Promise<{ uri: string; options?: grpc.ChannelOptions }>): Stack =>
  async (replicas) => {
    const started = await Promise.all(
      replicas.map(async (how) => {
        const server = new grpc.Server()
        const handler = (_call: unknown, done: (error: unknown, value?: Buffer) => void): void => {
          if (how === 'failing') done({ code: grpc.status.INTERNAL })
          else setTimeout(() => done(null, Buffer.from('ok')), latencyMs(how))
        }
        server.addService({ Call: definition }, { Call: handler } as grpc.UntypedServiceImplementation)
        const port = await new Promise<number>((resolve) =>
          server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (_error, bound) => resolve(bound)),
        )
        return { server, address: `127.0.0.1:${port}` }
      }),
    )
    const { uri, options } = await target(started.map(({ address }) => address))
    const client = new grpc.Client(uri, grpc.credentials.createInsecure(), options)
    return {
      call: () =>
        new Promise((resolve) =>
          client.makeUnaryRequest(path, same, same, Buffer.alloc(0), (error) => resolve(error === null)),
        ),
      end() {
        client.close()
        for (const { server } of started) server.forceShutdown()
      },
    }
  }
const grpcPeer = grpcWith(async (addresses) => ({
  uri: `ipv4:${addresses.join(',')}`,
  options: { 'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }) },
}))
const grpcOwn = grpcWith(async (addresses) => {
  const { registerGrpc } = await import('../packages/loadbalancer/src/binding/grpc.ts')
  registerGrpc(new LoadBalancers({ clients: { orders: { discovery: staticList('orders', addresses) } } }))
  return { uri: 'plumb:///orders' }
})

/** 300 calls a second for 8 s; what each took, milliseconds, and whether it succeeded. */
async function load(stack: Stack, replicas: readonly How[]): Promise<{ ms: number; ok: boolean }[]> {
  const { call, end } = await stack(replicas)
  const calls: Promise<{ ms: number; ok: boolean }>[] = []
  // Connections open one by one; these calls count like all others, for in them it is learnt who is slow or fails.
  for (let i = 0; i < 30; i++) {
    const at = performance.now()
    const ok = await call()
    calls.push(Promise.resolve({ ms: performance.now() - at, ok }))
  }
  const begun = performance.now()
  while (performance.now() - begun < 8000) {
    const due = 30 + ((performance.now() - begun) * 300) / 1000
    while (calls.length < due) {
      const at = performance.now()
      calls.push(call().then((ok) => ({ ms: performance.now() - at, ok })))
    }
    await new Promise((resolve) => setTimeout(resolve, 3))
  }
  const results = await Promise.all(calls)
  await end()
  return results
}

const tenWith = (how: How): How[] => [how, ...Array<How>(9).fill('well')]
const shareOf = (calls: readonly { ms: number; ok: boolean }[], is: (call: { ms: number; ok: boolean }) => boolean) =>
  (calls.filter(is).length * 100) / calls.length

async function slow(stack: Stack): Promise<number> {
  return shareOf(await load(stack, tenWith('slow')), ({ ms }) => ms > 150)
}

async function failing(stack: Stack): Promise<number> {
  return shareOf(await load(stack, tenWith('failing')), ({ ok }) => !ok)
}

/** Failed calls of 2000, 200 a second, while one of eight replicas leaves and another comes back ten times a second. */
async function churn(): Promise<number> {
  const servers = await Promise.all(
    Array.from({ length: 8 }, () => listen((_request, response) => void setTimeout(() => response.end('ok'), 10))),
  )
  const addresses = servers.map(({ address }) => address)
  const discovery = staticList('orders', addresses)
  const dispatcher = new BalancedDispatcher({ balancers: new LoadBalancers({ clients: { orders: { discovery } } }) })
  let changes = 0
  const changing = setInterval(() => {
    changes++
    discovery.set(addresses.filter((_, i) => i !== changes % 8))
  }, 100)
  const calls: Promise<boolean>[] = []
  for (let i = 0; i < 2000; i++) {
    const call = dispatcher.request({ origin: 'http://orders', path: '/', method: 'GET' })
    const answered = call.then(async ({ body, statusCode }) => {
      await body.dump()
      return statusCode === 200
    })
    calls.push(answered.catch(() => false))
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const failed = (await Promise.all(calls)).filter((ok) => !ok).length
  clearInterval(changing)
  await dispatcher.destroy()
  for (const { server } of servers) server.close()
  return failed
}
