// An API server that does not tell everything: whoever asks gets the kind and the right that is missing, and no verdict.

import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, mock, test } from 'node:test'
import { promisify } from 'node:util'
import { parseAllDocuments } from 'yaml'
import { certificateOf } from '../explain/certificate.fixture.ts'
import type { KubeObject } from '../objects/index.ts'
import { runCheck } from './check.ts'
import { runDoctor } from './doctor.ts'
import { runReach } from './reach.ts'
import { openUiSource } from './ui-source.ts'
import { runWhy } from './why.ts'

const hash = `$2y$05$${'x'.repeat(53)}`
const pair = certificateOf('shop.example')
const objects = parseAllDocuments(`
{apiVersion: v1, kind: Node, metadata: {name: node-1}, spec: {podCIDRs: [10.244.1.0/24]}, status: {addresses: [{type: InternalIP, address: 192.0.2.11}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: client, namespace: shop}, spec: {nodeName: node-1, initContainers: [{name: first, env: [{name: TOKEN, value: early-s3cret}]}], containers: [{name: main, env: [{name: TOKEN, value: late-s3cret}]}]}, status: {phase: Running, podIPs: [{ip: 10.244.1.2}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, spec: {nodeName: node-1, containers: [{name: main}]}, status: {phase: Running, podIPs: [{ip: 10.244.1.3}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {selector: {app: web}, clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9], ipFamilies: [IPv4], ports: [{port: 80, protocol: TCP, targetPort: 8080}]}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}, addressType: IPv4, endpoints: [{addresses: [10.244.1.3], nodeName: node-1, conditions: {ready: true}}], ports: [{name: '', port: 8080, protocol: TCP}]}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: open, namespace: shop}, spec: {podSelector: {}, ingress: [{}]}}
---
{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: plumb}, spec: {controller: plumb.network/gateway}}
---
{apiVersion: v1, kind: Secret, metadata: {name: tls, namespace: shop}, type: kubernetes.io/tls, data: {tls.crt: '${pair.crt}', tls.key: '${pair.key}'}}
---
{apiVersion: v1, kind: Secret, metadata: {name: users, namespace: shop}, type: Opaque, data: {auth: '${Buffer.from(`ada:${hash}`).toString('base64')}'}}
---
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: guarded, namespace: shop, annotations: {nginx.ingress.kubernetes.io/auth-type: basic, nginx.ingress.kubernetes.io/auth-secret: users}}, spec: {ingressClassName: plumb, rules: [{host: guarded.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}}
---
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web, namespace: shop}, spec: {ingressClassName: plumb, tls: [{hosts: [shop.example], secretName: tls}], rules: [{host: shop.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}}
`).map((one) => one.toJS() as KubeObject)
const pluralOf = ({ kind }: KubeObject): string =>
  `${kind.toLowerCase()}${kind.endsWith('s') ? 'es' : 's'}`.replace('policys', 'policies')

/** What the server does with lists of a kind. */
type Fault = (request: IncomingMessage, response: ServerResponse, body: string) => void
let faults = new Map<string, Fault>()
let groups = ['networking.k8s.io/v1', 'discovery.k8s.io/v1', 'gateway.networking.k8s.io/v1']
const refuse =
  (code: number, reason: string): Fault =>
  (_, response) => {
    response.writeHead(code, { 'content-type': 'application/json' })
    response.end(
      JSON.stringify({ kind: 'Status', status: 'Failure', code, reason, message: `${reason}, says the server` }),
    )
  }
const stopHalfWay: Fault = (_, response, body) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length })
  response.write(body.slice(0, body.length >> 1))
}
const cutHalfWay: Fault = (_, response, body) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length })
  response.write(body.slice(0, body.length >> 1), () => response.destroy())
}
const silent: Fault = () => undefined

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://server')
  const plural = url.pathname.split('/').at(-1) ?? ''
  if (url.pathname === '/apis') {
    const list = groups.map((one) => ({
      name: one.split('/')[0],
      versions: [{ groupVersion: one, version: one.split('/')[1] }],
    }))
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ kind: 'APIGroupList', groups: list }))
    return
  }
  const items = objects.filter((one) => pluralOf(one) === plural).map(({ apiVersion: _, kind: __, ...rest }) => rest)
  const body = JSON.stringify({ kind: 'List', metadata: { resourceVersion: '1' }, items })
  const fault = faults.get(plural)
  if (fault !== undefined) return fault(request, response, body)
  if (url.pathname.includes('gateway.networking') || url.pathname.includes('/daemonsets/'))
    return refuse(404, 'NotFound')(request, response, body)
  response.setHeader('content-type', 'application/json')
  response.end(body)
})
const noKubectl = spawnSync('kubectl', ['version', '--client']).error ? 'kubectl is not installed' : false
const folder = mkdtempSync(join(tmpdir(), 'plumb-half-'))
const kubeconfig = join(folder, 'kubeconfig')
const assertions = join(folder, 'assertions.yaml')

before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const config = {
    clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${port}` } }],
    users: [{ name: 'u', user: {} }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'c',
  }
  writeFileSync(kubeconfig, JSON.stringify(config))
  writeFileSync(assertions, 'assertions: [{from: pod/shop/client, to: svc/shop/web, port: 80, expect: allow}]')
})
after(() => {
  server.closeAllConnections()
  server.close()
  rmSync(folder, { recursive: true })
})

const options = { name: 'no-such-lab', kubeconfig, namespace: 'shop', filename: [], timeoutMs: 500 }
const why = (to: string, more = {}) =>
  runWhy('pod/client', to, { ...options, protocol: 'tcp', probe: false, header: [], output: 'text', ...more })
const commands: Readonly<Record<string, () => Promise<void>>> = {
  why: () => why('svc/web'),
  'why URL': () => why('http://shop.example/'),
  reach: () => runReach({ ...options, output: 'table' }),
  check: () => runCheck(assertions, { ...options, output: 'text' }),
  doctor: () => runDoctor('svc/web', { ...options, fix: false, watch: false, output: 'text' }),
}

/** What a command says and how it ends. */
const run = (name: string) => listen(commands[name]!)
const runWhyTo = (to: string, more: object) => listen(() => why(to, more))

async function listen(command: () => Promise<void>) {
  const said = { out: '', err: '' }
  const hear = (into: 'out' | 'err', stream: NodeJS.WriteStream) => {
    const write = stream.write.bind(stream) as (chunk: unknown, ...more: unknown[]) => boolean
    return mock.method(stream, 'write', (chunk: unknown, ...more: unknown[]) => {
      // The test runner's own words are bytes.
      if (typeof chunk !== 'string') return write(chunk, ...more)
      said[into] += chunk
      return true
    })
  }
  const out = hear('out', process.stdout)
  const err = hear('err', process.stderr)
  try {
    await command()
  } catch (error) {
    said.err += (error as Error).message
    process.exitCode = 3
  } finally {
    out.mock.restore()
    err.mock.restore()
  }
  const code = process.exitCode ?? 0
  process.exitCode = 0
  return { ...said, code }
}

const basic = [
  'endpointslices.discovery.k8s.io',
  'networkpolicies.networking.k8s.io',
  'nodes',
  'services',
  'pods',
  'namespaces',
]
const entry = [
  'ingresses.networking.k8s.io',
  'secrets',
  'gateways.gateway.networking.k8s.io',
  'httproutes.gateway.networking.k8s.io',
]

test('all is told where all can be read, also where kinds are not installed', async () => {
  for (const name of ['why', 'why URL', 'reach', 'check']) {
    const { out, code, err } = await run(name)
    assert.equal(code, 0, `${name}: ${err}`)
    assert.match(out, /✓|service\/shop\/web/)
  }
})

for (const [what, fault, pattern] of [
  [
    'may not be listed',
    refuse(403, 'Forbidden'),
    (kind: string) =>
      new RegExp(`no verdict without the right to list, in all namespaces: ${kind} \\(Forbidden.*plumb access`),
  ],
  ['stop half-way', stopHalfWay, (kind: string) => new RegExp(`no verdict; try again when it is ready: ${kind}: `)],
  ['are cut half-way', cutHalfWay, (kind: string) => new RegExp(`no verdict; try again when it is ready: ${kind}: `)],
  [
    'are not ready',
    refuse(503, 'ServiceUnavailable'),
    (kind: string) => new RegExp(`no verdict; try again.*: ${kind}: ServiceUnavailable`),
  ],
  [
    'expire again and again',
    refuse(410, 'Expired'),
    (kind: string) => new RegExp(`no verdict; try again.*: ${kind}: Expired`),
  ],
] as const)
  test(`kinds that ${what} are named, and there is no verdict`, async () => {
    const cases = [
      ...basic.flatMap((kind) => Object.keys(commands).map((name) => [kind, name] as const)),
      ...entry.flatMap((kind) => ['why URL', 'reach', 'check'].map((name) => [kind, name] as const)),
    ]
    // One kind after another for why; the other commands read by the same way and are asked for each kind that is slow only once.
    const wanted =
      what === 'stop half-way' ? cases.filter(([kind, name]) => name === 'why URL' || kind === 'pods') : cases
    for (const [kind, name] of wanted) {
      faults = new Map([[kind.split('.')[0]!, fault]])
      const { out, err, code } = await run(name)
      assert.match(err, pattern(kind.replaceAll('.', '\\.')), `${name}, ${kind}`)
      assert.deepEqual([out, code], ['', 3], `${name}, ${kind}`)
    }
    faults = new Map()
  })

test('a list that expired once is read again', async () => {
  let left = 1
  const once: Fault = (request, response, body) => {
    if (left-- > 0) return refuse(410, 'Expired')(request, response, body)
    response.setHeader('content-type', 'application/json')
    response.end(body)
  }
  faults = new Map([['pods', once]])
  assert.equal((await run('why')).code, 0)
  faults = new Map()
})

test('a server that says nothing, and policies in words that are not read', async () => {
  faults = new Map(['pods', 'services', 'nodes'].map((kind) => [kind, silent]))
  const { err, code } = await run('why')
  assert.match(err, /nodes: .*; pods: .*; services: /)
  assert.equal(code, 3)
  faults = new Map()
  const known = groups
  groups = [...known, 'policy.networking.k8s.io/v2']
  assert.match((await run('why')).err, /served as v2 alone, and v1alpha1 and v1alpha2 are read: there is no verdict/)
  groups = known
})

test('the page goes without what may not be read, and says so', async () => {
  const open = async () => {
    const opened = await openUiSource(options)
    assert.ok(opened !== undefined)
    const { snapshot, sources } = await opened.source.state()
    opened.close()
    return { services: snapshot.services.size, ingresses: sources.ingresses.length, blind: opened.source.blind.join() }
  }
  faults = new Map()
  const all = await open()
  assert.deepEqual([all.services, all.ingresses], [1, 2])
  faults = new Map([['secrets', refuse(403, 'Forbidden')]])
  const some = await open()
  faults = new Map()
  assert.deepEqual([some.services, some.ingresses], [1, 0])
  assert.match(some.blind, /Ingresses, Gateways and their certificates cannot be read: .*: secrets/)
})

test('what was saved answers alike anywhere, and no Secret is in it', async () => {
  const file = join(folder, 'capsule.json')
  const ask = (url: string, more: object) => runWhyTo(url, more)
  const verdict = ({ out }: { out: string }): string => out.split('\n\n')[0]!
  for (const url of ['https://shop.example/', 'http://guarded.example/']) {
    const live = await ask(url, { save: file })
    const text = readFileSync(file, 'utf8')
    for (const secret of [
      hash,
      Buffer.from(pair.key, 'base64').toString().split('\n')[1]!,
      pair.key.slice(40, 80),
      'PRIVATE KEY',
      's3cret',
    ])
      assert.ok(!text.includes(secret), `${secret} is in the capsule`)
    const again = await ask(url, { capsule: file, kubeconfig: '/nowhere' })
    assert.equal(verdict(again), verdict(live))
    assert.equal(again.code, live.code)
  }
  assert.match((await ask('http://guarded.example/', { capsule: file })).out, /answers 401 itself/)
})

test('a kubectl plugin takes kubectl’s own flags, and tells which contexts there are', {
  skip: noKubectl,
}, async () => {
  symlinkSync(join(import.meta.dirname, '..', '..', 'plumb'), join(folder, 'kubectl-plumb'))
  const env = {
    ...process.env,
    PATH: `${folder}:${process.env.PATH}`,
    KUBECONFIG: kubeconfig,
    PLUMB_LAB: 'no-such-lab',
  }
  const kubectl = (...words: string[]) =>
    promisify(execFile)('kubectl', ['plumb', 'why', 'pod/client', 'svc/web', ...words], { env })
  const { stdout } = await kubectl('--context', 'c', '--namespace', 'shop')
  assert.match(stdout, /^✓ pod\/shop\/client → svc\/shop\/web/)
  const wrong: { readonly stderr?: string } = await kubectl('--context=d').then(
    () => ({}),
    (error) => error,
  )
  assert.match(wrong.stderr ?? '', /no context "?d"?.*\bc\b/)
})
