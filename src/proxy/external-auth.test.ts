import assert from 'node:assert/strict'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { after, before, test } from 'node:test'
import { host } from '../agent/rig.fixture.ts'
import type { KubeObject } from '../objects/index.ts'
import { gatewayClass, gatewayOf, routeOf, serviceOf, sliceOf, to } from './gateway-objects.fixture.ts'
import { GatewayRig } from './rig.fixture.ts'

let gateway: GatewayRig
const closers: (() => void)[] = []
const asked: { line: string; headers: IncomingHttpHeaders }[] = []

before(async () => {
  gateway = new GatewayRig()
  const [one, two] = gateway.rig.backends
  gateway.serve(one, 8001)
  gateway.serve(two, 8001)
  const judge = createServer(({ method, url, headers }, answer) => {
    asked.push({ line: `${method} ${url}`, headers })
    const { authorization = '' } = headers
    const [, status = '401'] = /^Bearer (\d+)/.exec(authorization) ?? []
    answer.writeHead(Number(status), {
      'x-user': ['ann', 'of-plumb'],
      'x-secret': 'inner',
      'content-type': 'text/html',
      'www-authenticate': 'Bearer realm="plumb"',
      ...(status === '302' && { location: 'https://login.example/', 'set-cookie': ['a=1', 'b=2'] }),
    })
    answer.end('who are you?')
  }).listen({ fd: host.listenTcp(two.namespace, two.addresses[4], 8002).fd })
  closers.push(() => judge.close())
  await gateway.change([
    gatewayClass,
    ...gatewayOf('gw', [{ name: 'http', port: 80, protocol: 'HTTP' }]),
    ...['a', 'auth', 'empty'].map((name) => serviceOf(name)),
    sliceOf('a', 8001, one),
    sliceOf('auth', 8002, two),
    sliceOf('empty', 8009),
  ])
})
after(() => {
  for (const close of closers) close()
  return gateway.close()
})

const trouble = (): string => `${gateway.log.lines.join('\n')}\n${JSON.stringify(gateway.module.findings)}`

/** A route to Service `a` that asks first. */
function asking(externalAuth: object, more: readonly object[] = []): KubeObject {
  const filters = [{ type: 'ExternalAuth', externalAuth: { protocol: 'HTTP', http: {}, ...externalAuth } }, ...more]
  return routeOf('HTTPRoute', 'asking', [{ filters, backendRefs: [to('a')] }])
}

interface Answer {
  readonly status: number
  readonly head: string
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

async function ask(bearer: string, ...words: readonly string[]): Promise<Answer> {
  const authorized = ['-H', `authorization: Bearer ${bearer}`]
  const said = await gateway.curl(
    '-i',
    '-H',
    'host: s.example',
    ...authorized,
    ...words,
    'http://203.0.113.1:20080/p/x?q=1',
  )
  const [head = '', body = ''] = said.split('\r\n\r\n')
  const status = Number(head.slice(9, 12))
  return { status, head, body, headers: status === 200 ? JSON.parse(body).headers : {} }
}

test('a Service is asked about each request: by its method, path and the headers that are named; its word is what the pod hears', async () => {
  const http = { path: '/verify/', allowedHeaders: ['X-Tenant'], allowedResponseHeaders: ['X-User'] }
  await gateway.change([asking({ backendRef: to('auth'), http })])
  asked.length = 0
  const sent = [
    '-H',
    'x-tenant: shop',
    '-H',
    'x-other: no',
    '-H',
    'x-plumb-method: GET',
    '-H',
    'x-user: root',
    '-H',
    'x-secret: own',
  ]
  const answer = await ask('200', '-X', 'PATCH', '-d', 'body', ...sent)
  assert.equal(answer.status, 200, answer.head + trouble())
  assert.equal(JSON.parse(answer.body).from, 'backend-1:8001')
  assert.deepEqual([answer.headers['x-user'], answer.headers['x-secret']], ['ann, of-plumb', 'own'])
  assert.equal(asked.length, 1)
  const [{ line, headers }] = asked as [(typeof asked)[0]]
  assert.equal(line, 'PATCH /verify/p/x?q=1')
  const told = ['host', 'authorization', 'x-tenant', 'x-other', 'x-user'].map((name) => headers[name])
  assert.deepEqual(told, ['s.example', 'Bearer 200', 'shop', undefined, undefined])
  assert.ok([undefined, '0'].includes(headers['content-length']), 'the length of what was sent')
  // All of its headers but those of its own message, where none are named.
  await gateway.change([asking({ backendRef: to('auth') })])
  const all = await ask('200', '-d', 'body', '-H', 'x-user: root', '-H', 'content-type: text/plain')
  assert.deepEqual(
    [all.headers['x-user'], all.headers['x-secret'], all.headers['content-type']],
    ['ann, of-plumb', 'inner', 'text/plain'],
  )
  assert.equal(asked.at(-1)?.line, 'POST /p/x?q=1')
})

test('who is refused hears why; nobody passes while nobody answers', async () => {
  await gateway.change([asking({ backendRef: to('auth') })])
  const refused = await ask('401')
  assert.deepEqual([refused.status, refused.body], [401, 'who are you?'])
  assert.match(refused.head, /www-authenticate: Bearer realm="plumb"/)
  assert.match(refused.head, /proxy-status: plumb; error=http_request_denied/)
  const moved = await ask('302')
  assert.deepEqual([moved.status, moved.head.match(/set-cookie: /g)?.length], [302, 2])
  assert.match(moved.head, /location: https:\/\/login\.example\//)
  for (const status of ['201', '204', '500', '503']) assert.equal((await ask(status)).status, 403, status)
  await gateway.change([asking({ backendRef: to('empty') })])
  assert.equal((await ask('200')).status, 403)
})

test('what cannot be asked lets nobody in, and the route says why', async () => {
  const codes = () => gateway.module.findings.map(({ code, says }) => `${code} ${says}`).join()
  for (const [auth, says] of [
    [{ protocol: 'GRPC', grpc: {}, backendRef: to('auth') }, /by HTTP, and not by GRPC/],
    [{ backendRef: to('auth'), forwardBody: { maxSize: 1024 } }, /bodies are not shown/],
    [{ backendRef: to('auth'), http: { path: '/x y' } }, /the path in front/],
    [{ backendRef: to('nobody') }, /there is no service\/ns\/nobody/],
    [{ backendRef: { ...to('auth'), namespace: 'other' } }, /no ReferenceGrant in other/],
  ] as const) {
    await gateway.change([asking(auth)])
    assert.equal((await ask('200')).status, 500, String(says) + trouble())
    assert.match(codes(), says)
  }
  await gateway.change([asking({ backendRef: to('auth') })])
  assert.equal(codes(), '')
})

test('limits of clients by annotations of a route, for it alone', async () => {
  const limited = routeOf('HTTPRoute', 'limited', [{ backendRefs: [to('a')] }], { hostnames: ['limited.example'] })
  const free = routeOf('HTTPRoute', 'free', [{ backendRefs: [to('a')] }], { hostnames: ['free.example'] })
  const annotated = (annotations: object) =>
    ({ ...limited, metadata: { ...limited.metadata, annotations } }) as KubeObject
  await gateway.change([
    free,
    annotated({ 'plumb.network/limit-rpm': '2', 'plumb.network/limit-burst-multiplier': '1' }),
  ])
  const got = async (name: string): Promise<string> => {
    const statuses = []
    for (let at = 0; at < 6; at++)
      statuses.push(
        await gateway.curl(
          '-o',
          '/dev/null',
          '-w',
          '%{http_code}',
          '-H',
          `host: ${name}.example`,
          'http://203.0.113.1:20080/',
        ),
      )
    return statuses.join(' ')
  }
  assert.equal(await got('limited'), '200 200 200 200 503 503', trouble())
  assert.equal(await got('free'), '200 200 200 200 200 200')
  await gateway.change([annotated({ 'plumb.network/limit-rpm': 'many' })])
  assert.match(gateway.module.findings.map(({ says }) => says).join(), /limit-rpm.*"many" is not a whole number/)
  await gateway.change([], [limited, free])
})
