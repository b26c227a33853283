import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  Client,
  credentials,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { staticList } from '../discovery/static.ts'
import { LoadBalancers } from '../registry.ts'
import { registerGrpc } from './grpc.ts'

const bytes = { serialize: (value: Buffer) => value, deserialize: (value: Buffer) => value }
const path = '/test.Echo/Who'
const service: ServiceDefinition = {
  Who: {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes.serialize,
    requestDeserialize: bytes.deserialize,
    responseSerialize: bytes.serialize,
    responseDeserialize: bytes.deserialize,
  },
}

async function startServer(name: string, failing: Set<string>): Promise<{ server: Server; address: string }> {
  const server = new Server()
  server.addService(service, {
    Who: (_call: unknown, done: (error: unknown, value?: Buffer) => void) =>
      failing.has(name) ? done({ code: status.UNAVAILABLE, details: 'no' }) : done(null, Buffer.from(name)),
  } as UntypedServiceImplementation)
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  )
  return { server, address: `127.0.0.1:${port}` }
}

const who = (client: Client): Promise<string> =>
  new Promise((resolve, reject) =>
    client.makeUnaryRequest(
      path,
      bytes.serialize,
      bytes.deserialize,
      Buffer.alloc(0),
      { deadline: Date.now() + 5000 },
      (error, value) => (error === null ? resolve(String(value)) : reject(error)),
    ),
  )

test('grpc-js: plumb:///service picks among connected instances, follows the list, and leaves out who fails', async (t) => {
  const failing = new Set<string>()
  const servers = await Promise.all(['a', 'b', 'c'].map((name) => startServer(name, failing)))
  t.after(() => {
    for (const { server } of servers) server.forceShutdown()
  })
  const discovery = staticList(
    'echo',
    servers.slice(0, 2).map(({ address }) => address),
  )
  const balancers = new LoadBalancers({ clients: { echo: { discovery, policy: 'round-robin', seed: 1 } } })
  registerGrpc(balancers)
  const client = new Client('plumb:///echo', credentials.createInsecure())
  t.after(() => client.close())
  const until = async (wanted: string[]): Promise<void> => {
    for (let i = 0; i < 200; i++) {
      const names = new Set(await Promise.all(Array.from({ length: 12 }, () => who(client).catch(() => 'failed'))))
      if ([...names].sort().join() === wanted.join()) return
    }
    assert.fail(`never ${wanted}`)
  }
  await until(['a', 'b'])
  discovery.set(servers.map(({ address }) => address))
  await until(['a', 'b', 'c'])
  discovery.set(servers.slice(1).map(({ address }) => address))
  await until(['b', 'c'])
  failing.add('b')
  await until(['c'])
  assert.match(balancers.get('echo').balancer.explain().instances[0]?.because ?? '', /^ejected/)
  discovery.set(servers.map(({ address }) => address))
  servers[2]!.server.forceShutdown()
  await until(['a'])
})

test('grpc-js: nobody is UNAVAILABLE with the reason', async (t) => {
  registerGrpc(new LoadBalancers({ clients: { none: { discovery: staticList('none', []) } } }))
  const client = new Client('plumb:///none', credentials.createInsecure())
  t.after(() => client.close())
  await assert.rejects(who(client), { code: status.UNAVAILABLE, details: /no instance is connected/ })
})
