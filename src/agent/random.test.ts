import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { type Address, familyOf, parseAddress, parsePrefix } from '../addr/index.ts'
import type { Namespace } from '../host/index.ts'
import type { Endpoint, EndpointSlice, Service } from '../objects/index.ts'
import { explainService, servicesAt, sets } from '../services/index.ts'
import type { Agent } from './index.ts'
import {
  buildRig,
  host,
  nodeObject,
  Objects,
  quietLog,
  type Rig,
  serveTcp,
  serviceObject,
  servicePrefixes,
  sliceObject,
  startOnRig,
} from './rig.fixture.ts'

const runs = Number(process.env.PLUMB_RUNS ?? 3)
const names = ['a', 'b']
const clusterIps = {
  a: { 4: parseAddress('10.96.0.1'), 6: parseAddress('fd00:96::1') },
  b: { 4: parseAddress('10.96.0.2'), 6: parseAddress('fd00:96::2') },
}
const balancer = { 4: parseAddress('198.51.100.1'), 6: parseAddress('2001:db8:1::1') }
const loopback = parseAddress('127.0.0.1')
const podPrefixes = ['10.244.0.0/16', 'fd00:244::/56'].map(parsePrefix)
const log = quietLog()
const closing: { close(): void }[] = []
let rig: Rig
let objects: Objects
let agent: Agent

const start = (): Promise<Agent> => startOnRig(rig, objects, log, { loopbackNodePorts: true })

before(async () => {
  rig = buildRig()
  // Many are refused at once, and the kernel would answer some of them later.
  rig.node.network.setSysctl('net.ipv4.icmp_ratelimit', 0)
  rig.node.network.setSysctl('net.ipv6.icmp.ratelimit', 0)
  objects = new Objects()
  objects.put(nodeObject('node-1', rig))
  for (const backend of rig.backends)
    for (const family of [4, 6] as const) closing.push(serveTcp(backend, family, 8080))
  agent = await start()
  await agent.ready
})
after(async () => {
  await agent.stop()
  for (const one of closing) one.close()
  rig.close()
})

const conditions = fc.constantFrom(
  { ready: true, serving: true, terminating: false },
  { ready: false, serving: true, terminating: true },
  { ready: false, serving: false, terminating: false },
)
const arbitraryEndpoint = fc.option(
  fc.record({
    conditions,
    nodeName: fc.constantFrom('node-1', 'node-2'),
    zone: fc.constantFrom(undefined, 'here', 'there'),
    hint: fc.boolean(),
  }),
  { nil: undefined, freq: 4 },
)
const policy = fc.constantFrom('Cluster' as const, 'Local' as const)
const arbitraryService = fc.record({
  internal: policy,
  external: policy,
  affinity: fc.boolean(),
  balancing: fc.constantFrom(undefined, 'maglev', 'maglev-source-address'),
  ranges: fc.constantFrom<string[][]>([], ['203.0.113.0/24', '2001:db8:113::/64'], ['192.0.2.0/24', '2001:db8:2::/64']),
  type: fc.constantFrom('ClusterIP' as const, 'NodePort' as const, 'LoadBalancer' as const),
  weights: fc.constantFrom(undefined, '0', '3'),
})
const arbitraryStep = fc.record({
  name: fc.constantFrom(...(['a', 'b'] as const)),
  service: fc.option(arbitraryService, { nil: undefined, freq: 6 }),
  endpoints: fc.tuple(arbitraryEndpoint, arbitraryEndpoint),
  /** Another agent takes over before the packets. */
  restart: fc.boolean(),
})
type Step = typeof arbitraryStep extends fc.Arbitrary<infer T> ? T : never

async function take({ name, service, endpoints, restart }: Step): Promise<void> {
  if (service === undefined) objects.delete('Service', `ns/${name}`)
  else objects.put(build(name, service))
  for (const family of [4, 6] as const) {
    const slice = sliceObject(name, family, [])
    const listed = endpoints.flatMap((one, i): Endpoint[] => {
      const address = rig.backends[i]!.addresses[family]
      if (one === undefined) return []
      const hints = one.hint && one.zone !== undefined ? { hints: { forZones: [{ name: one.zone }] } } : {}
      const zone = one.zone === undefined ? {} : { zone: one.zone }
      return [{ addresses: [address], conditions: one.conditions, nodeName: one.nodeName, ...zone, ...hints }]
    })
    const first = listed[0]?.addresses[0]
    const annotations: Record<string, string> =
      service?.weights === undefined || first === undefined
        ? {}
        : { 'plumb.network/weights': `${first}=${service.weights}` }
    objects.put({ ...slice, metadata: { ...slice.metadata, annotations }, endpoints: listed } as EndpointSlice)
  }
  if (restart) {
    await agent.stop()
    agent = await start()
    await agent.ready
  }
  await agent.settled()
}

function build(name: 'a' | 'b', spec: NonNullable<Step['service']>): Service {
  const { internal, external, affinity, balancing, ranges, type } = spec
  const made = serviceObject(name, Object.values(clusterIps[name]), {
    type,
    internalTrafficPolicy: internal,
    ...(type === 'ClusterIP' ? {} : { externalTrafficPolicy: external }),
    ...(affinity ? { sessionAffinity: 'ClientIP' } : {}),
    ...(type === 'LoadBalancer' ? { loadBalancerSourceRanges: ranges } : {}),
    ports: [
      {
        name: 'tcp',
        port: 80,
        protocol: 'TCP',
        ...(type === 'ClusterIP' ? {} : { nodePort: name === 'a' ? 30080 : 30081 }),
      },
    ],
  })
  const annotations: Record<string, string> =
    balancing === undefined ? {} : { 'plumb.network/load-balancing': balancing }
  return {
    ...made,
    metadata: { ...made.metadata, annotations },
    status: { loadBalancer: { ingress: [{ ip: balancer[4] }, { ip: balancer[6] }] } },
  } as Service
}

/** What a connection meets: `backend-1 kept`, the errno name, or silence. */
async function meet(from: Namespace, source: Address, address: Address, port: number): Promise<string> {
  const socket = new Socket({ fd: host.connectTcp(from, address, port).fd })
  let heard: string | undefined
  socket.once('data', (data: Buffer) => (heard = data.toString().trim()))
  socket.once('error', (error: NodeJS.ErrnoException) => (heard = error.code ?? error.message))
  socket.resume()
  // A refusal may come with the first retransmission, after a second.
  const until = performance.now() + 1500
  while (heard === undefined && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 5))
  socket.destroy()
  const [name = 'silence', as] = heard?.split(' ') ?? []
  return as === undefined ? name : `${name} ${as === source && from !== rig.node ? 'kept' : 'masqueraded'}`
}

async function check(): Promise<void> {
  const addresses = [rig.nodeAddresses[4], rig.nodeAddresses[6]]
  const node = { name: 'node-1', zone: 'here', addresses, nodePortAddresses: addresses, loopbackNodePorts: true }
  const localAddresses = rig.node.network.addresses().map(({ address }) => address)
  const questions: Promise<void>[] = []
  for (const family of [4, 6] as const) {
    const places: [Address, number][] = [
      [clusterIps.a[family], 80],
      [clusterIps.b[family], 80],
      [rig.nodeAddresses[family], 30080],
      [balancer[family], 80],
    ]
    const sources = [
      { namespace: rig.outsider.namespace, source: rig.outsider.addresses[family] },
      { namespace: rig.client.namespace, source: rig.client.addresses[family] },
      { namespace: rig.node, source: rig.nodeAddresses[family] },
    ]
    const asked = sources.flatMap((one) => places.map((place) => ({ ...one, place })))
    if (family === 4) asked.push({ namespace: rig.node, source: loopback, place: [loopback, 30080] })
    for (const { namespace, source, place } of asked) questions.push(hold(namespace, source, ...place))
  }
  // All at once: each silence costs a second and a half.
  await Promise.all(questions)

  async function hold(namespace: Namespace, source: Address, destination: Address, port: number): Promise<void> {
    const context = {
      node,
      models: servicesAt(agent.snapshot, destination, node),
      podPrefixes,
      ownPodPrefixes: podPrefixes,
      servicePrefixes,
      localAddresses,
    }
    const { outcome } = explainService({ source, destination, protocol: 'tcp', port }, context)
    const got = await meet(namespace, source, destination, port)
    const question = `${source} → ${destination}:${port} ${JSON.stringify(outcome)}`
    switch (outcome.kind) {
      case 'balance': {
        const wanted = outcome.targets.map((target) => {
          const backend = rig.backends.find((one) => one.addresses[familyOf(target.address)] === target.address)
          return `${backend?.name} ${target.source}`
        })
        assert.ok(wanted.includes(got), `${got}: ${question}`)
        break
      }
      case 'reject':
        assert.equal(got, 'ECONNREFUSED', question)
        break
      case 'drop':
        assert.equal(got, 'silence', question)
        break
      case 'pass':
        assert.ok(!got.startsWith('backend'), `${got}: ${question}`)
        break
      default:
        outcome satisfies never
    }
  }
}

test('after each of random changes the kernel does with real packets what the model explains', {
  timeout: 600_000,
}, async () => {
  const labelled = nodeObject('node-1', rig)
  const metadata = { ...labelled.metadata, labels: { 'topology.kubernetes.io/zone': 'here' } }
  objects.put({ ...labelled, metadata } as typeof labelled)
  await agent.settled()
  await fc.assert(
    fc.asyncProperty(fc.array(arbitraryStep, { minLength: 1, maxLength: 4 }), async (steps) => {
      for (const step of steps) {
        await take(step)
        await check()
      }
      for (const name of names) {
        objects.delete('Service', `ns/${name}`)
        for (const family of [4, 6]) objects.delete('EndpointSlice', `ns/${name}-${family}`)
      }
      await agent.settled()
    }),
    // A failure is shown as it is found.
    { numRuns: runs, endOnFailure: true },
  )
  for (const table of ['ip', 'ip6'] as const) {
    const left = await rig.node.network.elements(table, 'plumb-services', sets[table === 'ip' ? 4 : 6].endpoints)
    assert.deepEqual(left, [])
  }
})
