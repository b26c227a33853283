// The page over manifests: who is let in, what is answered, and that it is what the command line says.

import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { explainConnection } from '../explain/index.ts'
import type { Trouble } from '../ui/findings.ts'
import { serveUi } from '../ui/index.ts'
import { markTroubles } from '../ui/page/mark.ts'
import type { Picture } from '../ui/picture.ts'
import { openUiSource } from './ui-source.ts'

const folder = mkdtempSync(join(tmpdir(), 'plumb-ui-'))
cpSync(resolve(import.meta.dirname, '../../examples/shop'), folder, { recursive: true })
writeFileSync(
  join(folder, 'more.yaml'),
  `{apiVersion: v1, kind: Service, metadata: {name: lost}, spec: {selector: {app: webb}, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: front}, spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80, targetPort: http}]}, status: {loadBalancer: {ingress: [{ip: 203.0.113.7}]}}}
---
{apiVersion: v1, kind: Service, metadata: {name: outer}, spec: {type: NodePort, selector: {app: cart}, ports: [{port: 7070, targetPort: grpc, nodePort: 30070}]}}
---
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: shop}, spec: {rules: [{host: shop.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: cart}, spec: {podSelector: {matchLabels: {app: cart}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]}}
---
{apiVersion: v1, kind: Secret, metadata: {name: users}, type: Opaque, stringData: {auth: top-s3cret}}
`,
)
const opened = await openUiSource({ name: 'none', filename: [folder] })
const ui = await serveUi(opened!.source, { host: '127.0.0.1', port: 0 })
const url = new URL(ui.url)
after(async () => {
  await ui.close()
  opened!.close()
  rmSync(folder, { recursive: true })
})

interface Got {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

/** `fetch` sets Host itself. */
function get(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Got> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port: url.port, path, method, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(chunks).toString(),
        }),
      )
    })
    asked.on('error', reject)
    asked.end()
  })
}

const first = await get(`/${url.search}`)
const cookie = String(first.headers['set-cookie']).split(';')[0] ?? ''
const read = async <T>(path: string): Promise<T> => JSON.parse((await get(path, { cookie })).text) as T

test('only whoever has the URL is let in, by a name that nobody else can have, and only to read', async () => {
  assert.equal(first.status, 303)
  assert.match(String(first.headers['set-cookie']), /; HttpOnly; SameSite=Strict; Path=\/$/)
  const statusOf = async (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    (await get(path, { cookie, ...headers }, method)).status
  assert.equal(await statusOf('/'), 200)
  assert.equal(await statusOf('/', { cookie: '' }), 403)
  assert.equal(await statusOf('/?token=no', { cookie: '' }), 403)
  assert.equal(await statusOf('/api/picture', { cookie: `${cookie}x` }), 403)
  assert.equal(await statusOf('/', { host: `localhost:${url.port}` }), 200)
  assert.equal(await statusOf('/', { host: `plumb.example:${url.port}` }), 421)
  assert.equal(await statusOf(`/${url.search}`, { host: 'plumb.example' }), 421)
  assert.equal(await statusOf('/api/picture', { 'sec-fetch-site': 'cross-site' }), 403)
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD'])
    assert.equal(await statusOf('/api/picture', {}, method), 405)
  for (const path of [
    '/page/../server.ts',
    '/page/..%2fserver.ts',
    '/page/layout.test.ts',
    '/page/tsconfig.json',
    '/api/',
  ])
    assert.equal(await statusOf(path), 404, path)
  assert.equal(await statusOf(`/api/show?object=${'x'.repeat(600)}`), 400)
  assert.equal(await statusOf(`/api/show?object=${'x'.repeat(4000)}`), 414)
  assert.equal(await statusOf('/api/show?object=svc/web&object=svc/cart'), 400)
  const { headers } = await get('/', { cookie })
  assert.match(String(headers['content-security-policy']), /^default-src 'self';/)
})

test('every module of the page is JavaScript that asks for nothing from elsewhere', async () => {
  const { text } = await get('/', { cookie })
  assert.doesNotMatch(text, /https?:\/\//)
  const seen = new Set<string>()
  const follow = async (path: string): Promise<void> => {
    if (seen.has(path)) return
    seen.add(path)
    const { status, headers, text: script } = await get(path, { cookie })
    assert.equal(status, 200, path)
    assert.match(String(headers['content-type']), /^text\/javascript/)
    assert.doesNotMatch(script, /https?:\/\/(?!www\.w3\.org|host\/)/, path)
    assert.doesNotMatch(script, /innerHTML|insertAdjacentHTML|document\.write/, path)
    for (const [, target = ''] of script.matchAll(/from '(\.\/[^']+)'/g)) await follow(`/page/${target.slice(2)}`)
  }
  await follow('/page/main.ts')
  assert.ok(seen.size > 10, 'the modules of all views')
})

test('the picture has every way in, and what is broken with its words', async () => {
  const { boxes, edges } = await read<Picture>('/api/picture')
  const find = (id: string) => boxes.find((one) => one.id === id)
  const lost = find('service/default/lost')
  assert.equal(lost?.look, 'refuses')
  assert.match(lost?.says ?? '', /its selector app=webb matches none of the \d pods of namespace default/)
  assert.equal(find('service/default/web')?.look, 'serves')
  assert.equal(find('deployment/default/web')?.lines[0], 'ready on node-1')
  const has = (from: string, to: string) => edges.find((one) => one.from === from && one.to === to)?.look
  assert.equal(has('address/203.0.113.7', 'service/default/front'), 'serves')
  assert.equal(has('ingress/default/shop', 'service/default/web'), 'serves')
  assert.equal(has('service/default/web', 'deployment/default/web'), 'serves')
  assert.equal(has('service/default/lost', 'deployment/default/web'), 'near')
})

test('why, show, findings and reach are what the command line tells, and no Secret is in it', async () => {
  const why = '/api/why?from=pod/default/client&to=svc/default/cart:7070'
  const names = await read<{ from: string[]; to: string[] }>('/api/names')
  const answer = await read<ReturnType<typeof explainConnection>>(why)
  assert.ok(names.from.includes('pod/default/client') && names.from.includes('internet'))
  assert.ok(names.to.includes('svc/default/cart:7070') && names.to.includes('http://shop.example/'))
  const { snapshot, facts } = await opened!.source.state()
  const [pod, service] = [
    { kind: 'pod', namespace: 'default', name: 'client' },
    { kind: 'service', namespace: 'default', name: 'cart' },
  ] as const
  const told = explainConnection(snapshot, { from: pod, to: service, transport: 'tcp', port: 7070 }, facts)
  assert.equal(answer.schema, 'plumb.network/why/v1')
  assert.deepEqual([answer.verdict, answer.steps, answer.branches], [told.verdict, told.steps, told.branches])
  assert.equal(answer.verdict.kind, 'deny')
  assert.equal(answer.verdict.because.object, 'networkpolicy/default/cart')
  const asked = await read<ReturnType<typeof explainConnection>>('/api/why?from=internet&to=http://shop.example/')
  assert.equal(asked.verdict.kind, 'allow', asked.verdict.says)
  const bad = await get('/api/why?from=me&to=svc/default/web:80', { cookie })
  assert.equal(bad.status, 400)
  assert.match(bad.text, /is not pod\/NAME, svc\/NAME, node\/NAME or an IP address/)

  const found = await read<Trouble[]>('/api/findings')
  const denied = found.find(({ object }) => object === 'nodeport/30070/tcp')
  assert.equal(denied?.severity, 'broken', 'the policy keeps clients outside from the node port')
  assert.equal(denied?.because?.object, 'networkpolicy/default/cart')
  const { boxes, edges } = markTroubles(await read<Picture>('/api/picture'), found)
  const port = boxes.find(({ id }) => id === 'nodeport/30070/tcp')
  assert.deepEqual([port?.look, edges.find(({ from }) => from === port?.id)?.look], ['refuses', 'refuses'])
  assert.deepEqual(found[0] && [found[0].severity, found[0].object], ['broken', 'service/default/lost'])
  const { into } = await read<{ into: { from: string }[] }>('/api/reach?of=deployment/cart')
  assert.ok(into.some(({ from }) => from === 'deployment/default/web'))
  assert.ok(!into.some(({ from }) => from === 'pod/default/client'))
  const { data } = await read<{ data: { object: string } }>('/api/show?object=svc/default/web')
  assert.equal(data.object, 'service/default/web')
  assert.equal((await get('/api/show?object=svc/default/webb', { cookie })).status, 404)

  const all = ['/api/about', '/api/picture', '/api/findings', '/api/names', '/api/reach', '/api/addresses', why]
  for (const path of all) assert.doesNotMatch((await get(path, { cookie })).text, /s3cret|dG9wLXMzY3JldA/, path)
})

test('a file that changes is a change of the page', async () => {
  const events = await fetch(`${url.origin}/api/changes`, { headers: { cookie } })
  const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader()
  await reader.read()
  const file = join(folder, 'more.yaml')
  writeFileSync(file, readFileSync(file, 'utf8').replace('app: webb', 'app: web'))
  for (;;) {
    const { boxes } = await read<Picture>('/api/picture')
    if (boxes.find((one) => one.id === 'service/default/lost')?.look === 'serves') break
    assert.match((await reader.read()).value ?? '', /^event: changed\ndata: \d+\n\n$/)
  }
  await reader.cancel()
})
