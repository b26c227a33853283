import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { KubeObject, Service } from '../objects/index.ts'
import { serviceOf, sliceOf } from './gateway-objects.fixture.ts'
import { ingressOf, plumbClass } from './ingress-objects.fixture.ts'
import { GatewayRig } from './rig.fixture.ts'

let gateway: GatewayRig
const copies: { path: string | undefined; method: string | undefined; body: string }[] = []

before(async () => {
  gateway = new GatewayRig()
  const [one, two] = gateway.rig.backends
  gateway.serve(one, 8001)
  gateway.serve(two, 80)
  gateway.serve(two, 8003, ({ url, method }, body) => copies.push({ path: url, method, body }))
  await gateway.change([
    plumbClass,
    serviceOf('a'),
    sliceOf('a', 8001, one),
    serviceOf('copy'),
    sliceOf('copy', 8003, two),
  ])
})
after(() => gateway.close())

const trouble = (): string => `${gateway.log.lines.join('\n')}\n${JSON.stringify(gateway.module.findings)}`
const codes = (): string[] => gateway.module.findings.map(({ code }) => code).sort()
const headersOf = (name: string, namespace: string, data: Record<string, string>): KubeObject =>
  ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data }) as KubeObject

async function ask(name: string, ...words: string[]): Promise<{ status: number; head: string; body: string }> {
  const said = await gateway.curl('-i', '-H', `host: ${name}`, ...words, 'http://203.0.113.1/p?q=1')
  const [head = '', body = ''] = said.split('\r\n\r\n')
  return { status: Number(head.slice(9, 12)), head, body }
}

test('service-upstream: the address of the Service is asked, as it changes; without one its pods are', async () => {
  const [one, two] = gateway.rig.backends
  const at = (clusterIP: string): Service => ({ ...serviceOf('s'), spec: { ...serviceOf('s').spec, clusterIP } })
  const upstream = { 'service-upstream': 'true' }
  const objects = [
    at(two.addresses[4]),
    sliceOf('s', 8001, one),
    ingressOf('itself', 'itself.example', upstream, 's'),
    ingressOf('pods', 'pods.example', {}, 's'),
  ]
  const from = async (name: string): Promise<string> => {
    const { status, body } = await ask(name)
    return status === 200 ? JSON.parse(body).from : String(status)
  }
  await gateway.serving(objects, async () => {
    assert.equal(await from('itself.example'), `${two.name}:80`, trouble())
    assert.equal(await from('pods.example'), `${one.name}:8001`)
    // Nobody listens there at port 80.
    await gateway.change([at(one.addresses[4])])
    assert.equal(await from('itself.example'), '503')
    await gateway.change([at('None')])
    assert.equal(await from('itself.example'), `${one.name}:8001`)
    assert.deepEqual(
      gateway.module.findings.map(({ code, says }) => [code, says]),
      [['AnnotationIgnored', 'Service "s" has no address of its own; its pods are asked']],
    )
  })
})

test('custom-headers: answers have the headers of the ConfigMap, as it changes; what cannot be given is told and nothing is served', async () => {
  const own = (data: Record<string, string>): KubeObject => headersOf('own', 'ns', data)
  const named = (name: string) => ({ 'custom-headers': name })
  const objects = [
    own({ 'X-Frame-Options': 'DENY', 'content-security-policy': 'default-src "self"; a=b' }),
    headersOf('framing', 'ns', { 'Content-Length': '3' }),
    headersOf('lines', 'ns', { 'x-a': 'b\r\nset-cookie: c=d' }),
    headersOf('foreign', 'other', { 'x-a': 'b' }),
    ingressOf('own', 'own.example', named('ns/own'), 'a'),
    ...['framing', 'lines', 'absent', 'other/foreign'].map((name) => {
      const short = name.split('/').at(-1)!
      return ingressOf(short, `${short}.example`, named(name), 'a')
    }),
  ]
  await gateway.serving(objects, async () => {
    const { status, head } = await ask('own.example')
    assert.equal(status, 200, trouble())
    assert.match(head, /x-frame-options: DENY/i)
    assert.match(head, /content-security-policy: default-src "self"; a=b$/im)
    for (const name of ['framing', 'lines', 'absent', 'foreign'])
      assert.equal((await ask(`${name}.example`)).status, 500, name)
    assert.deepEqual(codes(), ['AnnotationNotServed', 'ConfigMapInvalid', 'ConfigMapInvalid', 'ConfigMapMissing'])
    await gateway.change([own({ 'x-other': 'new' }), headersOf('absent', 'ns', { 'x-a': 'b' })])
    const changed = await ask('own.example')
    assert.match(changed.head, /x-other: new/i)
    assert.doesNotMatch(changed.head, /x-frame-options/i)
    assert.match((await ask('absent.example')).head, /x-a: b/i)
    await gateway.change([], [own({})])
    assert.equal((await ask('own.example')).status, 500)
  })
  await gateway.change([], [headersOf('absent', 'ns', {})])
})

test('mirror-target: a Service gets a copy of every request as it came; no copy, no harm', async () => {
  const objects = [
    ingressOf(
      'copied',
      'copied.example',
      { 'mirror-target': 'http://copy.ns.svc.cluster.local$request_uri', 'rewrite-target': '/new' },
      'a',
    ),
    ingressOf('bare', 'bare.example', { 'mirror-target': 'http://copy' }, 'a'),
    ingressOf('gone', 'gone.example', { 'mirror-target': 'http://nobody/$request_uri' }, 'a'),
    ingressOf('outside', 'outside.example', { 'mirror-target': 'https://mirror.example.com/$request_uri' }, 'a'),
    ingressOf('foreign', 'foreign.example', { 'mirror-target': 'http://copy.other.svc' }, 'a'),
  ]
  await gateway.serving(objects, async () => {
    const copied = async (count: number): Promise<void> => {
      while (copies.length < count) await new Promise((resolve) => setTimeout(resolve, 5))
    }
    const answer = await ask('copied.example', '-d', 'a body')
    assert.equal(JSON.parse(answer.body).path, '/new?q=1', trouble())
    await copied(1)
    assert.deepEqual(copies, [{ path: '/p?q=1', method: 'POST', body: 'a body' }])
    for (const name of ['gone', 'outside', 'foreign']) assert.equal((await ask(`${name}.example`)).status, 200, name)
    assert.equal((await ask('bare.example')).status, 200)
    await copied(2)
    assert.deepEqual(copies.at(-1), { path: '/p?q=1', method: 'GET', body: '' })
    assert.equal(copies.length, 2)
    assert.deepEqual(codes(), ['AnnotationIgnored', 'AnnotationNotServed', 'BackendMissing'])
  })
})
