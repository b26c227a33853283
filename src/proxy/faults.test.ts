import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as pause, setImmediate } from 'node:timers/promises'
import type { Station } from '../agent/rig.fixture.ts'
import type { Ingress } from '../gateways/index.ts'
import type { EndpointSlice, KubeObject, Service } from '../objects/index.ts'
import { GatewayRig, rsaTlsSecret, tlsSecret } from './rig.fixture.ts'

let gateway: GatewayRig
const path = process.env.PATH
const ourClass = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IngressClass',
  metadata: { name: 'plumb' },
  spec: { controller: 'plumb.network/gateway' },
}

before(() => {
  gateway = new GatewayRig()
  for (const station of gateway.rig.backends) gateway.serve(station, 8001)
})
after(async () => {
  process.env.PATH = path
  await gateway.close()
})

function service(name: string): Service {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'ns' }, spec: { ports: [{ port: 80 }] } }
}

function slice(name: string, { addresses }: Station): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace: 'ns', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [addresses[4]], conditions: { ready: true } }],
    ports: [{ name: '', port: 8001, protocol: 'TCP' }],
  }
}

function ingress(name: string, host: string, service: string, secretName?: string): Ingress & KubeObject {
  const backend = { service: { name: service, port: { number: 80 } } }
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name, namespace: 'ns', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: {
      ingressClassName: 'plumb',
      rules: [{ host, http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }],
      ...(secretName === undefined ? {} : { tls: [{ hosts: [host], secretName }] }),
    },
  }
}

const codes = (): string[] => gateway.module.findings.map(({ code }) => code)
/** The same with backends that HAProxy takes by a reload only. */
function impatient(one: KubeObject): KubeObject {
  return { ...one, metadata: { ...one.metadata, annotations: { 'plumb.network/proxy-connect-timeout': '9' } } }
}

const logged = (text: string): number => gateway.log.lines.filter((line) => line.includes(text)).length

/** A good leaf and its key, followed by what is no certificate. */
function brokenChain(name: string, host: string): KubeObject {
  const secret = tlsSecret(name, host, host)
  const chain = Buffer.from(secret.data['tls.crt']!, 'base64').toString()
  const broken = `${chain}-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n`
  return { ...secret, data: { ...secret.data, 'tls.crt': Buffer.from(broken).toString('base64') } } as KubeObject
}

/** Everything on disk that a start would read. */
function files(): Record<string, string> {
  const names = readdirSync(gateway.directory).filter((name) => /\.(cfg|map|list|pem)$/.test(name))
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(gateway.directory, name), 'utf8')]))
}

/** What HAProxy was told by commands is written down a little later. */
async function untilWritten(isSo: (now: Record<string, string>) => boolean): Promise<void> {
  for (let tries = 0; !isSo(files()); tries++) {
    assert.ok(tries < 500, 'it is never written down')
    await pause(20)
  }
}

test('without HAProxy on the machine it is told once, and it serves when it is there', async () => {
  process.env.PATH = '/nonexistent'
  const [one] = gateway.rig.backends
  await gateway.change([ourClass, service('a'), slice('a', one), ingress('web', 'a.example', 'a')])
  assert.deepEqual(codes(), ['HaproxyMissing'])
  assert.equal(gateway.module.findings[0]?.says, 'haproxy is not installed: apt-get install -y haproxy')
  for (const host of ['b.example', 'c.example', 'a.example']) await gateway.change([ingress('web', host, 'a')])
  assert.equal(gateway.module.pid, undefined)
  assert.equal(logged('haproxy is not installed'), 1, gateway.log.lines.join('\n'))
  assert.equal(gateway.log.lines.length, 1, gateway.log.lines.join('\n'))
  assert.equal(existsSync(join(gateway.directory, 'haproxy.cfg')), false, 'nothing unchecked is on disk')
  process.env.PATH = path
  await gateway.change([ingress('web', 'a.example', 'a'), service('b')])
  assert.equal((await gateway.ask('a.example', '/')).from, 'backend-1:8001', gateway.log.lines.join('\n'))
  assert.deepEqual(codes(), [])
})

/** A HAProxy that refuses every configuration with this word in it. */
function refusing(word: string, isPlaced = false): { close(): void } {
  const directory = mkdtempSync(join(tmpdir(), 'plumb-refusing-'))
  const place = isPlaced ? `parsing [$3:$(grep -n '${word}' "$3" | head -1 | cut -d: -f1)]: ` : ''
  const says = `echo "[ALERT] (1) : config : ${place}\\"${word}\\" is refused" >&2`
  const script = `#!/bin/sh\nPATH='${path}'\n[ "$1" = -c ] && grep -q '${word}' "$3" && { ${says}; exit 1; }\nexec haproxy "$@"\n`
  writeFileSync(join(directory, 'haproxy'), script, { mode: 0o755 })
  process.env.PATH = `${directory}:${path}`
  return {
    close() {
      process.env.PATH = path
      rmSync(directory, { recursive: true })
    },
  }
}

test('a chain that is broken behind its first certificate costs its own host the certificate, and nobody else anything', async () => {
  const [one] = gateway.rig.backends
  const chain = ingress('chain', 'chain.example', 'a', 'chain')
  await gateway.change([chain, brokenChain('chain', 'chain.example'), slice('b', one)])
  assert.deepEqual(codes(), ['SecretInvalid'], gateway.log.lines.join('\n'))
  assert.equal((await gateway.ask('chain.example', '/')).from, 'backend-1:8001')
  await gateway.change([tlsSecret('chain', 'chain.example', 'chain.example')])
  assert.deepEqual(codes(), [])
  await untilWritten((now) => now['ns:chain.pem'] !== undefined)
  await gateway.change([], [chain])
  assert.equal(files()['ns:chain.pem'], undefined, 'a certificate that nobody names is no longer on disk')
})

test('what HAProxy refuses never is on disk: the one before serves, follows its pods, and comes back after a crash', async () => {
  const [one, two] = gateway.rig.backends
  const before = files()
  const { pid } = gateway.module
  const refusal = refusing('ns:b:80')
  const weak = impatient(ingress('weak', 'weak.example', 'b', 'weak'))
  await gateway.change([weak, tlsSecret('weak', 'weak.example', 'weak.example'), slice('b', one)])
  assert.deepEqual(codes(), ['GatewayRefused'], gateway.log.lines.join('\n'))
  assert.match(gateway.module.findings[0]!.says, /the one before goes on serving: .*"ns:b:80" is refused/)
  assert.deepEqual(files(), before)
  assert.equal(existsSync(join(gateway.directory, 'next')), false)
  assert.equal((await gateway.ask('a.example', '/')).from, 'backend-1:8001')

  await gateway.change([slice('a', two)])
  assert.equal((await gateway.ask('a.example', '/')).from, 'backend-2:8001')
  await gateway.change([service('c')])
  assert.equal(logged('the configuration of the gateways is refused'), 1, gateway.log.lines.join('\n'))
  assert.equal(gateway.module.pid, pid)

  process.kill(pid!, 'SIGKILL')
  while (gateway.module.pid === pid || gateway.module.pid === undefined) await setImmediate()
  let from = ''
  while (from === '') {
    await setImmediate()
    from = await gateway.ask('a.example', '/').then(
      (answer) => answer.from,
      () => '',
    )
  }
  assert.equal(from, 'backend-2:8001')

  refusal.close()
  await gateway.change([service('d')])
  assert.deepEqual(codes(), [])
  assert.equal((await gateway.ask('weak.example', '/')).from, 'backend-1:8001')
  assert.equal(gateway.module.findings.length, 0)
})

test('a key that OpenSSL finds too short costs its own Ingress the certificate and nobody else anything', async () => {
  await gateway.change([rsaTlsSecret('weak', 'weak.example', 1024)])
  assert.deepEqual(codes(), ['SecretInvalid'])
  assert.match(gateway.module.findings[0]!.says, /secret\/ns\/weak has 1024 bits/)
  assert.equal((await gateway.ask('a.example', '/')).from, 'backend-2:8001')
  await gateway.change([rsaTlsSecret('weak', 'weak.example', 2048)])
  assert.deepEqual(codes(), [], gateway.log.lines.join('\n'))
})

const toldOf = (kind: string) =>
  gateway.told.filter((one) => (one as KubeObject).kind === kind) as {
    reason: string
    involvedObject: KubeObject['metadata'] & { kind: string }
  }[]

/** What the Node says is refused, as it was written last. */
async function refusedAtNode(): Promise<string> {
  await setImmediate()
  const patches = gateway.told.filter((one) => (one as KubeObject).kind === undefined) as KubeObject[]
  return String(patches.at(-1)?.metadata.annotations?.['plumb.network/gateway-refused'])
}

test('what HAProxy refuses costs its own object alone its routes: what came with it serves at once', async () => {
  const [one] = gateway.rig.backends
  const refusal = refusing('backend ns:bad:', true)
  const good = [service('good'), slice('good', one), ingress('good', 'good.example', 'good')]
  await gateway.change([service('bad'), slice('bad', one), impatient(ingress('bad', 'bad.example', 'bad')), ...good])
  assert.deepEqual(
    gateway.module.findings.map(({ code, object }) => [code, object]),
    [['GatewayRefused', 'ingress/ns/bad']],
    gateway.log.lines.join('\n'),
  )
  assert.equal((await gateway.ask('good.example', '/')).from, 'backend-1:8001')
  assert.equal((await gateway.ask('bad.example', '/')).status, 404)
  assert.equal((await gateway.ask('a.example', '/')).from, 'backend-2:8001')
  const { reloads } = gateway.module
  await gateway.change([ingress('good', 'better.example', 'good')])
  assert.equal((await gateway.ask('better.example', '/')).from, 'backend-1:8001')
  assert.equal(gateway.module.reloads, reloads, 'others change without a reload meanwhile')
  assert.equal(logged('HAProxy refuses what ingress/ns/bad asks for'), 1)
  const events = () =>
    toldOf('Event').map(({ reason, involvedObject }) => [reason, involvedObject.kind, involvedObject.name])
  assert.deepEqual(events(), [['GatewayRefused', 'Ingress', 'bad']])
  assert.match(await refusedAtNode(), /^\{"ingress\/ns\/bad":"HAProxy refuses what/)
  await gateway.change([ingress('bad', 'bad.example', 'good')])
  assert.deepEqual(codes(), [])
  assert.equal(await refusedAtNode(), 'null')
  assert.equal((await gateway.ask('bad.example', '/')).from, 'backend-1:8001')
  refusal.close()
  await gateway.change([], [ingress('bad', 'bad.example', 'good'), ingress('good', 'better.example', 'good')])
})

test('a fault in making the configuration is a refusal too, of its own object', async () => {
  await untilWritten((now) => !now['hosts.map']!.includes('better.example'))
  const before = files()
  // No API server lets this name pass; no section can have it.
  const hostile = 'x\n    server evil 203.0.113.66:80\nbackend y'
  await gateway.change([service(hostile), ingress('hostile', 'hostile.example', hostile)])
  assert.deepEqual(codes(), ['GatewayRefused'])
  assert.match(gateway.module.findings[0]!.says, /is no (name|value) of a/)
  assert.equal(gateway.module.findings[0]!.object, 'ingress/ns/hostile')
  assert.deepEqual(files(), before)
  assert.equal((await gateway.ask('a.example', '/')).from, 'backend-2:8001')
  await gateway.change([], [ingress('hostile', 'hostile.example', hostile)])
  assert.deepEqual(codes(), [])
})
