import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import type { Station } from '../agent/rig.fixture.ts'
import { compileGateways, explainRequest, type Ingress, noGatewayApi } from '../gateways/index.ts'
import type { EndpointSlice, KubeObject, Service } from '../objects/index.ts'
import { ingressOf } from './ingress-objects.fixture.ts'
import { GatewayRig, tlsSecret } from './rig.fixture.ts'

let gateway: GatewayRig
const names = ['a', 'b', 'c', 'd']
const ports: Readonly<Record<string, number>> = { a: 8001, b: 8002, c: 8003, d: 8004 }
const ourClass = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IngressClass',
  metadata: { name: 'plumb' },
  spec: { controller: 'plumb.network/gateway' },
}

before(async () => {
  gateway = new GatewayRig()
  for (const station of gateway.rig.backends) for (const name of names) gateway.serve(station, ports[name]!)
  await gateway.change([ourClass, ...names.flatMap((name) => [service(name), slice(name, gateway.rig.backends[0])])])
})
after(() => gateway.close())

function service(name: string): Service {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'ns' }, spec: { ports: [{ port: 80 }] } }
}

function slice(name: string, ...stations: readonly Station[]): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace: 'ns', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: stations.map(({ addresses }) => ({ addresses: [addresses[4]], conditions: { ready: true } })),
    ports: [{ name: '', port: ports[name]!, protocol: 'TCP' }],
  }
}

type Rule = readonly [host: string, path: string, service: string, exact?: boolean]

function ingress(
  name: string,
  rules: readonly Rule[],
  tls?: NonNullable<Ingress['spec']>['tls'],
): Ingress & KubeObject {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name, namespace: 'ns', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: {
      ingressClassName: 'plumb',
      ...(tls === undefined ? {} : { tls }),
      rules: rules.map(([host, path, service, exact]) => ({
        ...(host === '' ? {} : { host }),
        http: {
          paths: [
            {
              path,
              pathType: exact ? 'Exact' : 'Prefix',
              backend: { service: { name: service, port: { number: 80 } } },
            },
          ],
        },
      })),
    },
  }
}

test('nothing runs or listens before an Ingress of ours exists, nor when the last is gone', async () => {
  assert.equal(gateway.module.pid, undefined)
  const one = ingress('web', [['a.example', '/', 'a']])
  await gateway.change([one])
  assert.notEqual(gateway.module.pid, undefined, gateway.log.lines.join('\n'))
  assert.equal((await gateway.ask('a.example', '/')).from, 'backend-1:8001')
  await gateway.change([], [one])
  assert.equal(gateway.module.pid, undefined)
  assert.deepEqual(
    gateway.rig.node.network.listeners().filter(({ port }) => port === 80 || port === 443),
    [],
  )
})

test('by host and path to the right pod; 404, 500 and 503 say who made them; forged headers do not pass', async () => {
  const web = ingress('web', [
    ['a.example', '/', 'a'],
    ['a.example', '/b', 'b'],
    ['*.a.example', '/', 'c'],
    ['gone.example', '/', 'gone'],
    ['empty.example', '/', 'd'],
  ])
  await gateway.change([web, slice('d')])
  assert.equal((await gateway.ask('a.example', '/x?b=/b')).from, 'backend-1:8001')
  assert.equal((await gateway.ask('A.EXAMPLE.:80', '/b/x')).from, 'backend-1:8002')
  assert.equal((await gateway.ask('x.a.example', '/')).from, 'backend-1:8003')
  assert.equal((await gateway.ask('a.example/b', '/')).status, 400)
  const at = 'http://203.0.113.1/'
  assert.match(
    await gateway.curl('-i', '-H', 'host: other.example', at),
    /^HTTP\/1.1 404[\s\S]*proxy-status: plumb; error=destination_not_found/,
  )
  assert.match(
    await gateway.curl('-i', '-H', 'host: gone.example', at),
    /^HTTP\/1.1 500[\s\S]*proxy-status: plumb; error=proxy_configuration/,
  )
  assert.match(
    await gateway.curl('-i', '-H', 'host: empty.example', at),
    /^HTTP\/1.1 503[\s\S]*proxy-status: plumb; error=destination_unavailable/,
  )
  const { headers } = JSON.parse(
    await gateway.curl('-H', 'host: a.example', '-H', 'x-forwarded-for: 6.6.6.6', '-H', 'forwarded: for=6.6.6.6', at),
  )
  assert.equal(headers['x-forwarded-for'], '203.0.113.2')
  assert.equal(headers['x-forwarded-proto'], 'http')
  assert.equal(headers.forwarded, undefined)
  await gateway.change([slice('d', gateway.rig.backends[0])])
})

test('TLS: the certificate by SNI, HTTP/2, 421 for another host, and a renewed certificate without a reload', async () => {
  const rules: Rule[] = [
    ['one.example', '/', 'a'],
    ['x.two.example', '/', 'b'],
  ]
  const tls = [
    { hosts: ['one.example'], secretName: 'one' },
    { hosts: ['*.two.example'], secretName: 'two' },
  ]
  await gateway.change([
    ingress('web', rules, tls),
    tlsSecret('one', 'first', 'one.example'),
    tlsSecret('two', 'two', '*.two.example'),
  ])
  const shake = (name: string, ...more: string[]) =>
    gateway.curl('-kv', '--stderr', '-', '--connect-to', '::203.0.113.1:443', ...more, `https://${name}/`)
  assert.match(await shake('one.example'), /subject: CN=first[\s\S]*HTTP\/2 200[\s\S]*backend-1:8001/)
  assert.match(await shake('x.two.example'), /subject: CN=two[\s\S]*backend-1:8002/)
  assert.match(await shake('no.example'), /subject: CN=Plumb gateway default[\s\S]*HTTP\/2 404/)
  assert.match(await shake('x.two.example', '-H', 'host: one.example'), /HTTP\/2 421/)
  const { pid } = gateway.module
  const { reloads } = gateway.module
  await gateway.change([tlsSecret('one', 'renewed', 'one.example')])
  assert.match(await shake('one.example'), /subject: CN=renewed/)
  await gateway.change([
    ingress('web', rules, [...tls, { hosts: ['late.example'], secretName: 'late' }]),
    tlsSecret('late', 'late', 'late.example'),
  ])
  assert.match(await shake('late.example'), /subject: CN=late/)
  assert.deepEqual([gateway.module.pid, gateway.module.reloads], [pid, reloads], gateway.log.lines.join('\n'))
})

test('HTTP/2 to pods that speak it, with trailers, from clients of either version', async () => {
  const [station] = gateway.rig.backends
  gateway.serveHttp2(station, 8005)
  const grpc = service('g')
  const spec = { ports: [{ port: 80, appProtocol: 'kubernetes.io/h2c' }] }
  const endpoints = { ...slice('g', station), ports: [{ name: '', port: 8005, protocol: 'TCP' as const }] }
  await gateway.change([{ ...grpc, spec } as Service, endpoints, ingress('grpc', [['g.example', '/', 'g']])])
  for (const version of ['--http1.1', '--http2-prior-knowledge']) {
    const said = await gateway.curl('-i', version, '-H', 'host: g.example', '-H', 'te: trailers', 'http://203.0.113.1/')
    assert.match(said, /200[\s\S]*x-authority: g.example[\s\S]*backend-1:8005/, version)
    if (version !== '--http1.1') assert.match(said, /grpc-status: 0/)
  }
  await gateway.change([], [ingress('grpc', [])])
})

test('a WebSocket stays open through a reload', async () => {
  await gateway.change([ingress('web', [['a.example', '/', 'a']])])
  const socket = gateway.connect(80)
  const read = async (): Promise<string> => String((await once(socket, 'data'))[0])
  socket.write(
    'GET / HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  )
  assert.match(await read(), /^HTTP\/1.1 101/)
  const { reloads } = gateway.module
  await gateway.change([ingressOf('patient', 'patient.example', { 'proxy-connect-timeout': '9' }, 'a')])
  assert.equal(gateway.module.reloads, reloads + 1)
  socket.write('after')
  assert.equal(await read(), 'after')
  socket.destroy()
})

test('no request fails while endpoints come and go, routes change and HAProxy is reloaded', async () => {
  const [one, two] = gateway.rig.backends
  await gateway.change([ingress('web', [['a.example', '/', 'a']]), slice('a', one, two)])
  const count = { ok: 0, from: new Set<string>() }
  let over = false
  const load = async (keepAlive: boolean): Promise<void> => {
    const agent = gateway.agent(keepAlive)
    while (!over) {
      const answer = await gateway.ask('a.example', '/', agent)
      assert.equal(answer.status, 200, answer.body)
      count.ok++
      count.from.add(answer.from)
    }
    agent.destroy()
  }
  const { reloads } = gateway.module
  const loads = Promise.all([load(true), load(true), load(false), load(false)])
  const edits = (async () => {
    for (let at = 0; at < 30; at++) {
      await gateway.change([slice('a', ...[[one], [two], [one, two]][at % 3]!)])
      await gateway.change([
        ingress('web', [
          ['a.example', '/', 'a'],
          ['a.example', `/${at}`, 'a'],
        ]),
      ])
      const impatient = { 'proxy-connect-timeout': String(1 + at) }
      if (at % 6 === 0) await gateway.change([ingressOf('more', 'more.example', impatient, 'b')])
    }
    over = true
  })()
  await Promise.all([loads, edits.finally(() => (over = true))])
  assert.equal(gateway.module.reloads, reloads + 5)
  assert.deepEqual([...count.from].sort(), ['backend-1:8001', 'backend-2:8001'])
  assert.ok(count.ok > 100, `${count.ok} requests`)
  await gateway.change([slice('a', one)], [ingress('more', [])])
})

test('HAProxy killed: it serves again by itself, with what changed meanwhile', async (t) => {
  await gateway.change([ingress('web', [['a.example', '/', 'a']])])
  const pid = gateway.module.pid!
  const { reloads } = gateway.module
  const begun = performance.now()
  process.kill(pid, 'SIGKILL')
  while (gateway.module.pid === pid || gateway.module.pid === undefined)
    await new Promise((resolve) => setImmediate(resolve))
  let status = 0
  while (status !== 200)
    status = await gateway.ask('a.example', '/').then(
      (answer) => answer.status,
      () => 0,
    )
  t.diagnostic(`served again after ${Math.round(performance.now() - begun)} ms`)
  // Connections of before the reload that makes sure have one more answer of then.
  while (gateway.module.reloads === reloads) await new Promise((resolve) => setImmediate(resolve))
  await gateway.change([ingress('web', [['a.example', '/', 'b']])])
  assert.equal((await gateway.ask('a.example', '/')).from, 'backend-1:8002')
})

test('what explain says is what HAProxy does, for random routes', async () => {
  const hosts = ['a.example', 'b.a.example', '*.a.example', '*.b.a.example', '']
  const paths = ['/', '/x', '/x/', '/x/y', '/xy', '/x/y/z']
  const rule = fc.tuple(
    fc.constantFrom(...hosts),
    fc.constantFrom(...paths),
    fc.constantFrom(...names, 'gone'),
    fc.boolean(),
  )
  const question = fc.tuple(
    fc.constantFrom('a.example', 'b.a.example', 'c.b.a.example', 'q.a.example', 'z', 'B.A.example:80'),
    fc.constantFrom(...paths, '/x//y', '//', '/x/y/', '/X', '/x/yz'),
  )
  const agent = gateway.agent(true)
  await fc.assert(
    fc.asyncProperty(
      fc.array(rule, { minLength: 1, maxLength: 12 }),
      fc.array(question, { minLength: 10, maxLength: 15 }),
      async (rules, questions) => {
        // One Ingress that names every Service keeps the backends, so that what changes are maps.
        const object = ingress('web', [
          ...(rules as Rule[]),
          ...names.map((name): Rule => ['keep.example', `/${name}`, name]),
        ])
        await gateway.change([object])
        const services = new Map(names.map((name) => [`ns/${name}`, service(name)]))
        const model = compileGateways({
          ingresses: [object],
          ingressClasses: [ourClass],
          gatewayApi: noGatewayApi,
          configMaps: new Map(),
          namespaces: new Map(),
          secrets: new Map(),
          services,
          slicesOf: () => [],
        })
        for (const [host, path] of questions) {
          const said = explainRequest(model, { host, path })
          const done = await gateway.ask(host, path, agent)
          if (said.kind === 'answered') assert.equal(done.status, said.status, `${host}${path}`)
          else if (said.kind === 'forwarded')
            assert.equal(done.from, `backend-1:${ports[said.backend.split(':')[1]!]}`, `${host}${path}`)
          else assert.fail(said.kind)
        }
      },
    ),
    { numRuns: 25 },
  )
  agent.destroy()
})
