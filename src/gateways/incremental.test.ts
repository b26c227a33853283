import assert from 'node:assert/strict'
import { webcrypto } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { keyOf } from '../cluster/index.ts'
import type { Command, Server } from '../haproxy/index.ts'
import type { EndpointSlice, KubeObject, Service } from '../objects/index.ts'
import { ingress, ourClass, path, service, slice, sourcesOf } from './cluster.fixture.ts'
import {
  compileGatewayApi,
  compileGateways,
  compileServers,
  type GatewayApiState,
  GatewayApiStates,
  Gateways,
  gatewayStatuses,
  type LoweredGateway,
  lowerGateway,
  nameBackends,
  planGateway,
  policyStatuses,
  routeStatuses,
  type Sources,
} from './index.ts'
import type { Ingress } from './ingress.ts'
import { entriesOf } from './lower-maps.ts'
import { freeSpares } from './lower-spares.ts'
import { mapPath } from './lower-words.ts'
import type { BackendModel, GatewayModel } from './model.ts'

const pairs = await Promise.all([makePair('one'), makePair('two')])

/** A certificate and its key in PEM. */
async function makePair(name: string): Promise<{ certificate: string; key: string }> {
  await import('reflect-metadata')
  const { PemConverter, X509CertificateGenerator } = await import('@peculiar/x509')
  const signingAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await webcrypto.subtle.generateKey(signingAlgorithm, true, ['sign', 'verify'])
  const certificate = await X509CertificateGenerator.createSelfSigned(
    { name: `CN=${name}`, keys, signingAlgorithm },
    webcrypto as never,
  )
  const key = PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY')
  return { certificate: certificate.toString('pem'), key }
}

const place = { directory: '/run/gateway', defaultCertificate: '', nowMs: 0 }
const api = { apiVersion: 'gateway.networking.k8s.io/v1' }
const created = { namespace: 'ns', creationTimestamp: '2026-01-01T00:00:00Z' }
const gatewayClass = {
  ...api,
  kind: 'GatewayClass',
  metadata: { name: 'plumb' },
  spec: { controllerName: 'plumb.network/gateway-controller' },
}
const apart = { namespaces: { from: 'Selector', selector: { matchLabels: { tier: 'web' } } } }
const listeners = [
  { name: 'any', port: 80, protocol: 'HTTP', allowedRoutes: { namespaces: { from: 'All' } } },
  { name: 'wide', port: 80, protocol: 'HTTP', hostname: '*.example' },
  { name: 'tcp', port: 90, protocol: 'TCP' },
  { name: 'chosen', port: 80, protocol: 'HTTP', hostname: 'y.example', allowedRoutes: apart },
  { name: 'tls', port: 443, protocol: 'HTTPS', hostname: 'x.example', tls: { certificateRefs: [{ name: 'tls' }] } },
  { name: 'passed', port: 443, protocol: 'TLS', hostname: 'z.example', tls: { mode: 'Passthrough' } },
]
const gateway = { ...api, kind: 'Gateway', metadata: { name: 'gw', ...created } }
const gatewayService = {
  ...service('gw-plumb'),
  spec: { ports: [80, 90, 443].map((port) => ({ name: `port-${port}`, port, targetPort: 20_000 + port })) },
} as Service

const names = fc.constantFrom('a', 'b', 'c')
const hosts = fc.constantFrom('x.example', '*.example', '*.x.example', 'other', '')
const paths = fc.constantFrom('/', '/x', '/x/y', '/x;y', '/x\\y<<')

const services = fc
  .tuple(names, fc.constantFrom(undefined, undefined, 'kubernetes.io/h2c'))
  .map(([name, spoken]) => service(name, spoken))
const farServices = names.map((name) => {
  const one = service(name)
  return { ...one, metadata: { ...one.metadata, namespace: 'far' } }
})
const slices = fc
  .tuple(names, fc.uniqueArray(fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3'), { maxLength: 3 }))
  .map(([name, addresses]) => slice(name, addresses))
const annotations = fc.constantFrom<Record<string, string>[]>(
  {},
  {},
  { 'nginx.ingress.kubernetes.io/rewrite-target': '/to' },
  { 'nginx.ingress.kubernetes.io/canary': 'true', 'nginx.ingress.kubernetes.io/canary-weight': '30' },
  { 'nginx.ingress.kubernetes.io/server-alias': 'alias.example' },
  { 'nginx.ingress.kubernetes.io/auth-type': 'basic', 'nginx.ingress.kubernetes.io/auth-secret': 'users' },
  { 'nginx.ingress.kubernetes.io/auth-type': 'basic', 'nginx.ingress.kubernetes.io/auth-secret': 'far/users' },
  { 'nginx.ingress.kubernetes.io/custom-headers': 'headers' },
  { 'nginx.ingress.kubernetes.io/auth-tls-secret': 'authority' },
  { 'nginx.ingress.kubernetes.io/auth-url': 'http://a.far/ask' },
  { 'nginx.ingress.kubernetes.io/from-to-www-redirect': 'true' },
  { 'nginx.ingress.kubernetes.io/ssl-passthrough': 'true' },
  { 'nginx.ingress.kubernetes.io/default-backend': 'b', 'nginx.ingress.kubernetes.io/custom-http-errors': '404' },
)
const ingresses = fc
  .record({
    name: fc.constantFrom('i0', 'i1', 'i2'),
    rules: fc.array(fc.tuple(hosts, paths, names, fc.constantFrom('Prefix', 'Exact')), { minLength: 1, maxLength: 3 }),
    annotations,
    created: fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'),
    tls: fc.constantFrom<{ secretName: string; hosts?: string[] }[]>(
      [],
      [],
      [{ secretName: 'tls' }],
      [{ secretName: 'other', hosts: ['x.example', 'other'] }],
    ),
    isDefault: fc.constantFrom(false, false, true),
    ingressClassName: fc.constantFrom('plumb', 'plumb', 'plumb', 'second'),
  })
  .map(({ name, rules, annotations, created, tls, isDefault, ingressClassName }): Ingress => {
    const http = rules.map(([host, text, to, type]) => ({
      ...(host && { host }),
      http: { paths: [path(text, to, type as 'Prefix')] },
    }))
    const defaultBackend = isDefault ? { defaultBackend: path('/', 'a').backend } : {}
    const made = ingress(name, { rules: http, tls, ingressClassName, ...defaultBackend }, created)
    return { ...made, metadata: { ...made.metadata, annotations } }
  })
const refs = fc.array(
  fc.record(
    {
      name: fc.constantFrom('a', 'b', 'c', 'gone'),
      weight: fc.constantFrom(1, 2),
      namespace: fc.constantFrom('ns', 'far'),
    },
    { requiredKeys: ['name', 'weight'] },
  ),
  { minLength: 1, maxLength: 2 },
)
const filters = fc.constantFrom(
  [],
  [{ type: 'RequestHeaderModifier', requestHeaderModifier: { set: [{ name: 'x', value: 'a b;c' }] } }],
)
const matches = fc.record(
  {
    path: fc.record({ type: fc.constantFrom('PathPrefix', 'Exact'), value: paths }),
    headers: fc.constant([{ name: 'p', value: 'one two' }]),
  },
  { requiredKeys: ['path'] },
)
const routes = fc
  .record({
    name: fc.constantFrom('r0', 'r1', 'r2'),
    namespace: fc.constantFrom('ns', 'ns', 'far'),
    parents: fc.uniqueArray(
      fc.constantFrom<object>(
        { name: 'gw' },
        { name: 'gw', sectionName: 'wide' },
        { name: 'set', kind: 'ListenerSet' },
      ),
      {
        minLength: 1,
        maxLength: 2,
      },
    ),
    rules: fc.array(fc.record({ matches: fc.array(matches, { minLength: 1, maxLength: 2 }), refs, filters }), {
      minLength: 1,
      maxLength: 2,
    }),
    hostnames: fc.uniqueArray(fc.constantFrom('x.example', '*.example', 'y.example'), { maxLength: 2 }),
  })
  .map(({ name, namespace, parents, rules, hostnames }) => ({
    ...api,
    kind: 'HTTPRoute',
    metadata: { name, ...created, namespace },
    spec: {
      parentRefs: parents.map((one) => ({ ...one, namespace: 'ns' })),
      ...(hostnames.length > 0 && { hostnames }),
      rules: rules.map(({ matches, refs, filters }) => ({
        matches,
        filters,
        backendRefs: refs.map((one) => ({ ...one, port: 80 })),
      })),
    },
  }))
const tcpRoutes = refs.map((refs) => ({
  ...api,
  kind: 'TCPRoute',
  metadata: { name: 't', ...created },
  spec: { parentRefs: [{ name: 'gw' }], rules: [{ backendRefs: refs.map((one) => ({ ...one, port: 80 })) }] },
}))
const policies = names.map((name) => ({
  ...api,
  kind: 'BackendTLSPolicy',
  metadata: { name: `p-${name}`, ...created },
  spec: {
    targetRefs: [{ group: '', kind: 'Service', name }],
    validation: { wellKnownCACertificates: 'System', hostname: name },
  },
}))
const tlsRoutes = refs.map((refs) => ({
  ...api,
  kind: 'TLSRoute',
  metadata: { name: 's', ...created },
  spec: {
    parentRefs: [{ name: 'gw' }],
    hostnames: ['z.example'],
    rules: [{ backendRefs: refs.map((one) => ({ ...one, port: 80 })) }],
  },
}))
const gateways = fc
  .tuple(fc.uniqueArray(fc.constantFrom(...listeners), { minLength: 1 }), fc.constantFrom('All', 'None'), fc.boolean())
  .map(([listeners, from, shows]) => ({
    ...gateway,
    spec: {
      gatewayClassName: 'plumb',
      listeners,
      allowedListeners: { namespaces: { from } },
      ...(shows && { tls: { backend: { clientCertificateRef: { name: 'tls' } } } }),
    },
  }))
const sets = hosts.map((hostname) => ({
  ...api,
  kind: 'ListenerSet',
  metadata: { name: 'set', ...created },
  spec: {
    parentRef: { name: 'gw' },
    listeners: [{ name: 'more', port: 80, protocol: 'HTTP', ...(hostname && { hostname }) }],
  },
}))
const grants = fc
  .tuple(fc.constantFrom('HTTPRoute', 'Ingress', 'TCPRoute'), fc.constantFrom('Service', 'Secret'))
  .map(([from, to]) => ({
    ...api,
    kind: 'ReferenceGrant',
    metadata: { name: `${from}-${to}`.toLowerCase(), namespace: 'far' },
    spec: {
      from: [
        { group: from === 'Ingress' ? 'networking.k8s.io' : 'gateway.networking.k8s.io', kind: from, namespace: 'ns' },
      ],
      to: [{ group: '', kind: to }],
    },
  }))
const secrets = fc
  .tuple(fc.constantFrom('tls', 'other', 'users', 'authority'), fc.constantFrom('ns', 'far'), fc.constantFrom(0, 1))
  .map(([name, namespace, version]) => {
    const { certificate, key } = pairs[version]!
    const base64 = (text: string): string => Buffer.from(text).toString('base64')
    const data =
      name === 'users'
        ? { auth: base64(`u${version}:{PLAIN}x`) }
        : name === 'authority'
          ? { 'ca.crt': base64(certificate) }
          : { 'tls.crt': base64(certificate), 'tls.key': base64(key) }
    const type = 'tls.crt' in data ? 'kubernetes.io/tls' : 'Opaque'
    return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, type, data }
  })
const configMaps = fc.constantFrom('one', 'two').map((value) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'headers', namespace: 'ns' },
  data: { 'x-header': value },
}))
const namespaces = fc.tuple(fc.constantFrom('ns', 'far'), fc.constantFrom('web', 'data')).map(([name, tier]) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels: { tier } },
}))
const classes = fc
  .tuple(fc.constantFrom('plumb', 'second'), fc.constantFrom(undefined, '10.0.0.0/8'))
  .map(([name, trusted]) => ({
    ...ourClass,
    metadata: { name, ...(trusted && { annotations: { 'plumb.network/proxy-protocol': trusted } }) },
  }))
const edit = fc.tuple(
  fc.oneof(
    { weight: 3, arbitrary: services },
    farServices,
    { weight: 3, arbitrary: slices },
    { weight: 4, arbitrary: ingresses },
    { weight: 4, arbitrary: routes },
    tcpRoutes,
    tlsRoutes,
    policies,
    gateways,
    sets,
    grants,
    { weight: 2, arbitrary: secrets },
    configMaps,
    namespaces,
    classes,
  ) as fc.Arbitrary<KubeObject>,
  fc.constantFrom(true, true, true, false),
)

const atFirst: readonly KubeObject[] = [
  ourClass,
  ...['a', 'b', 'c'].map((name) => service(name)),
  { ...gateway, spec: { gatewayClassName: 'plumb', listeners } } as KubeObject,
]

function sourcesAmong(objects: readonly KubeObject[]): Sources {
  const all = <T>(kind: string): T[] => objects.filter((one) => one.kind === kind) as T[]
  const byKey = <T>(kind: string): Map<string, T> => new Map(all<T & KubeObject>(kind).map((one) => [keyOf(one), one]))
  const services = [gatewayService, ...all<Service>('Service')]
  return {
    ...sourcesOf({
      ingresses: all('Ingress'),
      classes: all('IngressClass'),
      services,
      slices: all<EndpointSlice>('EndpointSlice'),
      secrets: all('Secret'),
      configMaps: byKey('ConfigMap'),
      gatewayApi: {
        classes: [gatewayClass],
        gateways: all('Gateway'),
        listenerSets: all('ListenerSet'),
        httpRoutes: all('HTTPRoute'),
        tcpRoutes: all('TCPRoute'),
        tlsRoutes: all('TLSRoute'),
        grants: all('ReferenceGrant'),
        policies: all('BackendTLSPolicy'),
      },
    }),
    namespaces: byKey('Namespace'),
  }
}

/** Lists whose order means nothing, in one order. */
function canonical(model: GatewayModel): GatewayModel {
  const sort = <T>(all: readonly T[]): T[] =>
    all
      .map((one) => [JSON.stringify(one), one] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, one]) => one)
  return {
    ...model,
    backends: sort(model.backends),
    certificates: sort(model.certificates),
    authorities: sort(model.authorities),
    userLists: sort(model.userLists),
    findings: sort(model.findings),
    entrances: model.entrances.map((one) => ({
      ...one,
      listeners: sort(one.listeners),
      tiers: sort(one.tiers),
      streams: sort(one.streams),
    })),
  }
}

/** What objects are told, in one order. */
function told(state: GatewayApiState): string[] {
  const given = () => ({ addresses: [] })
  const all = [...gatewayStatuses(state, given), ...routeStatuses(state), ...policyStatuses(state)]
  return all.map(({ kind, object, status }) => `${kind} ${keyOf(object)} ${JSON.stringify(status)}`).sort()
}

/** Of a line for many names one for each; what one asks of clients goes with them. */
function eachName(line: string): string[] {
  const [, head = '', names = ''] = /^(\S+(?: \[.*\])?) (.*)$/.exec(line) ?? []
  return names.includes('!') ? [line] : names.split(' ').map((name) => `${head} ${name}`)
}

/** What HAProxy holds, changed as commands change it. */
class Held {
  readonly maps: Map<string, Map<string, string>>
  readonly servers: Map<string, Map<string, Server>>
  readonly lists: Map<string, Set<string>>
  /** PEM of those that lists name. */
  readonly certificates: Map<string, string>

  constructor({ directory, maps, backends, spares, lists, certificates }: LoweredGateway) {
    this.lists = new Map([...lists].map(([path, lines]) => [path, new Set(lines.flatMap(eachName))]))
    const named = new Set([...lists.values()].flat().map((line) => line.split(' ', 1)[0]))
    this.certificates = new Map([...certificates].filter(([path]) => named.has(path)))
    this.maps = new Map(
      [...entriesOf(maps, maps.names)].map(([name, entries]) => [mapPath(directory, name), new Map(entries)]),
    )
    this.servers = new Map(
      [...backends, ...freeSpares(spares).map((section) => ({ section, servers: [] }))].map(({ section, servers }) => [
        section.name!,
        new Map(servers.map((one: Server) => [one.name, one])),
      ]),
    )
  }

  take(command: Command): void {
    switch (command.kind) {
      case 'set-map':
        this.maps.set(command.path, new Map(command.entries))
        return
      case 'edit-map': {
        const map = this.maps.get(command.path)!
        for (const key of command.add.keys()) assert.ok(!map.has(key), `${key} is there already`)
        for (const key of [...command.change.keys(), ...command.remove]) assert.ok(map.has(key), `${key} is not there`)
        for (const [key, value] of [...command.add, ...command.change]) map.set(key, value)
        for (const key of command.remove) map.delete(key)
        return
      }
      case 'add-server':
        this.servers.get(command.backend)!.set(command.server.name, command.server)
        return
      case 'remove-server':
        this.servers.get(command.backend)!.delete(command.server)
        return
      case 'set-certificate':
        assert.equal(command.fresh, !this.certificates.has(command.path))
        this.certificates.set(command.path, command.pem)
        return
      case 'list-certificate':
        for (const one of eachName(command.line)) this.lists.get(command.list)!.add(one)
        return
      default:
        assert.fail(command.kind)
    }
  }
}

const serviceKeyOf = ({ kind, metadata: { namespace, name, labels } }: KubeObject): string =>
  kind === 'Service' ? `${namespace}/${name}` : `${namespace}/${labels?.['kubernetes.io/service-name']}`
const leads = (path: string): boolean => /(routes|streams|hosts|suffixes)\.map$/.test(path)
const isLedTo = (path: string): boolean => /(groups|regexes|actions|weights|shares)\.map$/.test(path)
const sorted = (map: ReadonlyMap<string, string>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1))

test('after any edits the gateway is what all objects read anew would make it, and commands lead there', () => {
  let [commands, reloads] = [0, 0]
  fc.assert(
    fc.property(fc.array(edit, { minLength: 10, maxLength: 30, size: 'max' }), (edits) => {
      const objects = new Map(atFirst.map((one) => [`${one.kind} ${keyOf(one)}`, one]))
      const gateways = new Gateways()
      const states = new GatewayApiStates()
      let last: LoweredGateway | undefined
      for (const [at, [object, isPut]] of edits.entries()) {
        const key = `${object.kind} ${keyOf(object)}`
        if (isPut) objects.set(key, object)
        else objects.delete(key)
        const sources = sourcesAmong([...objects.values()])
        const model = gateways.compile(sources)
        const sourcesAnew = sourcesAmong(structuredClone([...objects.values()]))
        const modelAnew = compileGateways(sourcesAnew)
        assert.deepEqual(canonical(model), canonical(modelAnew))
        const statuses = told(states.compile(sources))
        if (at % 5 === 4) assert.deepEqual(statuses, told(compileGatewayApi(sourcesAnew)))
        const services = new Set(['Service', 'EndpointSlice'].includes(object.kind) ? [serviceKeyOf(object)] : [])
        const serversOf = (backend: BackendModel) => compileServers(backend, sources)
        const spares = last && nameBackends(model.backends, last)
        const lowered = lowerGateway(model, serversOf, place, '', last && { before: last, services }, spares)
        const anew = lowerGateway(
          modelAnew,
          (backend) => compileServers(backend, sourcesAnew),
          place,
          '',
          undefined,
          spares,
        )
        assert.deepEqual(new Held(lowered), new Held(anew))
        const plan = last === undefined ? undefined : planGateway(last, lowered)
        if (plan?.kind === 'reload') reloads++
        if (plan?.kind === 'commands') {
          commands++
          const held = new Held(last!)
          for (const command of plan.commands) held.take(command)
          const grown = plan.commands.flatMap((one) => (one.kind === 'edit-map' && one.add.size > 0 ? [one.path] : []))
          const [leading, led] = [grown.findIndex(leads), grown.findLastIndex(isLedTo)]
          assert.ok(leading < 0 || led < leading, `what is led to comes first: ${grown.join(', ')}`)
          const wanted = new Held(lowered)
          for (const [path, entries] of wanted.maps) {
            assert.deepEqual(sorted(held.maps.get(path)!), sorted(entries), path)
            if (path.endsWith('suffixes.map')) assert.deepEqual([...held.maps.get(path)!], [...entries])
          }
          for (const { section } of lowered.backends)
            assert.deepEqual(held.servers.get(section.name!), wanted.servers.get(section.name!))
          assert.deepEqual(held.lists, wanted.lists)
          assert.deepEqual(held.certificates, wanted.certificates)
        }
        // A reload gives each backend a section of its own.
        last = plan?.kind === 'reload' ? lowerGateway(model, serversOf, place, '') : lowered
      }
    }),
    { numRuns: 60 },
  )
  assert.ok(commands > 100 && reloads > 50, `${commands} changes by commands, ${reloads} reloads`)
})
