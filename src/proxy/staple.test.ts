import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { KubeObject } from '../objects/index.ts'
import { type Issued, issue, tlsSecretOf } from './authority.fixture.ts'
import { gatewayClass, gatewayOf, routeOf, serviceOf, sliceOf, to } from './gateway-objects.fixture.ts'
import { GatewayRig } from './rig.fixture.ts'
import { respond } from './staple.fixture.ts'

let gateway: GatewayRig
let authority: Issued
let responder: Issued
let leaf: Issued

before(async () => {
  authority = await issue('CN=Authority', { isAuthority: true })
  responder = await issue('CN=Responder', { by: authority, signsOcsp: true })
  leaf = await issue('CN=s.example', { by: authority, names: ['s.example'] })
  gateway = new GatewayRig()
  const [one] = gateway.rig.backends
  gateway.serve(one, 8001)
  const tls = { certificateRefs: [{ name: 'server' }] }
  await gateway.change([
    gatewayClass,
    ...gatewayOf('gw', [{ name: 'https', port: 443, protocol: 'HTTPS', hostname: 's.example', tls }]),
    routeOf('HTTPRoute', 'r', [{ backendRefs: [to('a')] }]),
    serviceOf('a'),
    sliceOf('a', 8001, one),
  ])
})
after(() => gateway.close())

/** The issuer is in `ca.crt` or, as `isChained`, in the chain. */
function secretOf(of: Issued, response?: string, isChained = false): KubeObject {
  const { data, ...secret } = tlsSecretOf(
    'server',
    isChained ? { ...of, cert: of.cert + authority.cert } : of,
  ) as never as {
    data: object
  }
  const issuer = isChained ? {} : { 'ca.crt': Buffer.from(authority.cert).toString('base64') }
  return { ...secret, data: { ...data, ...issuer, ...(response && { 'tls.ocsp-staple': response }) } } as never
}

/** What openssl is told about the certificate: until when, `none`, or `closed` without TLS. */
async function stapled(): Promise<string> {
  const said = await gateway.run(
    'sh',
    '-c',
    'timeout 10 openssl s_client -connect 203.0.113.1:20443 -servername s.example -status < /dev/null 2>&1',
  )
  if (/OCSP response: no response sent/.test(said)) return 'none'
  assert.match(said, /Cert Status: good/, said + gateway.log.lines.join())
  return /Next Update: (.*)/.exec(said)?.[1] ?? 'closed'
}

const faults = (): string[] => gateway.module.findings.map(({ code, says }) => `${code}: ${says.split(': ')[1]}`)
/** Now or a minute ago: an hour may begin in between. */
const inHours = (hours: number): RegExp => {
  const times = [0, 60_000].map((ago) => new Date(Date.now() + hours * 3_600_000 - ago).toUTCString())
  return new RegExp(times.map((time) => time.replace(/^\w+, 0?(\d+) (\w+) \d+ (\d+):.*/, '$2 +$1 $3:')).join('|'))
}

test('what an OCSP responder said is shown to clients, renewed with and without the certificate, and never of another one', async () => {
  const serves = async (): Promise<void> => {
    const words = ['-k', '--connect-to', '::203.0.113.1:20443', 'https://s.example/']
    assert.equal(JSON.parse(await gateway.curl(...words)).from, 'backend-1:8001')
  }
  await gateway.change([secretOf(leaf)])
  assert.equal(await stapled(), 'none', gateway.log.lines.join())
  const { reloads } = gateway.module
  await gateway.change([secretOf(leaf, respond(leaf, authority))])
  assert.match(await stapled(), inHours(24), gateway.log.lines.join())
  await gateway.change([secretOf(leaf, respond(leaf, authority, { hours: 48, signer: responder }))])
  assert.match(await stapled(), inHours(48), 'by whom the issuer lets sign')
  assert.deepEqual(faults(), [])
  const renewed = await issue('CN=s.example', { by: authority, names: ['s.example'] })
  // The certificate is renewed before its response is.
  await gateway.change([secretOf(renewed, respond(leaf, authority))])
  assert.equal(await stapled(), 'none')
  assert.deepEqual(faults(), ['StapleInvalid: it is about another certificate'])
  await gateway.change([secretOf(renewed, respond(renewed, authority, { hours: 72 }), true)])
  assert.match(await stapled(), inHours(72), 'with the issuer in the chain')
  await serves()
  const stranger = await issue('CN=Authority', { isAuthority: true })
  const wrong: readonly (readonly [response: string, fault: string])[] = [
    ['/w==', 'it is no DER'],
    [respond(renewed, authority).slice(0, 200), 'it is not whole'],
    [respond(renewed, authority, { isRevoked: true }), 'it says that the certificate is revoked or unknown'],
    [respond(renewed, authority, { signer: stranger }), 'it is not signed by the issuer of the certificate'],
    [respond(renewed, authority, { signer: leaf }), 'it is not signed by the issuer of the certificate'],
  ]
  for (const [response, fault] of wrong) {
    await gateway.change([secretOf(renewed, response, true)])
    assert.deepEqual(faults(), [`StapleInvalid: ${fault}`])
    assert.match(await stapled(), inHours(72), 'the last good one goes on')
  }
  assert.equal(gateway.module.reloads, reloads, 'nothing of this is a reload')
})

test('one that has expired is shown to nobody, and keeps no reload from serving', async () => {
  const fresh = await issue('CN=s.example', { by: authority, names: ['s.example'] })
  await gateway.change([secretOf(fresh, respond(fresh, authority))])
  assert.match(await stapled(), inHours(24))
  await gateway.change([secretOf(fresh, respond(fresh, authority, { hours: -24 }))])
  assert.deepEqual(faults(), [])
  // A listener more is a reload.
  const tls = { certificateRefs: [{ name: 'server' }] }
  const https = { protocol: 'HTTPS', hostname: 's.example', tls }
  await gateway.change(
    gatewayOf('gw', [
      { name: 'https', port: 443, ...https },
      { name: 'more', port: 8443, ...https },
    ]),
  )
  assert.equal(await stapled(), 'none', gateway.log.lines.join())
})
