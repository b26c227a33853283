import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { KubeObject } from '../objects/index.ts'
import { gatewayClass, gatewayOf, routeOf, serviceOf, sliceOf, to } from './gateway-objects.fixture.ts'
import { ingressOf, plumbClass } from './ingress-objects.fixture.ts'
import { exchange } from './raw-clients.fixture.ts'
import { GatewayRig, tlsSecret } from './rig.fixture.ts'

let gateway: GatewayRig

before(async () => {
  gateway = new GatewayRig()
  const [one, two] = gateway.rig.backends
  for (const station of [one, two]) gateway.serve(station, 8001)
  const slow = gateway.serve(one, 8002)
  slow.removeAllListeners('request')
  slow.on('request', (_, answer) => held.push(() => answer.end('{"from":"held"}')))
  const objects = [
    plumbClass,
    serviceOf('a'),
    sliceOf('a', 8001, one, two),
    serviceOf('slow'),
    sliceOf('slow', 8002, one),
  ]
  await gateway.change(objects)
})
after(() => gateway.close())
const held: (() => void)[] = []

const get = (host: string, path = '/', more = ''): string => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`
const trouble = (): string => `${gateway.log.lines.join('\n')}\n${JSON.stringify(gateway.module.findings)}`

test('limit-rps and limit-rpm: a burst passes, more is 503 and told why; other clients and other Ingresses have their own', async () => {
  const client = gateway.rig.outsider.addresses[4]
  await gateway.serving(
    [
      ingressOf('rpm', 'rpm.example', { 'limit-rpm': '2', 'limit-burst-multiplier': '3' }, 'a'),
      ingressOf('rps', 'rps.example', { 'limit-rps': '1' }, 'a'),
      ingressOf('free', 'free.example', { 'limit-rpm': '1', 'limit-allowlist': `10.0.0.0/8,${client}` }, 'a'),
    ],
    async () => {
      const count = async (host: string, times: number): Promise<number[]> => {
        const socket = gateway.connect(80)
        const seen: number[] = []
        for (let n = 0; n < times; n++) seen.push((await exchange(socket, get(host))).status ?? 0)
        socket.destroy()
        return seen
      }
      const of = (status: number, times: number): number[] => Array.from({ length: times }, () => status)
      assert.deepEqual(await count('rpm.example', 10), [...of(200, 8), 503, 503], trouble())
      assert.deepEqual(await count('rps.example', 7), [...of(200, 6), 503])
      assert.deepEqual(await count('free.example', 20), of(200, 20))
      const said = await gateway.curl('-i', '-H', 'host: rpm.example', 'http://203.0.113.1/')
      assert.match(said, /^HTTP\/1.1 503 /)
      assert.match(said, /proxy-status: plumb; error=http_request_denied; details="too many requests"/i)
      assert.match(said, /x-request-id: \S+/i)
    },
  )
})

test('limit-connections: more requests under way than allowed are 503, until one is over', async () => {
  await gateway.serving([ingressOf('few', 'few.example', { 'limit-connections': '2' }, 'slow')], async () => {
    const under = [exchange(gateway.connect(80), get('few.example')), exchange(gateway.connect(80), get('few.example'))]
    while (held.length < 2) await new Promise(setImmediate)
    const refused = await exchange(gateway.connect(80), get('few.example'))
    assert.equal(refused.status, 503, trouble())
    assert.match(refused.head ?? '', /details="too many requests under way"/)
    for (const release of held.splice(0)) release()
    assert.deepEqual(
      (await Promise.all(under)).map(({ status }) => status),
      [200, 200],
    )
    const next = exchange(gateway.connect(80), get('few.example'))
    while (held.length < 1) await new Promise(setImmediate)
    held.pop()!()
    assert.equal((await next).status, 200)
  })
})

test('limits of a Gateway: what comes in at all its ports counts together, whoever it is for; streams are closed', async () => {
  const listeners = [
    { name: 'http', port: 80, protocol: 'HTTP' },
    { name: 'tcp', port: 90, protocol: 'TCP' },
    { name: 'tls', port: 443, protocol: 'HTTPS', hostname: 'web.example', tls: { certificateRefs: [{ name: 'web' }] } },
    { name: 'passed', port: 443, protocol: 'TLS', hostname: 'passed.example', tls: { mode: 'Passthrough' } },
  ]
  const limited = (annotations: Record<string, string>): KubeObject[] => {
    const [object, service] = gatewayOf('gw', listeners)
    const prefixed = Object.entries(annotations).map(([name, value]) => [`plumb.network/${name}`, value])
    return [{ ...object!, metadata: { ...object!.metadata, annotations: Object.fromEntries(prefixed) } }, service!]
  }
  const parent = (sectionName: string) => ({ parent: { name: 'gw', sectionName } })
  const objects = [
    gatewayClass,
    ...limited({ 'limit-rpm': '1', 'limit-burst-multiplier': '7' }),
    tlsSecret('web', 'web.example', 'web.example'),
    routeOf('HTTPRoute', 'web', [{ matches: [{ path: { type: 'Exact', value: '/a' } }], backendRefs: [to('a')] }]),
    routeOf('TCPRoute', 'raw', [{ backendRefs: [to('a')] }], parent('tcp')),
    routeOf('TLSRoute', 'passed', [{ backendRefs: [to('a')] }], { ...parent('passed'), hostnames: ['passed.example'] }),
  ]
  await gateway.serving(objects, async () => {
    const ask = async (port: number, path: string): Promise<number | string> => {
      const { status, failure } = await exchange(gateway.connect(port), get('web.example', path))
      return status ?? failure ?? 'closed'
    }
    const shake = (name: string): Promise<string> =>
      gateway.curl(
        '-k',
        '--connect-to',
        `${name}:443:203.0.113.1:20443`,
        '-o',
        '/dev/null',
        '-w',
        '%{http_code}',
        `https://${name}/a`,
      )
    assert.deepEqual([await ask(20_080, '/a'), await ask(20_080, '/none')], [200, 404], trouble())
    assert.equal(await shake('web.example'), '200', trouble())
    // Pods answer TLS by an error; what counts is that they were asked.
    assert.equal(await shake('passed.example'), '000')
    for (let n = 0; n < 4; n++) assert.equal(await ask(20_090, '/'), 200)
    assert.deepEqual(
      [await ask(20_080, '/a'), await ask(20_080, '/none'), await shake('web.example')],
      [503, 503, '503'],
    )
    assert.notEqual(await ask(20_090, '/'), 200)
    const counted = (state: string) => gateway.module.flows({}).flows.filter((flow) => flow.state === state).length
    while (counted('PR') < 1) await new Promise(setImmediate)
    assert.equal(await shake('passed.example'), '000')
    while (counted('PR') < 2) await new Promise(setImmediate)
    await gateway.change(limited({ 'limit-rpm': 'many' }))
    assert.deepEqual(
      gateway.module.findings.map(({ code, object }) => [code, object]),
      [['AnnotationInvalid', 'gateway/ns/gw']],
    )
    assert.equal(await ask(20_080, '/a'), 200)
  })
})

test('upstream-hash-by keeps equal requests with one pod, and different ones are spread; load-balance is taken', async () => {
  await gateway.serving(
    [
      ingressOf('uri', 'uri.example', { 'upstream-hash-by': '$request_uri' }, 'a'),
      ingressOf('header', 'header.example', { 'upstream-hash-by': '$http_x_user' }, 'a'),
      ingressOf('ewma', 'ewma.example', { 'load-balance': 'ewma' }, 'a'),
    ],
    async () => {
      const from = async (host: string, path: string, more = ''): Promise<string> =>
        /"from":"([^"]*)"/.exec((await exchange(gateway.connect(80), get(host, path, more))).body ?? '')?.[1] ?? ''
      const seen = new Set<string>()
      for (let n = 0; n < 20; n++) {
        const first = await from('uri.example', `/${n}`)
        assert.equal(await from('uri.example', `/${n}`), first, trouble())
        const named = await from('header.example', '/', `x-user: ${n}\r\n`)
        assert.equal(await from('header.example', `/${n}`, `x-user: ${n}\r\n`), named)
        seen.add(first).add(named)
      }
      assert.equal(seen.size, 2)
      assert.match(await from('ewma.example', '/'), /^backend-/)
      assert.deepEqual(gateway.module.findings, [])
    },
  )
})

test('proxy-next-upstream: another pod is asked for codes that it names, not for a POST, and never with off', async () => {
  const [one, two] = gateway.rig.backends
  for (const [station, status] of [
    [one, 200],
    [two, 500],
  ] as const) {
    const server = gateway.serve(station, 8003)
    server.removeAllListeners('request')
    server.on('request', (asked, answer) => {
      asked.resume()
      answer.writeHead(status).end(`{"from":"${station.name}"}`)
    })
  }
  await gateway.serving(
    [
      serviceOf('half'),
      sliceOf('half', 8003, one, two),
      ingressOf(
        'next',
        'next.example',
        { 'proxy-next-upstream': 'error http_500', 'proxy-connect-timeout': '2' },
        'half',
      ),
      ingressOf('off', 'off.example', { 'proxy-next-upstream': 'off' }, 'half'),
    ],
    async () => {
      const statuses = async (host: string, method = 'GET'): Promise<number[]> => {
        const seen: number[] = []
        for (let n = 0; n < 4; n++) {
          const request = get(host).replace('GET', method).replace('\r\n\r\n', '\r\nContent-Length: 0\r\n\r\n')
          seen.push((await exchange(gateway.connect(80), request)).status ?? 0)
        }
        return seen.sort()
      }
      assert.deepEqual(await statuses('next.example'), [200, 200, 200, 200], trouble())
      assert.deepEqual(await statuses('next.example', 'POST'), [200, 200, 500, 500])
      assert.deepEqual(await statuses('off.example'), [200, 200, 500, 500])
    },
  )
})

test('proxy-body-size: what is announced as too long is not begun, and of the rest no more than allowed is passed on', async () => {
  const [one] = gateway.rig.backends
  const seen: number[] = []
  const server = gateway.serve(one, 8004)
  server.removeAllListeners('request')
  server.on('request', (asked, answer) => {
    let bytes = 0
    asked.on('data', (data: Buffer) => (bytes += data.length))
    asked.on('end', () => {
      seen.push(bytes)
      answer.end('{"from":"whole"}')
    })
  })
  await gateway.serving(
    [
      serviceOf('body'),
      sliceOf('body', 8004, one),
      ingressOf('body', 'body.example', { 'proxy-body-size': '100k' }, 'body'),
    ],
    async () => {
      const post = (bytes: number, ...words: string[]): Promise<string> => {
        const file = join(gateway.directory, 'body')
        writeFileSync(file, 'x'.repeat(bytes))
        const given = ['-H', 'host: body.example', '-H', 'expect:', '--data-binary', `@${file}`]
        return gateway.curl('-i', ...given, ...words, 'http://203.0.113.1/')
      }
      const chunked = ['-H', 'transfer-encoding: chunked']
      for (const words of [[], chunked]) {
        assert.match(await post(102_400, ...words), /^HTTP\/\S+ 200/, `${words} ${trouble()}`)
        const said = await post(102_401, ...words)
        assert.match(said, /^HTTP\/\S+ 413/, words.join(' '))
        assert.match(said, /proxy-status: plumb; error=http_request_denied; details="the body is too long"/i)
        assert.match(said, /x-request-id: \S/i)
      }
      const http2 = '--http2-prior-knowledge'
      assert.match(await post(102_400, http2), /^HTTP\/2 200/)
      assert.doesNotMatch(await post(102_401, http2), /^HTTP\/2 200/)
      assert.match(await post(3_000_000, ...chunked), /^HTTP\/\S+ 413/)
      assert.deepEqual(new Set(seen), new Set([102_400]))
    },
  )
})
