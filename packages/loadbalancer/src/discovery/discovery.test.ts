import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { InstanceList } from '../instance.ts'
import { VirtualClock } from '../simulation.fixture.ts'
import type { ApiServer, WatchEvent } from './api-server.ts'
import { discoveryServer } from './discovery-server.ts'
import { dnsDiscovery, type Resolver } from './dns.ts'
import { endpointSlices } from './endpoint-slices.ts'
import { type EndpointSlice, SliceSet } from './slices.ts'
import { staticList } from './static.ts'

const slice = (
  name: string,
  addresses: string[],
  conditions?: { ready?: boolean; serving?: boolean; terminating?: boolean },
): EndpointSlice => ({
  metadata: { name, namespace: 'shop', resourceVersion: '1' },
  addressType: 'IPv4',
  endpoints: addresses.map((address) => ({
    addresses: [address],
    ...(conditions === undefined ? {} : { conditions }),
  })),
  ports: [{ name: 'http', port: 80 }],
})
const hosts = (list: { instances: readonly { host: string }[] } | undefined) =>
  list?.instances.map(({ host }) => host).join() ?? ''

test('slices: merged by name, twins once and as the better one, deleting one takes only its own', () => {
  const set = new SliceSet('web', undefined)
  const many = (slices: number) =>
    Array.from({ length: slices }, (_, s) =>
      slice(
        `s${s}`,
        Array.from({ length: 100 }, (_, i) => `10.${s >> 8}.${s & 255}.${i}`),
      ),
    )
  set.replace(many(1000))
  assert.equal(set.instances().length, 100_000)
  set.replace([slice('a', ['1', '2']), slice('b', ['2', '3'], { ready: false, serving: false })])
  assert.deepEqual(
    set.instances().map(({ host, ready }) => [host, ready]),
    [
      ['1', true],
      ['2', true],
      ['3', false],
    ],
  )
  set.put(slice('a', ['1']))
  assert.deepEqual(
    set.instances().map(({ host, ready }) => [host, ready]),
    [
      ['1', true],
      ['2', false],
      ['3', false],
    ],
  )
  set.delete(slice('b', []))
  assert.equal(hosts({ instances: set.instances() }), '1')
  set.put({ ...slice('c', ['9']), endpoints: null, ports: null })
  set.put({ ...slice('d', ['fd00::1']), addressType: 'IPv6' })
  assert.equal(hosts({ instances: set.instances() }), '1')
  set.put(slice('a', ['1'], { ready: true, serving: true, terminating: true }))
  assert.deepEqual(
    set.instances().map(({ ready, serving, terminating }) => [ready, serving, terminating]),
    [[false, true, true]],
  )
})

/** Answers lists in turn, and watches with the events given; a watch then waits until the test breaks it. */
function fakeServer(lists: (EndpointSlice[] | Error)[]) {
  let push: (event: WatchEvent<EndpointSlice> | Error) => void = () => undefined
  const paths: string[] = []
  const server: ApiServer = {
    async get<T>(path: string) {
      paths.push(path)
      const next = lists.shift() ?? new Error('nothing left')
      if (next instanceof Error) throw next
      return { metadata: { resourceVersion: '7' }, items: next } as T
    },
    async *watch<T>(path: string) {
      paths.push(path)
      while (true) {
        const event = await new Promise<WatchEvent<EndpointSlice> | Error>((resolve) => {
          push = resolve
        })
        if (event instanceof Error) throw event
        yield event as WatchEvent<T>
      }
    },
    close: () => undefined,
  }
  return { server, paths, push: (event: WatchEvent<EndpointSlice> | Error) => push(event) }
}

test('EndpointSlices: list, watch, a gap lists again, a broken server leaves the last list, stale', async () => {
  const clock = new VirtualClock()
  const api = fakeServer([[slice('a', ['1'])], [slice('a', ['1', '4'])], new Error('away'), [slice('b', ['5'])]])
  const lists: InstanceList[] = []
  const stop = endpointSlices({ service: 'web', namespace: 'shop', clock, server: api.server }).subscribe((list) =>
    lists.push(list),
  )
  await clock.advanceBy(1)
  assert.equal(hosts(lists.at(-1)), '1')
  api.push({ type: 'ADDED', object: slice('b', ['2', '3']) })
  await clock.advanceBy(200)
  assert.equal(hosts(lists.at(-1)), '1,2,3')
  api.push({ type: 'DELETED', object: slice('a', []) })
  await clock.advanceBy(200)
  assert.equal(hosts(lists.at(-1)), '2,3')
  // The history is gone: list again at once.
  api.push({ type: 'ERROR', object: { code: 410, message: 'too old' } as never })
  await clock.advanceBy(1)
  assert.equal(hosts(lists.at(-1)), '1,4')
  api.push(new Error('reset'))
  await clock.advanceBy(1)
  assert.deepEqual([lists.at(-1)?.stale, lists.at(-1)?.trouble, hosts(lists.at(-1))], [true, 'reset', '1,4'])
  await clock.advanceBy(500)
  assert.equal(lists.at(-1)?.trouble, 'away')
  await clock.advanceBy(5000)
  assert.deepEqual([lists.at(-1)?.stale, hosts(lists.at(-1))], [undefined, '5'])
  assert.match(
    api.paths[0]!,
    /^\/apis\/discovery.k8s.io\/v1\/namespaces\/shop\/endpointslices\?labelSelector=kubernetes.io%2Fservice-name%3Dweb$/,
  )
  assert.match(api.paths[1]!, /watch=true.*resourceVersion=7/)
  stop()
})

test('DNS: the interval follows the TTL, an empty or failed answer keeps the last list, SRV keeps weights and the best priority', async () => {
  const clock = new VirtualClock()
  let answer: () => Promise<{ address: string; ttl: number }[]> = async () => [{ address: '1.1.1.1', ttl: 5 }]
  let asked = 0
  const resolver: Resolver = {
    resolve4: (name) => {
      asked++
      return name === 'b.example' ? Promise.resolve([{ address: '2.2.2.2', ttl: 9 }]) : answer()
    },
    resolve6: async () => [],
    resolveSrv: async () => [
      { name: 'a.example', port: 81, priority: 1, weight: 3 },
      { name: 'b.example', port: 82, priority: 1, weight: 1 },
      { name: 'c.example', port: 83, priority: 9, weight: 1 },
    ],
  }
  const lists: InstanceList[] = []
  const stop = dnsDiscovery({ serviceId: 'web', name: 'a.example', port: 80, clock, resolver }).subscribe((list) =>
    lists.push(list),
  )
  await clock.advanceBy(4000)
  assert.deepEqual([asked, hosts(lists.at(-1))], [1, '1.1.1.1'])
  answer = async () => []
  await clock.advanceBy(1001)
  assert.deepEqual(
    [lists.at(-1)?.stale, lists.at(-1)?.trouble, hosts(lists.at(-1))],
    [true, 'a.example has no addresses', '1.1.1.1'],
  )
  answer = async () => [{ address: '3.3.3.3', ttl: 0 }]
  await clock.advanceBy(2000)
  assert.deepEqual([lists.at(-1)?.stale, hosts(lists.at(-1))], [undefined, '3.3.3.3'])
  stop()
  const before = asked
  await clock.advanceBy(60_000)
  assert.equal(asked, before)
  let srv: InstanceList | undefined
  const end = dnsDiscovery({ serviceId: 'web', name: '_http._tcp.web', clock, resolver }).subscribe((list) => {
    srv = list
  })
  await clock.advanceBy(1)
  assert.deepEqual(
    srv?.instances.map(({ instanceId, weight }) => [instanceId, weight]),
    [
      ['3.3.3.3:81', 3],
      ['2.2.2.2:82', 1],
    ],
  )
  end()
})

test('discovery server: takes what it knows, leaves out what it does not understand, keeps the last list', async (t) => {
  let status = 200
  const server = createServer((_request, response) =>
    response
      .writeHead(status)
      .end(
        JSON.stringify([
          { instanceId: 'u', host: '1.1.1.1', port: 80, secure: false, metadata: { zone: 'z', weight: '2' } },
          { host: 7 },
        ]),
      ),
  ).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const lists: InstanceList[] = []
  const next = async (): Promise<InstanceList> => {
    const seen = lists.length
    while (lists.length === seen) await new Promise((resolve) => setImmediate(resolve))
    return lists.at(-1)!
  }
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const stop = discoveryServer({ serviceId: 'web', url, intervalMs: 5 }).subscribe((list) => lists.push(list))
  t.after(stop)
  const [one, ...others] = (await next()).instances
  assert.deepEqual([one?.instanceId, one?.zone, others.length], ['u', 'z', 0])
  status = 500
  const stale = await next()
  assert.deepEqual([stale.stale, stale.instances.length], [true, 1])
  assert.match(stale.trouble ?? '', /answered 500/)
})

test('discovery server: a stream tells changes at once; one that is cut leaves the last list, stale, and is taken up again', async (t) => {
  const streams: import('node:http').ServerResponse[] = []
  const server = createServer((_, response) => {
    streams.push(response.writeHead(200, { 'content-type': 'text/event-stream' }))
    response.write('data: [{"host":"1.1.1.1","port":80}]\n\n: \n\n')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const lists: InstanceList[] = []
  const seen = async (count: number): Promise<string> => {
    while (lists.length < count) await new Promise((resolve) => setImmediate(resolve))
    const list = lists[count - 1]!
    return `${hosts(list)}${list.stale === true ? ' stale' : ''}`
  }
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  t.after(discoveryServer({ serviceId: 'web', url, intervalMs: 5 }).subscribe((list) => lists.push(list)))
  assert.equal(await seen(1), '1.1.1.1')
  streams[0]?.write('data: [{"host":"1.1.1.1","port":80},')
  streams[0]?.write('{"host":"2.2.2.2","port":80}]\n\n')
  assert.equal(await seen(2), '1.1.1.1,2.2.2.2')
  streams[0]?.destroy()
  assert.equal(await seen(3), '1.1.1.1,2.2.2.2 stale')
  assert.equal(await seen(4), '1.1.1.1')
})

test('a static list: host:port, URLs, IPv6, and what is none', () => {
  let list: InstanceList | undefined
  staticList('web', ['a:80', 'b:8080', 'https://c', 'http://[fd00::1]:81', { host: 'd', port: 9 }]).subscribe(
    (told) => {
      list = told
    },
  )
  assert.deepEqual(
    list?.instances.map(({ instanceId, secure }) => `${instanceId} ${secure === true}`),
    ['a:80 false', 'b:8080 false', 'c:443 true', '[fd00::1]:81 false', 'd:9 false'],
  )
  for (const wrong of ['a', '', 'a:b', '::1']) assert.throws(() => staticList('web', [wrong]), /is no instance/)
})
