import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Address, familyOf, parseAddress, parsePrefix } from '../addr/index.ts'
import { LiveSnapshot, type ObjectKey } from '../cluster/index.ts'
import { FakeNftables, type Trace, trace } from '../nft/index.ts'
import type { Service } from '../objects/index.ts'
import {
  compileService,
  explainService,
  lowerService,
  type ServiceAnswer,
  type ServiceQuestion,
  ServiceTables,
  servicesAt,
  type Transport,
} from './index.ts'
import { endpoint, service, slice } from './objects.fixture.ts'

const nodeAddresses = ['172.30.0.11', 'fd00:30::11'].map(parseAddress)
const node = { name: 'n1', zone: 'z1', addresses: nodeAddresses, nodePortAddresses: nodeAddresses }
const scope = {
  podPrefixes: [parsePrefix('10.244.0.0/16'), parsePrefix('fd00:244::/56')],
  ownPodPrefixes: [parsePrefix('10.244.0.0/24'), parsePrefix('fd00:244::/64')],
  servicePrefixes: [parsePrefix('10.96.0.0/24'), parsePrefix('fd00:96::/112')],
}
const vips = ['10.96.0.1', '10.96.0.2', 'fd00:96::1']
const external = ['198.51.100.1', '198.51.100.2', '2001:db8::1']
const balancers = ['198.51.100.3', '2001:db8::3']
const destinations = [
  ...[...vips, ...external, ...balancers].map(parseAddress),
  ...nodeAddresses,
  ...['10.96.0.77', 'fd00:96::77', '10.97.0.1', '10.244.0.1'].map(parseAddress),
]
const sources = [
  ...['10.244.0.1', '10.244.0.3', '10.244.9.9', '172.30.0.11', '192.0.2.7', '203.0.113.7'],
  ...['fd00:244::1', 'fd00:30::11', '2001:db8:7::1'],
].map(parseAddress)

const conditions = [
  { ready: true, serving: true, terminating: false },
  { ready: false, serving: true, terminating: true },
  { ready: false, serving: false, terminating: false },
]
const arbitraryEndpoint = fc.record({
  number: fc.integer({ min: 1, max: 5 }),
  condition: fc.constantFrom(...conditions),
  zones: fc.option(fc.constantFrom('z1', 'z2'), { nil: undefined }),
})
const arbitraryStep = fc.record({
  name: fc.constantFrom('a', 'b'),
  there: fc.boolean(),
  vips: fc.uniqueArray(fc.constantFrom(...vips), { minLength: 1, maxLength: 2 }),
  local: fc.boolean(),
  type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer'),
  externalLocal: fc.boolean(),
  externalIPs: fc.uniqueArray(fc.constantFrom(...external), { maxLength: 2 }),
  ranges: fc.constantFrom(
    [],
    ['192.0.2.0/24'],
    ['172.30.0.0/16', '2001:db8:7::/48'],
    ['203.0.113.7/32', ' 10.244.0.0/31 '],
  ),
  affinity: fc.boolean(),
  endpoints: fc.uniqueArray(arbitraryEndpoint, { selector: ({ number }) => number, maxLength: 5 }),
})
type Step = typeof arbitraryStep extends fc.Arbitrary<infer T> ? T : never

const ports = [
  { name: 'http', port: 80, nodePort: 30080, protocol: 'TCP' as const },
  { name: 'dns', port: 53, nodePort: 30053, protocol: 'UDP' as const },
]

function makeService(step: Step): Service {
  const { name, vips: addresses, local, type, externalLocal, externalIPs, ranges, affinity } = step
  const made = service(name, addresses[0]!, {
    type,
    clusterIPs: addresses,
    externalIPs,
    // Two Services may claim one node port here: the older has it.
    ports: type === 'ClusterIP' ? ports.map(({ nodePort: _, ...port }) => port) : ports,
    ...(local ? { internalTrafficPolicy: 'Local' as const } : {}),
    ...(externalLocal ? { externalTrafficPolicy: 'Local' as const } : {}),
    ...(affinity ? { sessionAffinity: 'ClientIP' as const } : {}),
    loadBalancerSourceRanges: [...ranges],
  })
  return { ...made, status: { loadBalancer: { ingress: balancers.map((ip) => ({ ip })) } } }
}

/** A cluster beside a fake kernel that gets every change as a round of its own. */
class World {
  readonly snapshot = new LiveSnapshot()
  readonly tables = new ServiceTables()
  readonly kernel = new FakeNftables()

  constructor() {
    this.tables.rescope(scope)
    this.kernel.apply(this.tables.full().operations)
  }

  take(step: Step): void {
    const { name, there, endpoints } = step
    const key: ObjectKey = `ns/${name}`
    const made = makeService(step)
    this.snapshot.put('services', key, there ? made : undefined)
    for (const type of ['IPv4', 'IPv6'] as const) {
      const own = endpoints.map(({ number, condition, zones }) => ({
        // An address is on one node, whichever Service says so.
        ...endpoint(number, condition, number % 2 === 0 ? 'n2' : 'n1'),
        ...(type === 'IPv6' ? { addresses: [`fd00:244::${number}`] } : {}),
        ...(zones === undefined ? {} : { hints: { forZones: [{ name: zones }] } }),
      }))
      for (const port of ports) {
        const options = {
          service: name,
          name: `${name}-${type}-${port.name}`,
          type,
          port: { ...port, port: port.port + 8000 },
        }
        this.snapshot.put('slices', `${key}-${type}-${port.name}`, slice(own, options))
      }
    }
    const object = this.snapshot.services.get(key)
    const model = object && compileService(object, this.snapshot.slicesOf(key), node)
    this.kernel.apply(this.tables.update([[key, model && lowerService(model, node.name)]]).operations)
  }

  explain(question: ServiceQuestion): ServiceAnswer {
    return explainService(question, { node, models: servicesAt(this.snapshot, question.destination, node), ...scope })
  }

  trace({ source, destination, protocol, port }: ServiceQuestion, choice: number): Trace {
    const packet = {
      family: familyOf(destination),
      protocol,
      source,
      destination,
      sourcePort: 40000,
      destinationPort: port,
      conntrack: { state: 'new' as const, direction: 'original' as const },
    }
    const own = nodeAddresses.includes(source)
    return trace(this.kernel, own ? packet : { ...packet, inputInterface: 'veth0' }, {
      from: own ? 'host' : 'wire',
      route: (address) => (nodeAddresses.includes(address) ? 'host' : { outputInterface: 'eth0' }),
      addressType: (address) => (nodeAddresses.includes(address) ? 'local' : 'unicast'),
      choose: () => choice,
    })
  }
}

/** What a trace came to, in the words of an explanation. */
function summarise({ outcome, dnat, snat }: Trace): string {
  if (outcome.kind === 'rejected') return `reject ${outcome.with}`
  if (outcome.kind === 'dropped') return 'drop'
  if (dnat === undefined) return snat === undefined ? 'pass' : 'pass masqueraded'
  return `${dnat.address} ${dnat.port} ${snat === undefined ? 'kept' : 'masqueraded'}`
}

function check(world: World, question: ServiceQuestion): void {
  const { outcome } = world.explain(question)
  const first = world.trace(question, 0)
  const story = (): string => JSON.stringify({ question, outcome, steps: first.steps }, null, 1)
  switch (outcome.kind) {
    case 'pass':
      assert.equal(summarise(first), 'pass', story())
      return
    case 'reject':
      assert.equal(summarise(first), 'reject port-unreachable', story())
      return
    case 'drop':
      assert.equal(summarise(first), 'drop', story())
      return
    case 'balance': {
      const wanted = outcome.targets.map(({ address, port, source }) => `${address} ${port} ${source}`)
      const got = wanted.map((_, index) => summarise(world.trace(question, index)))
      assert.deepEqual(got.sort(), wanted.sort(), story())
      return
    }
    default:
      outcome satisfies never
  }
}

const questions = (address: Address): ServiceQuestion[] =>
  sources
    .filter((source) => familyOf(source) === familyOf(address))
    .flatMap((source) =>
      (
        [
          ['tcp', 80],
          ['udp', 53],
          ['tcp', 81],
          ['tcp', 30080],
          ['udp', 30053],
          ['udp', 30080],
        ] as [Transport, number][]
      ).map(([protocol, port]) => ({
        source,
        destination: address,
        protocol,
        port,
      })),
    )

test('what is explained is what a packet meets, for every choice that a number generator has', () => {
  fc.assert(
    fc.property(fc.array(arbitraryStep, { minLength: 1, maxLength: 8 }), (steps) => {
      const world = new World()
      for (const step of steps) world.take(step)
      for (const destination of destinations) for (const question of questions(destination)) check(world, question)
    }),
    { numRuns: 60 },
  )
})

test('an explanation names the objects from the address to the chosen endpoint', () => {
  const world = new World()
  world.take({
    name: 'a',
    there: true,
    vips: ['10.96.0.1'],
    local: false,
    type: 'ClusterIP',
    externalLocal: false,
    externalIPs: [],
    ranges: [],
    affinity: false,
    endpoints: [
      { number: 1, condition: conditions[0]!, zones: undefined },
      { number: 2, condition: conditions[2]!, zones: undefined },
    ],
  })
  const question = { source: sources[2]!, destination: destinations[0]!, protocol: 'tcp', port: 80 } as const
  const said = world.explain(question).steps.map((step) => {
    const where = 'because' in step ? ` [${step.because.object} ${step.because.field}=${step.because.value}]` : ''
    return `${step.says}${where}`
  })
  assert.deepEqual(said, [
    '10.96.0.1 is the ClusterIP of service/ns/a [service/ns/a spec.clusterIPs[0]=10.96.0.1]',
    'tcp/80 is its port ("http") [service/ns/a spec.ports[0].port=80]',
    '10.244.0.1 port 8080: chosen: ready [endpointslice/ns/a-IPv4-http endpoints[0]=10.244.0.1]',
    '10.244.0.2 port 8080: passed over: not ready [endpointslice/ns/a-IPv4-http endpoints[1]=10.244.0.2]',
    'evenly over 1 endpoint [service/ns/a spec.ports[0].port=80]',
  ])
})
