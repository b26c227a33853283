import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:https'
import { after, before, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { host } from '../agent/rig.fixture.ts'
import type { KubeObject } from '../objects/index.ts'
import { gatewayClass, gatewayOf, routeOf, serviceOf, sliceOf, to } from './gateway-objects.fixture.ts'
import { GatewayRig, tlsSecret } from './rig.fixture.ts'

let gateway: GatewayRig
let server: Server
const http = { name: 'http', port: 80, protocol: 'HTTP' }
const secret = tlsSecret('pod', 'pod', 'pod.example', '*.wild.example', 'URI:spiffe://example/pod')
const [key, cert] = ['tls.key', 'tls.crt'].map((name) => Buffer.from(secret.data[name]!, 'base64').toString())
const shown = tlsSecret('shown', 'gateway', 'gateway.example')

before(async () => {
  gateway = new GatewayRig()
  const [one] = gateway.rig.backends
  const ca = Buffer.from(shown.data['tls.crt']!, 'base64').toString()
  server = createServer({ key, cert, ca, requestCert: true, rejectUnauthorized: false }, (request, answer) => {
    const { servername, authorized } = request.socket as TLSSocket
    answer.end(`sni ${String(servername)} client ${authorized}`)
  })
  server.listen({ fd: host.listenTcp(one.namespace, one.addresses[4], 8443).fd })
  const bundle = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'ca', namespace: 'ns' },
    data: { 'ca.crt': cert },
  }
  const other = Buffer.from(tlsSecret('x', 'x', 'pod.example').data['tls.crt']!, 'base64').toString()
  await gateway.change([
    gatewayClass,
    ...gatewayOf('gw', [http]),
    serviceOf('pod'),
    sliceOf('pod', 8443, one),
    { ...bundle } as KubeObject,
    { ...bundle, metadata: { name: 'other', namespace: 'ns' }, data: { 'ca.crt': other } } as KubeObject,
    routeOf('HTTPRoute', 'web', [{ backendRefs: [to('pod')] }]),
  ])
})
after(async () => {
  server.closeAllConnections()
  server.close()
  await gateway.close()
})

/** What a request gets while the policy for the Service is this one. */
async function askWith(validation: object): Promise<string> {
  const policy = {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'BackendTLSPolicy',
    metadata: { name: 'pod', namespace: 'ns', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: {
      targetRefs: [{ group: '', kind: 'Service', name: 'pod' }],
      validation: { caCertificateRefs: [{ group: '', kind: 'ConfigMap', name: 'ca' }], ...validation },
    },
  }
  await gateway.change([policy as KubeObject])
  return gateway.curl('-w', ' %{http_code}', 'http://203.0.113.1:20080/')
}

const uri = (text: string) => ({ type: 'URI', uri: text })
const name = (text: string) => ({ type: 'Hostname', hostname: text })

test('TLS to pods: the name and the authority are checked, a policy that cannot be followed sends nothing', async () => {
  assert.equal(await askWith({ hostname: 'pod.example' }), 'sni pod.example client false 200', gateway.log.lines.join())
  assert.match(await askWith({ hostname: 'other.example' }), / 503$/)
  const authority = (ca: string) => ({ caCertificateRefs: [{ group: '', kind: 'ConfigMap', name: ca }] })
  assert.match(await askWith({ hostname: 'pod.example', ...authority('other') }), / 503$/)
  assert.match(await askWith({ hostname: 'pod.example', ...authority('none') }), / 500$/)
})

test('other names than the one that is sent: one of the list must be in the certificate, DNS or URI', async () => {
  const cases: [object[], boolean][] = [
    [[name('pod.example')], true],
    [[uri('spiffe://example/pod')], true],
    [[name('no.example'), uri('spiffe://example/pod')], true],
    [[name('a.wild.example')], true],
    [[name('a.b.wild.example')], false],
    [[name('no.example')], false],
    [[uri('spiffe://example/other')], false],
  ]
  for (const [subjectAltNames, isGood] of cases) {
    const said = await askWith({ hostname: 'sent.example', subjectAltNames })
    if (isGood) assert.equal(said, 'sni sent.example client false 200', JSON.stringify(subjectAltNames))
    else assert.match(said, / 502$/, JSON.stringify(subjectAltNames))
  }
})

test('the gateway shows its certificate where one is named', async () => {
  const backend = { clientCertificateRef: { name: 'shown' } }
  await gateway.change([shown, gatewayOf('gw', [http], { tls: { backend } })[0]!])
  assert.equal(await askWith({ hostname: 'pod.example' }), 'sni pod.example client true 200')
  const subjectAltNames = [uri('spiffe://example/pod')]
  assert.equal(await askWith({ hostname: 'sent.example', subjectAltNames }), 'sni sent.example client true 200')
})
