import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseAddress, parsePrefix } from '../addr/index.ts'
import { LiveSnapshot, type ObjectKey } from '../cluster/index.ts'
import { renderRule } from '../nft/index.ts'
import type { Service } from '../objects/index.ts'
import { compileService, lowerService, ServiceTables } from './index.ts'
import type { Operation } from './lower.ts'
import { endpoint, service, slice } from './objects.fixture.ts'

const nodeAddresses = ['172.30.0.11', 'fd00:30::11'].map(parseAddress)
const node = { name: 'n1', zone: undefined, addresses: nodeAddresses, nodePortAddresses: nodeAddresses }

/** The sets and maps of the tables, strict as the kernel: no adding of what is there with another value, no deleting of what is not. */
class Elements {
  readonly sets = new Map<string, Map<string, string>>()
  readonly chains = new Map<string, string[]>()

  apply(operations: readonly Operation[]): void {
    for (const operation of operations) {
      if (operation.kind === 'add-chain') {
        const name = `${operation.family} ${operation.chain.name}`
        assert.ok(!this.chains.has(name), `${name} is there already`)
        this.chains.set(name, [])
      }
      if (operation.kind === 'flush-chain') this.#rulesOf(operation).splice(0)
      if (operation.kind === 'add-rule') this.#rulesOf(operation).push(renderRule(operation.family, operation.rule))
      if (operation.kind !== 'add-elements' && operation.kind !== 'delete-elements') continue
      const name = `${operation.family} ${operation.set.name}`
      const set = this.sets.get(name) ?? new Map<string, string>()
      this.sets.set(name, set)
      for (const { key, value = '', comment = '' } of operation.elements) {
        assert.equal(set.has(key), operation.kind === 'delete-elements', `${operation.kind} ${name} ${key}`)
        if (operation.kind === 'delete-elements') set.delete(key)
        else set.set(key, `${value} ${comment}`)
        const target = /^goto (.*)/.exec(value)?.[1]
        if (target !== undefined) assert.ok(this.chains.has(`${operation.family} ${target}`), target)
      }
    }
  }

  #rulesOf({ family, chain }: { family: string; chain: string }): string[] {
    const rules = this.chains.get(`${family} ${chain}`)
    assert.ok(rules !== undefined, chain)
    return rules
  }

  /** The rules of an affinity chain, whatever number it has; a class that leads to none is a failure. */
  #rulesBehind(family: string, id: string): string {
    const [major, minor] = id.split(':')
    if (major !== '706e' && major !== '706f') return id
    const map = this.sets.get(`${family} ${major === '706e' ? 'classes' : 'local-classes'}`)
    assert.equal(map?.get(id), `goto affinity-${Number.parseInt(minor ?? '', 16)} `, id)
    const rules = this.chains.get(`${family} affinity-${Number.parseInt(minor ?? '', 16)}`)
    assert.ok(rules !== undefined && rules.length > 0, id)
    return rules.join('; ')
  }

  /** Everything but the order of endpoints, which depends on the past; their indexes must be dense. */
  normal(): unknown {
    const normal: Record<string, unknown> = {}
    for (const [name, set] of this.sets) {
      // Chains of counts stay; those of affinity are behind the classes that lead there.
      if (name.endsWith('classes')) continue
      const family = name.split(' ')[0] ?? ''
      if (!name.endsWith('endpoints') || name.endsWith('no-endpoints')) {
        const behind = ([key, value]: [string, string]) =>
          name.endsWith('-class') ? [key, this.#rulesBehind(family, value.split(' ')[0] ?? '')] : [key, value]
        if (set.size > 0) normal[name] = [...set].map(behind).sort()
        continue
      }
      const ports: Record<string, string[]> = {}
      for (const [key, value] of set) {
        const at = key.lastIndexOf(' . ')
        const port = key.slice(0, at)
        const index = Number.parseInt(key.slice(at + 3).split(':')[1] ?? '', 16)
        ports[port] ??= []
        ports[port][index] = value
      }
      for (const values of Object.values(ports)) {
        assert.ok(
          !values.includes(undefined as never) && Object.keys(values).length === values.length,
          `${name} is dense`,
        )
        values.sort()
      }
      if (set.size > 0) normal[name] = Object.entries(ports).sort()
    }
    return normal
  }
}

class Cluster {
  readonly snapshot = new LiveSnapshot()
  readonly tables = new ServiceTables()
  readonly kernel = new Elements()

  constructor() {
    this.tables.rescope({
      podPrefixes: [parsePrefix('10.244.0.0/16')],
      ownPodPrefixes: [parsePrefix('10.244.0.0/16')],
      servicePrefixes: [],
    })
    this.kernel.apply(this.tables.full().operations)
  }

  round(...keys: readonly ObjectKey[]): void {
    this.kernel.apply(this.tables.update(lower(this.snapshot, keys)).operations)
  }

  fresh(): Elements {
    const tables = new ServiceTables()
    tables.rescope({
      podPrefixes: [parsePrefix('10.244.0.0/16')],
      ownPodPrefixes: [parsePrefix('10.244.0.0/16')],
      servicePrefixes: [],
    })
    tables.absorb(lower(this.snapshot, this.snapshot.services.keys()))
    const kernel = new Elements()
    kernel.apply(tables.full().operations)
    return kernel
  }
}

function lower(
  snapshot: LiveSnapshot,
  keys: Iterable<ObjectKey>,
): [ObjectKey, ReturnType<typeof lowerService> | undefined][] {
  return [...keys].map((key) => {
    const object = snapshot.services.get(key)
    const model = object && compileService(object, snapshot.slicesOf(key), node)
    return [key, model && lowerService(model, node.name)]
  })
}

const names = ['a', 'b', 'c']
const vips = ['10.96.0.1', '10.96.0.2', 'fd00:96::1']
const conditions = [
  { ready: true, serving: true, terminating: false },
  { ready: false, serving: true, terminating: true },
  { ready: false, serving: false, terminating: false },
]
const arbitraryService = fc.record({
  vips: fc.uniqueArray(fc.constantFrom(...vips), { minLength: 1, maxLength: 2 }),
  protocol: fc.constantFrom('TCP' as const, 'UDP' as const),
  local: fc.boolean(),
  age: fc.integer({ min: 1, max: 3 }),
  external: fc.constantFrom(undefined, 'Cluster' as const, 'Local' as const),
  affinity: fc.constantFrom(undefined, 60, 10_800),
  ranges: fc.constantFrom([], ['192.0.2.0/24', '192.0.2.0/25'], ['fd00::/8', '10.0.0.0/8']),
})
type Spec = typeof arbitraryService extends fc.Arbitrary<infer T> ? T : never
const arbitraryEndpoints = fc.uniqueArray(
  fc.record({
    number: fc.integer({ min: 1, max: 8 }),
    condition: fc.constantFrom(...conditions),
    node: fc.constantFrom('n1', 'n2'),
  }),
  { selector: ({ number }) => number, maxLength: 8 },
)
const arbitraryStep = fc.record({
  name: fc.constantFrom(...names),
  service: fc.option(arbitraryService, { nil: undefined }),
  endpoints: fc.option(arbitraryEndpoints, { nil: undefined }),
  commit: fc.boolean(),
})

function build(name: string, spec: Spec): Service {
  const { vips: addresses, protocol, local, age, external, affinity, ranges } = spec
  const made = service(
    name,
    addresses[0]!,
    {
      clusterIPs: addresses,
      ports: [{ port: 80, protocol, ...(external === undefined ? {} : { nodePort: 30080 }) }],
      ...(local ? { internalTrafficPolicy: 'Local' as const } : {}),
      ...(affinity === undefined
        ? {}
        : { sessionAffinity: 'ClientIP' as const, sessionAffinityConfig: { clientIP: { timeoutSeconds: affinity } } }),
      ...(external === undefined
        ? {}
        : {
            type: 'LoadBalancer' as const,
            externalTrafficPolicy: external,
            loadBalancerSourceRanges: [...ranges],
          }),
    },
    { creationTimestamp: `2026-01-0${age}T00:00:00Z` },
  )
  return { ...made, status: { loadBalancer: { ingress: [{ ip: '198.51.100.1' }, { ip: '2001:db8::1' }] } } }
}

test('rounds of changes leave the same elements as a fresh table, dense and without a refused operation', () => {
  fc.assert(
    fc.property(fc.array(arbitraryStep, { maxLength: 25 }), (steps) => {
      const cluster = new Cluster()
      const dirty = new Set<ObjectKey>()
      for (const { name, service: spec, endpoints, commit } of steps) {
        const key = `ns/${name}`
        dirty.add(key)
        cluster.snapshot.put('services', key, spec && build(name, spec))
        for (const protocol of ['TCP', 'UDP'] as const) {
          const made = endpoints?.map((one) => endpoint(one.number, one.condition, one.node))
          const slices =
            made && slice(made, { service: name, name: `${name}-${protocol}`, port: { port: 8080, protocol } })
          cluster.snapshot.put('slices', `${key}-${protocol}`, slices)
        }
        if (!commit) continue
        cluster.round(...dirty)
        dirty.clear()
        assert.deepEqual(cluster.kernel.normal(), cluster.fresh().normal())
      }
      for (const name of names) cluster.snapshot.put('services', `ns/${name}`, undefined)
      cluster.round(...names.map((name) => `ns/${name}`))
      assert.deepEqual(cluster.kernel.normal(), new Cluster().kernel.normal())
    }),
    { numRuns: 200 },
  )
})

test('one endpoint more or less of many touches a handful of elements', () => {
  const cluster = new Cluster()
  cluster.snapshot.put('services', 'ns/web', service('web', '10.96.0.1'))
  const put = (count: number): readonly Operation[] => {
    const endpoints = Array.from({ length: count }, (_, i) => endpoint(i + 1, undefined, 'n2'))
    cluster.snapshot.put('slices', 'ns/web-a', slice(endpoints))
    return cluster.tables.update(lower(cluster.snapshot, ['ns/web'])).operations
  }
  put(200)
  put(201)
  const touched = put(200).flatMap((operation) => ('elements' in operation ? operation.elements : []))
  assert.deepEqual(
    touched.map(({ key, value = '-' }) => `${key} = ${value}`),
    ['10.96.0.1 . tcp . 80 = -', '10.96.0.1 . tcp . 80 = 706c:c8', '10.96.0.1 . tcp . 80 . 0:c8 = -'],
  )
})

test('UDP flows to what stopped serving are told, TCP never', () => {
  const cluster = new Cluster()
  const round = (protocol: 'TCP' | 'UDP', ...numbers: readonly [number, number][]): string[] => {
    cluster.snapshot.put('services', 'ns/web', service('web', '10.96.0.1', { ports: [{ port: 53, protocol }] }))
    const endpoints = numbers.map(([number, condition]) => endpoint(number, conditions[condition]))
    cluster.snapshot.put('slices', 'ns/web-a', slice(endpoints, { port: { port: 53, protocol } }))
    const { stale } = cluster.tables.update(lower(cluster.snapshot, ['ns/web']))
    return stale.map(({ address, port, serving }) => `${address} ${port} keeps ${[...serving].sort().join(', ')}`)
  }
  assert.deepEqual(round('UDP', [1, 0], [2, 0]), ['10.96.0.1 53 keeps 10.244.0.1 . 53, 10.244.0.2 . 53'])
  assert.deepEqual(round('UDP', [1, 0], [2, 1]), [], 'a terminating endpoint that serves keeps its flows')
  assert.deepEqual(round('UDP', [1, 0]), ['10.96.0.1 53 keeps 10.244.0.1 . 53'])
  assert.deepEqual(round('UDP'), ['10.96.0.1 53 keeps '], 'scale to zero')
  assert.deepEqual(round('UDP', [1, 0]), ['10.96.0.1 53 keeps 10.244.0.1 . 53'], 'the first endpoint')
  assert.deepEqual(round('TCP', [1, 0]), ['10.96.0.1 53 keeps '], 'the UDP port is gone')
  assert.deepEqual(round('TCP', [2, 0]), [])
})

test('of two Services that claim one address and port the older has it, until it goes', () => {
  const cluster = new Cluster()
  const made = (name: string, day: number): Service =>
    service(name, '10.96.0.1', {}, { creationTimestamp: `2026-01-0${day}T00:00:00Z` })
  cluster.snapshot.put('services', 'ns/young', made('young', 2))
  cluster.round('ns/young')
  assert.equal(cluster.tables.find('10.96.0.1 . tcp . 80')?.owner, 'ns/young')
  cluster.snapshot.put('services', 'ns/old', made('old', 1))
  cluster.round('ns/old')
  assert.equal(cluster.tables.find('10.96.0.1 . tcp . 80')?.owner, 'ns/old')
  assert.deepEqual(
    cluster.tables.conflicts().map(({ code, object }) => `${code} ${object}`),
    ['FrontendTaken service/ns/young'],
  )
  cluster.snapshot.put('services', 'ns/old', undefined)
  cluster.round('ns/old')
  assert.equal(cluster.tables.find('10.96.0.1 . tcp . 80')?.owner, 'ns/young')
  assert.deepEqual(cluster.tables.conflicts(), [])
})
