import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { host } from '../agent/rig.fixture.ts'
import type { KubeObject } from '../objects/index.ts'
import type { HttpFlow } from './flows.ts'
import { serviceOf, sliceOf } from './gateway-objects.fixture.ts'
import { ingressOf, plumbClass } from './ingress-objects.fixture.ts'
import { type CurlAnswer, GatewayRig } from './rig.fixture.ts'

let gateway: GatewayRig
const closers: (() => void)[] = []
const asked: { path: string; headers: Record<string, string | string[] | undefined> }[] = []

before(async () => {
  gateway = new GatewayRig()
  const [one, two] = gateway.rig.backends
  gateway.serve(one, 8001)
  const judge = createServer((request, answer) => {
    asked.push({ path: `${request.method} ${request.url}`, headers: request.headers })
    const { cookie } = request.headers
    const status = cookie === 'user=ann' ? 202 : cookie === 'user=bob' ? 403 : cookie === 'user=odd' ? 302 : 401
    answer.writeHead(status, { 'x-user': 'ann', 'x-groups': ['a', 'b'], 'www-authenticate': 'Bearer' }).end('ignored')
  }).listen({ fd: host.listenTcp(two.namespace, two.addresses[4], 8002).fd })
  closers.push(() => judge.close())
  const objects = [plumbClass, serviceOf('a'), sliceOf('a', 8001, one), serviceOf('auth'), sliceOf('auth', 8002, two)]
  await gateway.change(objects)
})
after(() => {
  for (const close of closers) close()
  return gateway.close()
})

const trouble = (): string => `${gateway.log.lines.join('\n')}\n${JSON.stringify(gateway.module.findings)}`
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const secretOf = (name: string, data: Record<string, string>): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: { name, namespace: 'ns' },
    data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, base64(value)])),
  }) as KubeObject

const ask = (name: string, ...words: readonly string[]): Promise<CurlAnswer> => gateway.answer(name, '/p?q=1', ...words)

/** What openssl makes of a password; kinds are those of crypt(3). */
const hashOf = (password: string, kind: string): string =>
  spawnSync('openssl', ['passwd', kind, password], { encoding: 'utf8' }).stdout.trim()

test('auth-type basic: every kind of hash of htpasswd, both kinds of Secret, a realm, and a new password at once', async () => {
  const long = 'a password that is longer than sixteen letters: pä'
  const users = {
    apr: [hashOf('one', '-apr1'), 'one'],
    long: [hashOf(long, '-apr1'), long],
    sha: ['{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=', 'password'],
    // htpasswd -B
    bcrypt: ['$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC', 'myPassword'],
    sha512: [hashOf('four', '-6'), 'four'],
    plain: ['{PLAIN}five', 'five'],
  } as const
  const lines = Object.entries(users).map(([name, [hash]]) => `${name}:${hash}`)
  const map = secretOf('map', { ann: users.apr[0] })
  const objects = [
    secretOf('file', { auth: `# users\n${lines.join('\n')}\nodd:whatever\n` }),
    map,
    ingressOf('file', 'file.example', { 'auth-type': 'basic', 'auth-secret': 'file', 'auth-realm': 'Own house' }, 'a'),
    ingressOf(
      'map',
      'map.example',
      { 'auth-type': 'basic', 'auth-secret': 'ns/map', 'auth-secret-type': 'auth-map' },
      'a',
    ),
  ]
  await gateway.serving(objects, async () => {
    for (const [name, [, password]] of Object.entries(users)) {
      for (let n = 0; n < 2; n++)
        assert.equal((await ask('file.example', '-u', `${name}:${password}`)).status, 200, `${name} ${trouble()}`)
      assert.equal((await ask('file.example', '-u', `${name}:x${password}`)).status, 401, name)
    }
    for (const words of [[], ['-u', 'odd:whatever'], ['-u', 'nobody:one'], ['-H', 'authorization: Basic %%%']])
      assert.equal((await ask('file.example', ...words)).status, 401, words.join(' '))
    const { head } = await ask('file.example')
    assert.match(head, /www-authenticate: Basic realm="Own house"/i)
    assert.match(head, /proxy-status: plumb; error=http_request_denied/i)
    assert.deepEqual(
      gateway.module.findings.map(({ code, says }) => [code, /odd/.test(says)]),
      [['SecretInvalid', true]],
    )
    assert.equal((await ask('map.example', '-u', 'ann:one')).status, 200)
    await gateway.change([secretOf('map', { ann: hashOf('changed', '-apr1') })])
    assert.equal((await ask('map.example', '-u', 'ann:one')).status, 401)
    assert.equal((await ask('map.example', '-u', 'ann:changed')).status, 200)
    // Without the Secret nobody passes.
    await gateway.change([], [map])
    assert.equal((await ask('map.example', '-u', 'ann:changed')).status, 500)
    assert.ok(
      gateway.module.findings.some(({ code }) => code === 'SecretMissing'),
      trouble(),
    )
  })
})

async function flowOf(id: string): Promise<HttpFlow> {
  for (;;) {
    const found = gateway.module.flows({}).flows.find((one) => one.id === id)
    if (found !== undefined) return found
    await new Promise(setImmediate)
  }
}

test('auth-url: the Service is asked about every request; its word, its headers and its sign-in page are followed', async () => {
  const url = 'http://auth.ns.svc.cluster.local/verify?x=1'
  const objects = [
    ingressOf('asked', 'asked.example', { 'auth-url': url, 'auth-response-headers': 'X-User, X-Groups' }, 'a'),
    ingressOf('signin', 'signin.example', { 'auth-url': url, 'auth-signin': 'https://$host/start?a=1' }, 'a'),
    ingressOf('outside', 'outside.example', { 'auth-url': 'https://auth.example/verify' }, 'a'),
    ingressOf('foreign', 'foreign.example', { 'auth-url': 'http://auth.other.svc/verify' }, 'a'),
    ingressOf('absent', 'absent.example', { 'auth-url': 'http://nobody.ns.svc/verify' }, 'a'),
  ]
  await gateway.serving(objects, async () => {
    asked.length = 0
    const passed = await ask('asked.example', '-b', 'user=ann', '-H', 'x-user: somebody else', '-d', 'a body')
    assert.equal(passed.status, 200, trouble())
    const { headers } = JSON.parse(passed.body)
    assert.deepEqual([headers['x-user'], headers['x-groups']], ['ann', 'a, b'])
    assert.equal(asked[0]?.path, 'GET /verify?x=1')
    const told = asked[0]!.headers
    assert.deepEqual(
      [told.host, told['x-original-url'], told['x-original-method'], told['content-length'], told['x-plumb-mirror']],
      ['auth.ns.svc.cluster.local', 'http://asked.example/p?q=1', 'POST', undefined, undefined],
    )
    const unknown = await ask('asked.example', '-H', 'x-request-id: unknown')
    assert.equal(unknown.status, 401)
    assert.match(unknown.head, /www-authenticate: Bearer/i)
    assert.match(unknown.head, /proxy-status: plumb; error=http_request_denied; details="refused by ns:auth:80"/i)
    const flow = await flowOf('unknown')
    assert.deepEqual([flow.status, flow.error, flow.says], [401, 'http_request_denied', 'refused by ns:auth:80'])
    assert.equal((await ask('asked.example', '-b', 'user=bob')).status, 403)
    assert.equal((await ask('asked.example', '-b', 'user=odd')).status, 500)
    const redirected = await ask('signin.example')
    assert.equal(redirected.status, 302)
    assert.match(
      redirected.head,
      /location: https:\/\/signin\.example\/start\?a=1&rd=http%3A\/\/signin\.example\/p%3Fq%3D1\r/i,
    )
    for (const name of ['outside', 'foreign', 'absent'])
      assert.equal((await ask(`${name}.example`, '-b', 'user=ann')).status, 500, name)
    assert.deepEqual(gateway.module.findings.map(({ code }) => code).sort(), [
      'AnnotationNotServed',
      'AnnotationNotServed',
      'BackendMissing',
    ])
    const [, two] = gateway.rig.backends
    await gateway.change([], [sliceOf('auth', 8002, two)])
    assert.equal((await ask('asked.example', '-b', 'user=ann')).status, 500, 'nobody passes when nobody can be asked')
  })
})
