import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import type { ConfigMap } from '../objects/index.ts'
import { connect, type Informer } from './index.ts'
import { configMaps, startWatchServer } from './watch-server.fixture.ts'

type Server = Awaited<ReturnType<typeof startWatchServer>>

async function until(what: string, condition: () => boolean): Promise<void> {
  const end = Date.now() + 10_000
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not within 10 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Follows an informer and holds what its callbacks alone tell: any missed, repeated or disordered change throws. */
function mirror(informer: Informer<ConfigMap>) {
  const objects = new Map<string, ConfigMap>()
  const log: string[] = []
  informer.onChange((old, current, key) => {
    assert.equal(objects.get(key), old, `${key}: the old object is the one told before`)
    if (old && current) {
      assert.equal(old.metadata.uid, current.metadata.uid)
      assert.notEqual(old.metadata.resourceVersion, current.metadata.resourceVersion, `${key}: told twice`)
    }
    if (current) objects.set(key, current)
    else objects.delete(key)
    log.push(`${old ? (current ? '~' : '-') : '+'}${key.slice('default/'.length)}`)
  })
  return { objects, log }
}

function same(server: Server, objects: Map<string, ConfigMap>): boolean {
  return (
    objects.size === server.objects.size &&
    [...server.objects].every(([k, o]) => objects.get(k)?.metadata.resourceVersion === o.metadata.resourceVersion)
  )
}

async function withServer(
  work: (server: Server, informer: Informer<ConfigMap>, client: ReturnType<typeof connect>) => Promise<void>,
  options: { stallMs?: number; silentMs?: number } = {},
): Promise<void> {
  const server = await startWatchServer()
  const client = connect({ server: server.url, userAgent: 'test', ...options })
  try {
    await work(server, client.informer<ConfigMap>(configMaps), client)
  } finally {
    client.close()
    await server.close()
  }
}

test('lists in pages, then follows, without managedFields and with kinds', () =>
  withServer(async (server, informer) => {
    for (let i = 0; i < 1201; i++) server.put(`c${i}`, {})
    const { objects, log } = mirror(informer)
    await informer.start()
    assert.equal(informer.synced, true)
    assert.equal(objects.size, 1201)
    assert.equal(informer.get('default/c7')?.kind, 'ConfigMap')
    assert.equal('managedFields' in informer.get('default/c7')!.metadata, false)
    assert.deepEqual(
      server.requests.slice(0, 3).map((r) => r.split('?')[1]),
      ['limit=500&resourceVersion=0', 'limit=500&continue=500', 'limit=500&continue=1000'],
    )
    log.length = 0
    server.put('c0', { a: '1' })
    server.remove('c1')
    server.put('new', {})
    await until('three changes', () => log.length === 3)
    assert.deepEqual(log, ['~c0', '-c1', '+new'])
  }))

test('what an API server writes as null is absent, and an empty list where there always is one: in lists and in watches', () =>
  withServer(async (server, informer) => {
    const bare = { addressType: 'IPv4', endpoints: null, ports: null, metadata: { creationTimestamp: null } }
    server.put('listed', { slice: bare as unknown as string })
    const { objects } = mirror(informer)
    await informer.start()
    server.put('watched', { slice: bare as unknown as string })
    await until('the second', () => objects.size === 2)
    for (const { data } of objects.values())
      assert.deepEqual(data?.slice, { addressType: 'IPv4', endpoints: [], metadata: {} })
  }))

test('resumes from where it was after a cut, without listing again', () =>
  withServer(async (server, informer) => {
    server.put('a', {})
    const { objects, log } = mirror(informer)
    await informer.start()
    await until('watching', () => server.watchCount() === 1)
    server.cut()
    server.put('a', { x: '1' })
    server.put('b', {})
    await until('caught up', () => same(server, objects))
    assert.deepEqual(log, ['+a', '~a', '+b'])
    assert.equal(server.requests.filter((r) => !r.includes('watch=true')).length, 1)
  }))

test('410 lists again and tells only the differences; a replaced object is a removal and an addition', () =>
  withServer(async (server, informer) => {
    for (const name of ['same', 'changed', 'gone', 'replaced']) server.put(name, {})
    const { objects, log } = mirror(informer)
    await informer.start()
    await until('watching', () => server.watchCount() === 1)
    log.length = 0
    server.setMute(true)
    server.put('changed', { x: '1' })
    server.remove('gone')
    server.remove('replaced')
    server.put('replaced', {})
    server.put('fresh', {})
    server.compact()
    server.setMute(false)
    server.cut()
    await until('caught up', () => same(server, objects))
    assert.deepEqual(log.toSorted(), ['~changed', '-gone', '-replaced', '+replaced', '+fresh'].toSorted())
    assert.ok(log.indexOf('-replaced') < log.indexOf('+replaced'))
    const relist = server.requests.findLast((r) => !r.includes('watch=true'))
    assert.ok(!relist?.includes('resourceVersion=0'), 'the second list must not be answered from an old cache')
  }))

test('a bookmark moves the place on, so that a compacted history does not matter', () =>
  withServer(async (server, informer) => {
    server.put('a', {})
    const { objects } = mirror(informer)
    await informer.start()
    await until('watching', () => server.watchCount() === 1)
    server.setMute(true)
    server.put('b', {})
    server.remove('b')
    server.setMute(false)
    server.compact()
    server.bookmark()
    server.put('c', {})
    await until('told', () => objects.has('default/c'))
    server.cut()
    server.put('d', {})
    await until('caught up', () => same(server, objects))
    assert.equal(server.requests.filter((r) => !r.includes('watch=true')).length, 1)
  }))

test('a stalled watch is cut and resumed', () =>
  withServer(
    async (server, informer) => {
      server.put('a', {})
      const { objects } = mirror(informer)
      await informer.start()
      await until('watching', () => server.watchCount() === 1)
      server.bookmark()
      server.setMute(true)
      server.put('b', {})
      await until('asked again', () => server.requests.filter((r) => r.includes('watch=true')).length >= 2)
      server.setMute(false)
      await until('caught up', () => same(server, objects))
    },
    { stallMs: 60 },
  ))

test('a server that falls silent and is back: what hangs begins anew at once, and lists nothing again', () =>
  withServer(
    async (server, informer, client) => {
      server.put('a', {})
      const { objects } = mirror(informer)
      await informer.start()
      await until('watching', () => server.watchCount() === 1)
      // Whoever waits for an answer now waits for ever, as one does whose packets are lost.
      server.setMute(true)
      let asked = 0
      server.intercept(({ url }) => {
        if (url === '/version') asked++
        return true
      })
      server.put('b', {})
      const hanging = assert.rejects(client.list(configMaps), { code: 'ETIMEDOUT' })
      await until('asked twice in vain', () => asked >= 3)
      server.setMute(false)
      server.intercept(undefined)
      await hanging
      await until('caught up', () => same(server, objects))
      assert.equal(
        server.requests.filter((one) => one.includes('/configmaps') && !one.includes('watch=true')).length,
        2,
      )
    },
    { silentMs: 20 },
  ))

test('a half line at a cut is no event', () =>
  withServer(async (server, informer) => {
    server.put('a', {})
    const { objects, log } = mirror(informer)
    await informer.start()
    await until('watching', () => server.watchCount() === 1)
    let once = true
    server.intercept((request, response) => {
      if (!request.url?.includes('watch') || !once) return false
      once = false
      response.writeHead(200)
      response.write('{"type":"MODIFIED","object":{"metadata":{"name":"a","name')
      setTimeout(() => response.destroy(), 20)
      return true
    })
    server.cut()
    server.put('b', {})
    await until('caught up', () => same(server, objects))
    assert.deepEqual(log, ['+a', '+b'])
  }))

test('churn with cuts: nothing missed, nothing twice, in order', () =>
  withServer(async (server, informer) => {
    const { objects } = mirror(informer)
    await informer.start()
    let seed = 7
    const random = (n: number) => {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff
      return (seed >> 8) % n
    }
    for (let round = 0; round < 400; round++) {
      const name = `c${random(20)}`
      if (server.objects.has(`default/${name}`) && random(3) === 0) server.remove(name)
      else server.put(name, { round: String(round) })
      if (random(60) === 0) server.compact()
      if (random(40) === 0) server.cut()
      if (random(4) === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await until('caught up', () => same(server, objects))
  }))

test('is shared, replays to a late subscriber, and ends with the last user', () =>
  withServer(async (server, informer, client) => {
    server.put('a', {})
    const first = mirror(informer)
    await informer.start()
    const other = client.informer<ConfigMap>(configMaps)
    await other.start()
    const second = mirror(other)
    assert.deepEqual(second.log, ['+a'])
    server.put('b', {})
    await until('both', () => first.log.length === 2 && second.log.length === 2)
    assert.equal(server.requests.filter((r) => !r.includes('watch=true')).length, 1)
    informer.close()
    server.put('c', {})
    await until('second only', () => second.log.length === 3)
    assert.equal(first.log.length, 2)
    other.close()
    await until('no watch', () => server.watchCount() === 0)
  }))

test('a refused list is tried again and its trouble is visible', () =>
  withServer(async (server, informer) => {
    server.put('a', {})
    server.intercept((_, response) => {
      response.writeHead(403, { 'content-type': 'application/json' })
      response.end(
        JSON.stringify({ kind: 'Status', code: 403, reason: 'Forbidden', message: 'configmaps is forbidden' }),
      )
      return true
    })
    const started = informer.start()
    await until('trouble', () => informer.trouble !== undefined)
    assert.equal(informer.trouble?.message, 'configmaps is forbidden')
    server.intercept(undefined)
    await started
    assert.equal(informer.size, 1)
    assert.equal(informer.trouble, undefined)
  }))

test('an optional kind that is not installed has no objects; it is followed once it is, and again after it went', () =>
  withServer(async (server, _, client) => {
    const absent = (_: unknown, response: ServerResponse) => {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found\n')
      return true
    }
    server.put('a', {})
    server.intercept(absent)
    const informer = client.informer<ConfigMap>(configMaps, { optional: true })
    const { objects } = mirror(informer)
    await informer.start()
    assert.equal(informer.size, 0)
    assert.equal(informer.trouble, undefined)
    server.intercept(undefined)
    await until('installed', () => same(server, objects) && server.watchCount() === 1)
    server.intercept(absent)
    server.cut()
    await until('removed', () => objects.size === 0)
    assert.equal(informer.trouble, undefined)
  }))
