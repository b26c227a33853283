import assert from 'node:assert/strict'
import { createServer } from 'node:https'
import { after, before, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { host } from '../agent/rig.fixture.ts'
import type { KubeObject } from '../objects/index.ts'
import { type Issued, issue, tlsSecretOf } from './authority.fixture.ts'
import { serviceOf, sliceOf } from './gateway-objects.fixture.ts'
import { ingressOf, plumbClass } from './ingress-objects.fixture.ts'
import { GatewayRig } from './rig.fixture.ts'

let gateway: GatewayRig
let authority: Issued
let stranger: Issued
let closePod: () => void

before(async () => {
  authority = await issue('CN=Authority', { isAuthority: true })
  stranger = await issue('CN=Stranger', { isAuthority: true })
  const pod = await issue('CN=pod', { by: authority, names: ['pod.example'] })
  gateway = new GatewayRig()
  const [one] = gateway.rig.backends
  const options = { key: pod.key, cert: pod.cert, ca: authority.cert, requestCert: true, rejectUnauthorized: false }
  const server = createServer(options, ({ socket }, answer) => {
    const { authorized, getPeerCertificate } = socket as TLSSocket
    const { subject } = getPeerCertificate.call(socket)
    answer
      .setHeader('connection', 'close')
      .end(`${subject?.CN ?? 'nobody'} ${authorized} ${(socket as never as { servername: string }).servername}`)
  }).listen({ fd: host.listenTcp(one.namespace, one.addresses[4], 8001).fd })
  closePod = () => server.close()
  await gateway.change([plumbClass, serviceOf('pod'), sliceOf('pod', 8001, one)])
})
after(() => {
  closePod()
  return gateway.close()
})

const secretOf = (name: string, shown: Issued | undefined, by: Issued | undefined): KubeObject => {
  const { data, ...rest } = tlsSecretOf(name, shown ?? authority) as never as { data: object }
  const ca = by && { 'ca.crt': Buffer.from(by.cert).toString('base64') }
  return { ...rest, type: 'Opaque', data: { ...(shown && data), ...ca } } as never
}

test('TLS to pods of an Ingress: a certificate is shown and renewed without a reload, theirs is checked by name and authority', async () => {
  const shown = await issue('CN=gateway', { by: authority })
  const asking = (name: string, annotations: Record<string, string>) =>
    ingressOf(name, `${name}.example`, { 'backend-protocol': 'HTTPS', ...annotations }, 'pod')
  const checked = { 'proxy-ssl-verify': 'on', 'proxy-ssl-name': 'pod.example' }
  const objects = [
    secretOf('both', shown, authority),
    secretOf('other', undefined, stranger),
    secretOf('shown', shown, undefined),
    asking('plain', {}),
    asking('both', { 'proxy-ssl-secret': 'ns/both', ...checked }),
    asking('shown', { 'proxy-ssl-secret': 'shown', 'proxy-ssl-name': 'sni.example' }),
    asking('named', { 'proxy-ssl-secret': 'both', ...checked, 'proxy-ssl-name': 'other.example' }),
    asking('stranger', { 'proxy-ssl-secret': 'other', ...checked }),
    asking('nameless', { 'proxy-ssl-secret': 'both', 'proxy-ssl-verify': 'on' }),
    asking('bare', checked),
    asking('lost', { 'proxy-ssl-secret': 'nobody' }),
    asking('elsewhere', { 'proxy-ssl-secret': 'else/both' }),
    asking('odd', { 'proxy-ssl-verify': 'perhaps' }),
    asking('half', { 'proxy-ssl-secret': 'shown', ...checked }),
  ]
  await gateway.change(objects)
  const ask = (name: string) =>
    gateway.curl('-w', ' %{http_code}', '-H', `host: ${name}.example`, 'http://203.0.113.1/')
  const trouble = `${gateway.log.lines.join('\n')}\n${JSON.stringify(gateway.module.findings)}`
  assert.match(await ask('plain'), /^nobody false \S+ 200$/, trouble)
  assert.equal(await ask('both'), 'gateway true pod.example 200', trouble)
  assert.equal(await ask('shown'), 'gateway true sni.example 200')
  for (const name of ['named', 'stranger']) assert.match(await ask(name), / 503$/, name)
  for (const name of ['nameless', 'bare', 'lost', 'elsewhere', 'odd', 'half'])
    assert.match(await ask(name), / 500$/, name)
  const { reloads } = gateway.module
  await gateway.change([secretOf('both', await issue('CN=renewed', { by: authority }), authority)])
  assert.equal(await ask('both'), 'renewed true pod.example 200', gateway.log.lines.join())
  assert.equal(gateway.module.reloads, reloads)
  await gateway.change([secretOf('both', undefined, authority)])
  assert.equal(await ask('both'), 'nobody false pod.example 200')
})
