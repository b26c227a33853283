import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Client, Resource } from '../client/index.ts'
import { refusedAnnotation } from '../gateways/index.ts'
import {
  type Condition,
  type EndpointSlice,
  EndpointSlices,
  type KubeObject,
  type Node,
  Nodes,
  type Service,
  Services,
} from '../objects/index.ts'
import { type Cluster, readyNode, startCluster, until } from './cluster.fixture.ts'
import { ipAddressPools } from './external-addresses.ts'
import { gatewayResources } from './gateway-objects.ts'
import { startControllers } from './index.ts'

const namespace = 'default'
const apiVersion = 'gateway.networking.k8s.io/v1'
const options = { controllers: ['gateway', 'loadbalancer-addresses'] }
const { GatewayClass, Gateway, ListenerSet, HTTPRoute, BackendTLSPolicy } = gatewayResources

let cluster: Cluster
let client: Client

before(async () => {
  cluster = await startCluster(options)
  client = cluster.client
  await client.create<Node>(Nodes, readyNode('node-1'))
  await client.create(GatewayClass, {
    apiVersion,
    kind: 'GatewayClass',
    metadata: { name: 'plumb' },
    spec: { controllerName: 'plumb.network/gateway-controller' },
  } as KubeObject)
  await client.create(ipAddressPools, {
    apiVersion: 'plumb.network/v1alpha1',
    kind: 'IPAddressPool',
    metadata: { name: 'pool' },
    spec: { addresses: ['192.0.2.0/28'] },
  } as KubeObject)
})
after(async () => {
  await cluster.close()
  assert.deepEqual(cluster.troubles, [])
})

interface Told extends KubeObject {
  status?: {
    addresses?: { value: string }[]
    conditions?: Condition[]
    listeners?: { name: string; attachedRoutes: number; supportedKinds: { kind: string }[]; conditions: Condition[] }[]
    parents?: { parentRef: object; controllerName: string; conditions: Condition[] }[]
    attachedListenerSets?: number
    supportedFeatures?: { name: string }[]
  }
}

const http = { name: 'http', port: 80, protocol: 'HTTP' }

function make(kind: string, name: string, spec: object): KubeObject {
  return { apiVersion, kind, metadata: { name, namespace }, spec } as KubeObject
}

function route(name: string, parentRef: object, more: object = {}): KubeObject {
  const backendRefs = [{ name: 'web', port: 80 }]
  return make('HTTPRoute', name, { parentRefs: [parentRef], rules: [{ backendRefs }], ...more })
}

const get = (resource: Resource, name: string) =>
  client.get<Told>(resource, resource.namespaced ? namespace : undefined, name)

/** `Accepted=True/Accepted Programmed=…` */
function words(conditions: readonly Condition[] = []): string {
  return conditions.map(({ type, status, reason }) => `${type}=${status}/${reason}`).join(' ')
}

async function says(what: string, expected: RegExp, read: () => Promise<string>): Promise<void> {
  let last = ''
  try {
    await until(what, async () => {
      last = await read().catch((error: unknown) => String(error))
      return expected.test(last)
    })
  } catch {
    assert.match(last, expected, what)
  }
}

const gatewaySays = (name: string, expected: RegExp) =>
  says(name, expected, async () => {
    const { status } = await get(Gateway, name)
    const listeners = status?.listeners?.map((one) => `[${one.name} ${one.attachedRoutes} ${words(one.conditions)}]`)
    return `${status?.addresses?.map(({ value }) => value)} ${words(status?.conditions)} ${listeners?.join(' ')}`
  })
const routeSays = (name: string, expected: RegExp) =>
  says(name, expected, async () =>
    String((await get(HTTPRoute, name)).status?.parents?.map(({ conditions }) => words(conditions)) ?? 'nothing'),
  )

test('a Gateway gets a Service, by that an address, and tells it', async () => {
  await client.create(Gateway, make('Gateway', 'gw', { gatewayClassName: 'plumb', listeners: [http] }))
  await gatewaySays('gw', /^192\.0\.2\.\d+ Accepted=True\/Accepted Programmed=True\/Programmed.*\[http 0 Accepted=True/)
  const service = await client.get<Service>(Services, namespace, 'gw-plumb')
  assert.deepEqual(
    service.spec.ports?.map(({ port, targetPort }) => [port, targetPort]),
    [[80, 20_000]],
  )
  assert.equal(service.metadata.ownerReferences?.[0]?.name, 'gw')
  const slice = await client.get<EndpointSlice>(EndpointSlices, namespace, 'gw-plumb-ipv4')
  assert.deepEqual(
    slice.endpoints?.map(({ addresses, nodeName }) => [nodeName, ...addresses]),
    [['node-1', '172.30.0.11']],
  )
  const { status } = await get(GatewayClass, 'plumb')
  assert.match(words(status?.conditions), /Accepted=True\/Accepted SupportedVersion=True/)
  assert.ok((status?.supportedFeatures?.length ?? 0) > 30)
})

test('what HAProxy of a node refuses is told by its route and its Gateway until no node does', async () => {
  await client.create(Gateway, make('Gateway', 'refused', { gatewayClassName: 'plumb', listeners: [http] }))
  await client.create(HTTPRoute, route('refused', { name: 'refused' }))
  await client.create(HTTPRoute, route('taken', { name: 'refused' }))
  await gatewaySays('refused', /Programmed=True.*\[http 2 Accepted=True\S* Programmed=True/)
  const nodeSays = (node: string, refused: object | null) =>
    client.patch(Nodes, undefined, node, 'merge', {
      metadata: { annotations: { [refusedAnnotation]: refused && JSON.stringify(refused) } },
    })
  await client.create<Node>(Nodes, readyNode('node-9'))
  await nodeSays('node-9', { 'httproute/default/refused': 'HAProxy refuses it' })
  await nodeSays('node-1', {
    'httproute/default/refused': 'HAProxy refuses it',
    'gateway/default/refused': 'HAProxy refuses it',
  })
  await routeSays('refused', /^Accepted=False\/GatewayRefused/)
  await gatewaySays('refused', /Programmed=False\/Invalid.*\[http 2 Accepted=True\S* Programmed=False\/Invalid/)
  const { status } = await get(HTTPRoute, 'refused')
  assert.equal(status?.parents?.[0]?.conditions[0]?.message, 'HAProxy refuses it (at node-1, node-9)')
  await routeSays('taken', /^Accepted=True/)
  await nodeSays('node-1', null)
  await gatewaySays('refused', /Programmed=True.*\[http 2 Accepted=True\S* Programmed=True/)
  await routeSays('refused', /^Accepted=False\/GatewayRefused/)
  await client.delete(Nodes, undefined, 'node-9')
  await routeSays('refused', /^Accepted=True/)
  for (const name of ['refused', 'taken']) await client.delete(HTTPRoute, namespace, name)
  await client.delete(Gateway, namespace, 'refused')
})

test('two Gateways never bind one port; what was given is kept by the next controller', async () => {
  const other = { gatewayClassName: 'plumb', listeners: [http, { ...http, name: 'more', port: 8080 }] }
  await client.create(Gateway, make('Gateway', 'other', other))
  await gatewaySays('other', /Programmed=True/)
  const targets = async (name: string) =>
    (await client.get<Service>(Services, namespace, `${name}-plumb`)).spec.ports?.map(({ targetPort }) => targetPort)
  assert.deepEqual(await targets('other'), [20_001, 20_002])
  await cluster.stopControllers()
  const troubles: string[] = []
  const again = await startControllers({
    client: cluster.connect(),
    options: { ...options, onTrouble: (message) => troubles.push(message) },
  })
  try {
    await client.create(Gateway, make('Gateway', 'third', { gatewayClassName: 'plumb', listeners: [http] }))
    await gatewaySays('third', /Programmed=True/)
    assert.deepEqual(
      [await targets('gw'), await targets('other'), await targets('third')],
      [[20_000], [20_001, 20_002], [20_003]],
    )
    await client.create<Node>(Nodes, readyNode('node-2'))
    await until('the new node answers too', async () => {
      const slice = await client.get<EndpointSlice>(EndpointSlices, namespace, 'gw-plumb-ipv4')
      return slice.endpoints?.length === 2
    })
    await routesAndSets()
    assert.deepEqual(troubles, [])
  } finally {
    await again.close()
  }
})

async function routesAndSets(): Promise<void> {
  const ports = [{ port: 80, protocol: 'TCP' as const }]
  await client.create(HTTPRoute, route('web', { name: 'gw' }))
  await routeSays('web', /Accepted=True\/Accepted ResolvedRefs=False\/BackendNotFound/)
  await client.create(Services, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace },
    spec: { ports },
  } as Service)
  await routeSays('web', /Accepted=True\/Accepted ResolvedRefs=True\/ResolvedRefs/)
  await gatewaySays('gw', /\[http 1 /)
  const before = await get(HTTPRoute, 'web')
  await client.create(HTTPRoute, route('nowhere', { name: 'gw', sectionName: 'none' }))
  await routeSays('nowhere', /Accepted=False\/NoMatchingParent/)
  await client.create(HTTPRoute, route('foreign', { name: 'not-ours' }))
  await client.create(HTTPRoute, route('host', { name: 'hosts' }, { hostnames: ['a.example'] }))
  const hosts = [{ ...http, hostname: '*.b.example' }]
  await client.create(Gateway, make('Gateway', 'hosts', { gatewayClassName: 'plumb', listeners: hosts }))
  await routeSays('host', /Accepted=False\/NoMatchingListenerHostname/)
  await routeSays('foreign', /^nothing$/)
  const after = await get(HTTPRoute, 'web')
  assert.equal(
    after.metadata.resourceVersion,
    before.metadata.resourceVersion,
    'a status that is right is not written again',
  )

  const set = { parentRef: { name: 'third' }, listeners: [{ ...http, name: 'set', port: 81 }] }
  await client.create(ListenerSet, make('ListenerSet', 'set', set))
  const setSays = (expected: RegExp) =>
    says('set', expected, async () => words((await get(ListenerSet, 'set')).status?.conditions))
  await setSays(/Accepted=False\/NotAllowed Programmed=False\/NotAllowed/)
  await client.patch(Gateway, namespace, 'third', 'merge', {
    spec: { allowedListeners: { namespaces: { from: 'Same' } } },
  })
  await setSays(/Accepted=True\/Accepted Programmed=True/)
  assert.equal((await get(Gateway, 'third')).status?.attachedListenerSets, 1)

  await client.patch(HTTPRoute, namespace, 'web', 'merge', { spec: { parentRefs: [{ name: 'not-ours' }] } })
  await until('the status is taken back', async () => (await get(HTTPRoute, 'web')).status?.parents?.length === 0)

  await client.create(
    Gateway,
    make('Gateway', 'bad', {
      gatewayClassName: 'plumb',
      listeners: [http, { name: 'tcp', port: 80, protocol: 'TCP' }],
    }),
  )
  await gatewaySays(
    'bad',
    /Accepted=False\/ListenersNotValid.*\[http 0 Accepted=False\/ProtocolConflict.*Conflicted=True\/ProtocolConflict\]/,
  )
  await client.delete(Gateway, namespace, 'bad')

  const validation = { hostname: 'web.example', caCertificateRefs: [{ group: '', kind: 'ConfigMap', name: 'none' }] }
  const policy = { targetRefs: [{ group: '', kind: 'Service', name: 'web' }], validation }
  await client.create(BackendTLSPolicy, make('BackendTLSPolicy', 'tls', policy))
  await client.create(HTTPRoute, route('again', { name: 'gw' }))
  await says('tls', /Accepted=False\/NoValidCACertificate ResolvedRefs=False\/InvalidCACertificateRef/, async () => {
    const { status } = await client.get<KubeObject & { status?: { ancestors?: { conditions: Condition[] }[] } }>(
      BackendTLSPolicy,
      namespace,
      'tls',
    )
    return words(status?.ancestors?.[0]?.conditions)
  })
}
