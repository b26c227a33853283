import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { after, before, test } from 'node:test'
import type { KubeObject } from '../objects/index.ts'
import { type Issued, issue, tlsSecretOf } from './authority.fixture.ts'
import { gatewayClass, gatewayOf, routeOf, serviceOf, sliceOf, to } from './gateway-objects.fixture.ts'
import { GatewayRig } from './rig.fixture.ts'

let gateway: GatewayRig
const httpsOf = (name: string, port: number, more: object = {}) => ({
  name,
  port,
  protocol: 'HTTPS',
  hostname: `${name}.example`,
  tls: { certificateRefs: [{ name, ...more }] },
})

before(async () => {
  gateway = new GatewayRig()
  const [one, two] = gateway.rig.backends
  gateway.serve(one, 8001)
  gateway.serve(two, 8002)
  const slices = [sliceOf('a', 8001, one), sliceOf('b', 8002, two)]
  await gateway.change([gatewayClass, serviceOf('a'), serviceOf('b'), ...slices])
})
after(() => gateway.close())

const trouble = (): string => `${gateway.log.lines.join('\n')}\n${JSON.stringify(gateway.module.findings)}`
const says = (): string[] => gateway.module.findings.map(({ code, says }) => `${code}: ${says}`)

/** The pod that answers by HTTPS. */
async function podOf(name: string): Promise<string> {
  const said = await gateway.curl('-k', '--connect-to', '::203.0.113.1:20443', `https://${name}.example/`)
  return said === '' ? '' : (JSON.parse(said).from as string)
}

/** The serial number of the certificate that is shown; empty where none is. */
async function serialOf(name: string): Promise<string> {
  const command = `timeout 10 openssl s_client -connect 203.0.113.1:20443 -servername ${name}.example < /dev/null 2>/dev/null`
  const pem = /-----BEGIN CERTIFICATE-----[\s\S]+-----END CERTIFICATE-----/.exec(await gateway.run('sh', '-c', command))
  return pem === null ? '' : new X509Certificate(pem[0]).serialNumber
}

const serialIn = ({ cert }: Issued): string => new X509Certificate(cert).serialNumber

test('a certificate that is renewed wrongly: the one before goes on until it is put right, and nobody else notices', async () => {
  const [good, other] = [await issue('CN=s', { names: ['s.example'] }), await issue('CN=t', { names: ['t.example'] })]
  const secret = (of: Issued) => tlsSecretOf('s', of)
  const listeners = [httpsOf('s', 443), httpsOf('t', 443)]
  const routes = ['s', 't'].map((name) =>
    routeOf('HTTPRoute', name, [{ backendRefs: [to(name === 's' ? 'a' : 'b')] }], { hostnames: [`${name}.example`] }),
  )
  await gateway.change([secret(good), tlsSecretOf('t', other), ...gatewayOf('gw', listeners), ...routes])
  assert.deepEqual([await podOf('s'), await podOf('t')], ['backend-1:8001', 'backend-2:8002'], trouble())
  const { reloads } = gateway.module
  const wrong: [Issued, RegExp][] = [
    [{ ...good, key: other.key }, /tls.key of secret\/ns\/s is not the key of tls.crt; the certificate before goes on/],
    [{ ...good, cert: good.cert.slice(0, 300) }, /no readable tls.crt and tls.key/],
    [{ ...good, key: good.key.slice(0, 100) }, /no readable tls.crt and tls.key/],
    [{ ...good, cert: '' }, /tls.crt has no certificate/],
  ]
  for (const [half, fault] of wrong) {
    await gateway.change([secret(half)])
    assert.equal(says().length, 1, trouble())
    assert.match(says()[0]!, fault)
    assert.deepEqual(
      [await serialOf('s'), await podOf('s'), await podOf('t')],
      [serialIn(good), 'backend-1:8001', 'backend-2:8002'],
    )
  }
  // An expired one is what it says: clients judge it.
  const expired = await issue('CN=s', { names: ['s.example'], days: -1 })
  await gateway.change([secret(expired)])
  assert.deepEqual([says(), await serialOf('s')], [[], serialIn(expired)])
  await gateway.change([secret({ ...expired, key: other.key })])
  await gateway.change([secret(good)])
  assert.deepEqual([says(), await podOf('s')], [[], 'backend-1:8001'])
  assert.equal(gateway.module.reloads, reloads)
  await gateway.change([], [secret(good)])
  assert.deepEqual(
    [await serialOf('s'), await podOf('t')],
    ['', 'backend-2:8002'],
    'a Secret that is gone is meant to be gone',
  )
  await gateway.change([], [...gatewayOf('gw', listeners), ...routes])
})

test('what another namespace has not granted is not reached: a Secret, a Service', async () => {
  const elsewhere = (one: KubeObject, name = one.metadata.name): KubeObject => ({
    ...one,
    metadata: { ...one.metadata, name, namespace: 'other' },
  })
  const grant = (from: string, kind: string) =>
    ({
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'ReferenceGrant',
      metadata: { name: kind.toLowerCase(), namespace: 'other' },
      spec: { from: [{ group: 'gateway.networking.k8s.io', kind: from, namespace: 'ns' }], to: [{ group: '', kind }] },
    }) as never as KubeObject
  const certificate = await issue('CN=s', { names: ['s.example'] })
  const [one] = gateway.rig.backends
  const service = elsewhere(serviceOf('theirs'))
  const slice = elsewhere(sliceOf('theirs', 8001, one))
  const route = routeOf('HTTPRoute', 's', [{ backendRefs: [to('theirs', { namespace: 'other' })] }])
  const objects = [
    elsewhere(tlsSecretOf('s', certificate)),
    service,
    slice,
    ...gatewayOf('gw', [httpsOf('s', 443, { namespace: 'other' }), { name: 'http', port: 80, protocol: 'HTTP' }]),
    route,
  ]
  await gateway.change(objects)
  const status = () =>
    gateway.curl('-o', '/dev/null', '-w', '%{http_code}', '-H', 'host: s.example', 'http://203.0.113.1:20080/')
  assert.deepEqual([await serialOf('s'), await status()], ['', '500'], trouble())
  await gateway.change([grant('HTTPRoute', 'Service')])
  assert.deepEqual([await serialOf('s'), await status()], ['', '200'])
  await gateway.change([grant('Gateway', 'Secret')])
  assert.equal(await podOf('s'), 'backend-1:8001', trouble())
  await gateway.change([], [grant('Gateway', 'Secret'), grant('HTTPRoute', 'Service')])
  assert.deepEqual([await serialOf('s'), await status()], ['', '500'], 'taken back at once')
  await gateway.change([], objects)
})

test('conflicts: two listeners for one host and port are none, of two routes for one match the older has it; redirects in a circle are the client’s', async () => {
  const http = (name: string, hostname: string) => ({ name, port: 80, protocol: 'HTTP', hostname })
  const route = (name: string, service: string, created: string, more: object = {}) =>
    routeOf('HTTPRoute', name, [{ backendRefs: [to(service)] }], { created, hostnames: ['s.example'], ...more })
  const ask = (...words: readonly string[]) =>
    gateway.curl('-H', 'host: s.example', ...words, 'http://203.0.113.1:20080/')
  const pod = async () => JSON.parse(await ask()).from as string
  const gateways = gatewayOf('gw', [http('first', 's.example'), http('second', 's.example')])
  await gateway.change([
    ...gateways,
    route('young', 'b', '2026-02-01T00:00:00Z'),
    route('old', 'a', '2026-01-01T00:00:00Z'),
  ])
  assert.equal(
    await ask('-o', '/dev/null', '-w', '%{http_code}'),
    '000',
    'neither of two conflicted listeners is served',
  )
  const single = gatewayOf('gw', [http('first', 's.example')])
  await gateway.change(single)
  assert.equal(await pod(), 'backend-1:8001', trouble())
  await gateway.change([], [route('old', 'a', '')])
  assert.equal(await pod(), 'backend-2:8002')
  const redirect = (path: string, target: string) => ({
    matches: [{ path: { type: 'PathPrefix', value: path } }],
    filters: [
      { type: 'RequestRedirect', requestRedirect: { path: { type: 'ReplaceFullPath', replaceFullPath: target } } },
    ],
  })
  await gateway.change([
    routeOf('HTTPRoute', 'young', [redirect('/', '/there'), redirect('/there', '/')], { hostnames: ['s.example'] }),
  ])
  const said = await gateway.curl(
    '-L',
    '--max-redirs',
    '7',
    '-o',
    '/dev/null',
    '-w',
    '%{http_code} %{num_redirects}',
    '--connect-to',
    '::203.0.113.1:20080',
    'http://s.example/',
  )
  assert.equal(said, '302 7', 'each answer is one of its own')
  await gateway.change([route('young', 'b', '2026-02-01T00:00:00Z')])
  assert.equal(await pod(), 'backend-2:8002')
})
