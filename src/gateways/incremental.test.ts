import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { keyOf } from '../cluster/index.ts'
import type { Command, Server } from '../haproxy/index.ts'
import type { EndpointSlice, KubeObject, Service } from '../objects/index.ts'
import { ingress, path, service, slice, sourcesOf } from './cluster.fixture.ts'
import { compileGateways, compileServers, type LoweredGateway, lowerGateway, planGateway } from './index.ts'
import type { Ingress } from './ingress.ts'

const place = { directory: '/run/gateway', defaultCertificate: '', nowMs: 0 }
const api = { apiVersion: 'gateway.networking.k8s.io/v1' }
const created = { namespace: 'ns', creationTimestamp: '2026-01-01T00:00:00Z' }
const gatewayClass = {
  ...api,
  kind: 'GatewayClass',
  metadata: { name: 'plumb' },
  spec: { controllerName: 'plumb.network/gateway-controller' },
}
const listeners = [
  { name: 'any', port: 80, protocol: 'HTTP' },
  { name: 'wide', port: 80, protocol: 'HTTP', hostname: '*.example' },
  { name: 'tcp', port: 90, protocol: 'TCP' },
]
const gateway = { ...api, kind: 'Gateway', metadata: { name: 'gw', ...created } }
const gatewayService = {
  ...service('gw-plumb'),
  spec: { ports: [80, 90].map((port) => ({ name: `port-${port}`, port, targetPort: 20_000 + port })) },
} as Service

const names = fc.constantFrom('a', 'b', 'c')
const hosts = fc.constantFrom('x.example', '*.example', '*.x.example', 'other', '')
const paths = fc.constantFrom('/', '/x', '/x/y', '/x;y', '/x\\y<<')

const services = fc
  .tuple(names, fc.constantFrom(undefined, undefined, 'kubernetes.io/h2c'))
  .map(([name, spoken]) => service(name, spoken))
const slices = fc
  .tuple(names, fc.uniqueArray(fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3'), { maxLength: 3 }))
  .map(([name, addresses]) => slice(name, addresses))
const annotations = fc.constantFrom<Record<string, string>[]>(
  {},
  {},
  { 'nginx.ingress.kubernetes.io/rewrite-target': '/to' },
  { 'nginx.ingress.kubernetes.io/canary': 'true', 'nginx.ingress.kubernetes.io/canary-weight': '30' },
  { 'nginx.ingress.kubernetes.io/server-alias': 'alias.example' },
)
const ingresses = fc
  .record({
    name: fc.constantFrom('i0', 'i1', 'i2'),
    rules: fc.array(fc.tuple(hosts, paths, names, fc.constantFrom('Prefix', 'Exact')), { minLength: 1, maxLength: 3 }),
    annotations,
  })
  .map(({ name, rules, annotations }): Ingress => {
    const http = rules.map(([host, text, to, type]) => ({
      ...(host && { host }),
      http: { paths: [path(text, to, type as 'Prefix')] },
    }))
    const made = ingress(name, { rules: http })
    return { ...made, metadata: { ...made.metadata, annotations } }
  })
const refs = fc.array(fc.record({ name: fc.constantFrom('a', 'b', 'c', 'gone'), weight: fc.constantFrom(1, 2) }), {
  minLength: 1,
  maxLength: 2,
})
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
    rules: fc.array(fc.record({ matches: fc.array(matches, { minLength: 1, maxLength: 2 }), refs, filters }), {
      minLength: 1,
      maxLength: 2,
    }),
    hostnames: fc.uniqueArray(fc.constantFrom('x.example', '*.example', 'y.example'), { maxLength: 2 }),
  })
  .map(({ name, rules, hostnames }) => ({
    ...api,
    kind: 'HTTPRoute',
    metadata: { name, ...created },
    spec: {
      parentRefs: [{ name: 'gw' }],
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
const gateways = fc.constantFrom(1, 2, 3).map((count) => ({
  ...gateway,
  spec: { gatewayClassName: 'plumb', listeners: listeners.slice(0, count) },
}))
const edit = fc.tuple(
  fc.oneof(
    { weight: 3, arbitrary: services },
    { weight: 3, arbitrary: slices },
    { weight: 4, arbitrary: ingresses },
    { weight: 4, arbitrary: routes },
    tcpRoutes,
    policies,
    gateways,
  ) as fc.Arbitrary<KubeObject>,
  fc.constantFrom(true, true, true, false),
)

function lower(objects: readonly KubeObject[]): { lowered: LoweredGateway; model: ReturnType<typeof compileGateways> } {
  const all = <T>(kind: string): T[] => objects.filter((one) => one.kind === kind) as T[]
  const sources = sourcesOf({
    ingresses: all<Ingress>('Ingress'),
    services: [gatewayService, ...all<Service>('Service')],
    slices: all<EndpointSlice>('EndpointSlice'),
    gatewayApi: {
      classes: [gatewayClass],
      gateways: all('Gateway'),
      httpRoutes: all('HTTPRoute'),
      tcpRoutes: all('TCPRoute'),
      policies: all('BackendTLSPolicy'),
    },
  })
  const model = compileGateways(sources)
  return { model, lowered: lowerGateway(model, (backend) => compileServers(backend, sources), place, '') }
}

/** What HAProxy holds, changed as commands change it. */
class Held {
  readonly maps: Map<string, Map<string, string>>
  readonly servers: Map<string, Map<string, Server>>

  constructor({ maps, servers }: LoweredGateway) {
    this.maps = new Map([...maps].map(([path, entries]) => [path, new Map(entries)]))
    this.servers = new Map([...servers].map(([id, all]) => [id, new Map(all.map((one) => [one.name, one]))]))
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
      default:
        assert.fail(command.kind)
    }
  }
}

const sorted = (map: ReadonlyMap<string, string>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1))

test('after any edits the gateway is what all objects read anew would make it, and commands lead there', () => {
  let [commands, reloads] = [0, 0]
  fc.assert(
    fc.property(fc.array(edit, { minLength: 2, maxLength: 12 }), (edits) => {
      const objects = new Map<string, KubeObject>()
      let last: LoweredGateway | undefined
      for (const [object, isPut] of edits) {
        const key = `${object.kind} ${keyOf(object)}`
        if (isPut) objects.set(key, object)
        else objects.delete(key)
        const { model, lowered } = lower([...objects.values()])
        const anew = lower(structuredClone([...objects.values()]))
        assert.deepEqual(model, anew.model)
        assert.deepEqual(lowered, anew.lowered)
        const plan = last === undefined ? undefined : planGateway(last, lowered)
        if (plan?.kind === 'reload') reloads++
        if (plan?.kind === 'commands') {
          commands++
          const held = new Held(last!)
          for (const command of plan.commands) held.take(command)
          const wanted = new Held(lowered)
          for (const [path, entries] of wanted.maps) {
            assert.deepEqual(sorted(held.maps.get(path)!), sorted(entries), path)
            if (path.endsWith('suffixes.map')) assert.deepEqual([...held.maps.get(path)!], [...entries])
          }
          assert.deepEqual(held.servers, wanted.servers)
        }
        last = lowered
      }
    }),
    { numRuns: 300 },
  )
  assert.ok(commands > 100 && reloads > 100, `${commands} changes by commands, ${reloads} reloads`)
})
