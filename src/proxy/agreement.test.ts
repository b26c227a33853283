import assert from 'node:assert/strict'
import { request } from 'node:http'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { parseAddress } from '../addr/index.ts'
import { type Snapshot, snapshotOf } from '../cluster/index.ts'
import { explainRequestWay } from '../explain/index.ts'
import { sourcesOf } from '../gateways/cluster.fixture.ts'
import type { HTTPRoute } from '../gateways/gateway-api.ts'
import { compileGateways, explainRequest, type GatewayModel } from '../gateways/index.ts'
import type { KubeObject, Service } from '../objects/index.ts'
import { gatewayClass, gatewayOf, routeOf, serviceOf, sliceOf, to } from './gateway-objects.fixture.ts'
import { GatewayRig } from './rig.fixture.ts'

let gateway: GatewayRig
const names = ['a', 'b', 'c', 'd']
const ports: Readonly<Record<string, number>> = { a: 8001, b: 8002, c: 8003, d: 8004 }
const listeners = [
  { name: 'any', port: 80, protocol: 'HTTP' },
  { name: 'wide', port: 80, protocol: 'HTTP', hostname: '*.example' },
  { name: 'narrow', port: 80, protocol: 'HTTP', hostname: '*.b.example' },
  { name: 'one', port: 80, protocol: 'HTTP', hostname: 'x.b.example' },
]
const [gatewayObject, gatewayService] = gatewayOf('gw', listeners) as [KubeObject, Service]

const backing: KubeObject[] = []
const node: KubeObject = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'node-1' },
  ...{ spec: {}, status: { addresses: [{ type: 'InternalIP', address: '172.30.0.11' }] } },
}

before(async () => {
  gateway = new GatewayRig()
  const [one] = gateway.rig.backends
  for (const name of names) gateway.serve(one, ports[name]!)
  backing.push(...names.map((name) => sliceOf(name, ports[name]!, one)))
  await gateway.change([
    gatewayClass,
    gatewayObject,
    gatewayService,
    ...names.map((name) => serviceOf(name)),
    ...backing,
  ])
})
after(() => gateway.close())

const paths = ['/', '/x', '/x/', '/x/y', '/xy', '/x/y/z']
const path = fc.oneof(
  fc.record({ type: fc.constantFrom('Exact', 'PathPrefix'), value: fc.constantFrom(...paths) }),
  fc.record({ type: fc.constant('RegularExpression'), value: fc.constantFrom('/x.*', '/[a-y]', '/x/y|/xy') }),
)
const value = fc.record({ type: fc.constant('Exact'), value: fc.constantFrom('one', 'two', 'a b', '100%') })
const pattern = fc.record({ type: fc.constant('RegularExpression'), value: fc.constantFrom('t.*', '[^o]+', 'one|two') })
const named = fc
  .tuple(fc.constantFrom('p', 'q'), fc.oneof({ weight: 3, arbitrary: value }, pattern))
  .map(([name, rest]) => ({ name, ...rest }))
const match = fc.record(
  {
    path,
    method: fc.constantFrom('GET', 'POST'),
    headers: fc.array(named, { maxLength: 2 }),
    queryParams: fc.array(named, { maxLength: 2 }),
  },
  { requiredKeys: [] },
)
const rule = fc.record({
  matches: fc.array(match, { minLength: 1, maxLength: 3 }),
  backendRefs: fc.constantFrom(...names, 'gone').map((name) => [to(name)]),
})
const hosts = ['a.example', 'x.b.example', 'y.b.example', '*.b.example', '*.example', '*.y.b.example', 'other']
const route = fc.record({
  rules: fc.array(rule, { minLength: 1, maxLength: 4 }),
  hostnames: fc.option(fc.uniqueArray(fc.constantFrom(...hosts), { minLength: 1, maxLength: 3 }), { nil: undefined }),
  parent: fc.constantFrom({}, {}, { sectionName: 'wide' }, { sectionName: 'narrow' }, { sectionName: 'any' }),
  created: fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'),
})
const given = fc.dictionary(fc.constantFrom('p', 'q'), fc.constantFrom('one', 'two', 'a b', '100%', 'x'), {
  maxKeys: 2,
})
const question = fc.record({
  host: fc.constantFrom('a.example', 'x.b.example', 'y.b.example', 'z.y.b.example', 'Q.A.EXAMPLE:80', 'other', 'none'),
  path: fc.constantFrom(...paths, '/x//y', '//', '/X', '/y'),
  method: fc.constantFrom('GET', 'POST'),
  headers: given,
  query: given,
})
type Question = typeof question extends fc.Arbitrary<infer T> ? T : never

let agent: ReturnType<GatewayRig['agent']>

/** What the whole way of a request promises: `a`, whose pod is the end of it, or the status. */
function promised(snapshot: Snapshot, model: GatewayModel, { host, path, method, headers, query }: Question): string {
  const search = new URLSearchParams(query).toString()
  const asked = { url: `http://${host}${path}${search ? `?${search}` : ''}`, method, headers: { ...headers, host } }
  const facts = { clusterDomain: 'cluster.local', servicePrefixes: [] }
  const from = { kind: 'address', address: parseAddress('203.0.113.7') } as const
  const { verdict, branches } = explainRequestWay(snapshot, from, asked, model, facts)
  const ends = branches.map(({ endpoint }) => names.find((name) => ports[name] === endpoint.port))
  return ends.length > 0 ? ends.join() : (/answers (\d+) itself/.exec(verdict.says)?.[1] ?? verdict.says)
}

/** HAProxy has the pod behind a backend as a server, and no other. */
async function holdServer(backend: string): Promise<void> {
  const [, name = ''] = backend.split(':')
  const address = gateway.rig.backends[0].addresses[4]
  const { status } = await gateway.module.server({ backend, address, port: ports[name]! })
  assert.match(status ?? 'absent', /^(UP|no check)$/)
  assert.deepEqual(await gateway.module.server({ backend, address, port: 1 }), {})
}

/** `a` or the status. */
function ask({ host, path, method, headers, query }: Question): Promise<string> {
  const search = new URLSearchParams(query).toString()
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const options = {
    agent,
    port: 20_080,
    path: search ? `${path}?${search}` : path,
    method,
    headers: { ...headers, host },
  }
  const asked = request(options, (answer) => {
    let body = ''
    answer.on('data', (data: Buffer) => {
      body += data.toString()
    })
    answer.on('error', reject)
    answer.on('end', () => {
      const port = answer.statusCode === 200 ? Number((JSON.parse(body).from as string).split(':')[1]) : 0
      resolve(names.find((name) => ports[name] === port) ?? String(answer.statusCode))
    })
  })
  asked.on('error', reject)
  asked.end()
  return promise
}

test('what explain says is what HAProxy does, for random routes at listeners that overlap', {
  timeout: 300_000,
}, async (t) => {
  const count: Record<string, number> = {}
  await fc.assert(
    fc.asyncProperty(
      fc.array(route, { minLength: 1, maxLength: 5 }),
      fc.array(question, { minLength: 20, maxLength: 30 }),
      async (drawn, questions) => {
        const routes = drawn.map(({ rules, ...more }, at) =>
          routeOf('HTTPRoute', `r-${at}`, rules, { ...more, hostnames: more.hostnames ?? undefined } as never),
        )
        await gateway.change(routes)
        // A connection from before a reload has one more answer from then.
        agent = gateway.agent(true)
        try {
          const gatewayApi = { classes: [gatewayClass], gateways: [gatewayObject], httpRoutes: routes as HTTPRoute[] }
          const services = [gatewayService, ...names.map((name) => serviceOf(name))]
          const model = compileGateways(sourcesOf({ services, gatewayApi }))
          const snapshot = snapshotOf([node, gatewayService, ...backing, ...names.map((name) => serviceOf(name))])
          for (const one of questions) {
            const said = explainRequest(model, { port: 20_080, ...one })
            const expected =
              said.kind === 'forwarded'
                ? said.backend.split(':')[1]
                : said.kind === 'answered'
                  ? String(said.status)
                  : said.kind
            count[String(expected)] = (count[String(expected)] ?? 0) + 1
            assert.equal(promised(snapshot, model, one), expected, JSON.stringify(one))
            if (said.kind === 'forwarded') await holdServer(said.backend)
            assert.equal(await ask(one), expected, `${JSON.stringify(one)}\n${gateway.log.lines.join('\n')}`)
          }
        } finally {
          agent.destroy()
          await gateway.change([], routes)
        }
      },
    ),
    { numRuns: 40 },
  )
  for (const outcome of [...names, '404', '500']) assert.ok((count[outcome] ?? 0) > 0, JSON.stringify(count))
  t.diagnostic(`requests by end: ${JSON.stringify(count)}`)
})
