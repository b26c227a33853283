import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '../addr/index.ts'
import { renderBird } from '../bird/index.ts'
import { keyOf } from '../cluster/index.ts'
import type { EndpointSlice, Node, Service } from '../objects/index.ts'
import { type BGPAdvertisement, type BGPPeer, BgpCompiler, type BgpInput, lowerBgp } from './index.ts'

const node: Node = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'node-1', labels: { rack: 'a' } },
  status: {
    addresses: [
      { type: 'InternalIP', address: '172.30.0.11' },
      { type: 'InternalIP', address: 'fd00:30::11' },
    ],
  },
}
const peer = (name: string, spec: Partial<BGPPeer['spec']> = {}): BGPPeer => ({
  apiVersion: 'plumb.network/v1alpha1',
  kind: 'BGPPeer',
  metadata: { name },
  spec: { myASN: 64512, peerASN: 64513, peerAddress: '172.30.0.1', ...spec },
})
const advertisement = (name: string, spec: BGPAdvertisement['spec'] = {}): BGPAdvertisement => ({
  apiVersion: 'plumb.network/v1alpha1',
  kind: 'BGPAdvertisement',
  metadata: { name },
  spec,
})
const service = (name: string, ips: string[], spec: Partial<Service['spec']> = {}): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'shop', labels: { app: name } },
  spec: { type: 'LoadBalancer', ports: [{ port: 80 }], ...spec },
  status: { loadBalancer: { ingress: ips.map((ip) => ({ ip })) } },
})
const slice = (nodeName: string, addressType: 'IPv4' | 'IPv6' = 'IPv4'): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'slice', namespace: 'shop' },
  addressType,
  endpoints: [{ addresses: ['10.0.0.1'], nodeName, conditions: { ready: true } }],
})

type Input = Partial<Omit<BgpInput, 'services'>> & { readonly services?: readonly Service[] }
const input = ({ services = [], ...more }: Input): BgpInput => ({
  node,
  peers: [peer('tor')],
  advertisements: [advertisement('all')],
  profiles: [],
  communities: [],
  services: new Map(services.map((one) => [keyOf(one), one])),
  held: [],
  slicesOf: () => [slice('node-1')],
  findPool: () => ({ name: 'public', labels: { tier: 'front' } }),
  findPassword: () => undefined,
  ...more,
})
const compileBgp = (all: BgpInput) => new BgpCompiler().compile(all)
const told = (more: Input): Record<string, string[]> =>
  Object.fromEntries(
    compileBgp(input(more)).peers.map(({ name, routes }) => [name, routes.map(({ prefix }) => prefix)]),
  )
const problems = (more: Input): string[] =>
  compileBgp(input(more)).findings.map(({ code, object, field }) => `${code} ${object} ${field}`)

test('addresses of Services with endpoints are told to every peer of their family', () => {
  const services = [service('web', ['192.0.2.1', '2001:db8::1'])]
  const slicesOf = () => [slice('node-2'), slice('node-2', 'IPv6')]
  const peers = [peer('tor'), peer('both', { peerAddress: '172.30.0.2', dualStackAddressFamily: true })]
  const model = compileBgp(input({ services, slicesOf, peers }))
  assert.equal(model.routerId, '172.30.0.11')
  const text = renderBird(lowerBgp(model)!)
  assert.match(text, /protocol bgp 'peer-tor' \{[^}]*ipv4 \{ import none; export filter 'peer-tor-ipv4'/)
  assert.doesNotMatch(text, /'peer-tor-ipv6'/)
  assert.match(text, /filter 'peer-both-ipv6' \{\n {2}if net ~ \[ 2001:db8::1\/128 \]/)
  assert.equal(lowerBgp(compileBgp(input({ peers: [] }))), undefined)
})

test('no endpoint, a policy Local elsewhere, an excluded node, a pool of nobody: nothing is told', () => {
  const services = [service('web', ['192.0.2.1'])]
  const local = [service('web', ['192.0.2.1'], { externalTrafficPolicy: 'Local' })]
  assert.deepEqual(told({ services }), { tor: ['192.0.2.1/32'] })
  assert.deepEqual(told({ services, slicesOf: () => [] }), { tor: [] })
  assert.deepEqual(told({ services: local }), { tor: ['192.0.2.1/32'] })
  assert.deepEqual(told({ services: local, slicesOf: () => [slice('node-2')] }), { tor: [] })
  assert.deepEqual(told({ services, findPool: () => undefined }), { tor: [] })
  const labels = { 'node.kubernetes.io/exclude-from-external-load-balancers': '' }
  assert.deepEqual(told({ services, node: { ...node, metadata: { name: 'node-1', labels } } }), { tor: [] })
  assert.deepEqual(told({ services: [service('web', ['192.0.2.1'], { type: 'ClusterIP' })] }), { tor: [] })
})

test('advertisements choose pools, Services, nodes and peers; prefixes are aggregated, attributes united', () => {
  const services = [service('web', ['192.0.2.17']), service('api', ['192.0.2.18'])]
  const peers = [peer('tor'), peer('core', { peerAddress: '172.30.0.2' })]
  const advertisements = [
    advertisement('a', { aggregationLength: 28, communities: ['64512:1'], peers: ['core'] }),
    advertisement('b', {
      aggregationLength: 28,
      communities: ['no-export', '64512:1'],
      localPref: 150,
      peers: ['core'],
    }),
    advertisement('c', { serviceSelectors: [{ matchLabels: { app: 'web' } }], peers: ['tor'], communities: ['fast'] }),
    advertisement('other-pool', { ipAddressPools: ['private'] }),
    advertisement('other-node', { nodeSelectors: [{ matchLabels: { rack: 'b' } }] }),
    advertisement('by-label', { ipAddressPoolSelectors: [{ matchLabels: { tier: 'back' } }] }),
  ]
  const communities = [
    {
      apiVersion: 'plumb.network/v1alpha1',
      kind: 'Community',
      metadata: { name: 'x' },
      spec: { communities: [{ name: 'fast', value: 'large:1:2:3' }] },
    },
  ]
  const { peers: compiled, findings } = compileBgp(input({ services, peers, advertisements, communities }))
  assert.deepEqual(findings, [])
  assert.deepEqual(
    compiled.map(({ name, routes }) => [name, routes.map(({ because: _, ...route }) => route)]),
    [
      [
        'core',
        [
          {
            prefix: '192.0.2.16/28',
            localPreference: 150,
            communities: [
              [64512, 1],
              [65535, 65281],
            ],
          },
        ],
      ],
      ['tor', [{ prefix: '192.0.2.17/32', localPreference: undefined, communities: [[1, 2, 3]] }]],
    ],
  )
  assert.deepEqual(compiled[0]?.routes[0]?.because.length, 4, 'the model knows for whom a prefix is told')
})

test('what makes no sense is told with object, field and remedy, and costs nobody else anything', () => {
  assert.deepEqual(problems({ peers: [peer('tor', { peerAddress: 'router' })] }), [
    'InvalidAddress bgppeer/tor spec.peerAddress',
  ])
  assert.deepEqual(problems({ peers: [peer('tor', { bfdProfile: 'fast' })] }), [
    'NoBFDProfile bgppeer/tor spec.bfdProfile',
  ])
  assert.deepEqual(problems({ peers: [peer('tor', { passwordSecret: { name: 'bgp' } })] }), [
    'NoPassword bgppeer/tor spec.passwordSecret',
  ])
  assert.deepEqual(problems({ peers: [peer('tor', { password: 'a"; include "/etc/shadow' })] }), [
    'InvalidPassword bgppeer/tor spec.password',
  ])
  assert.deepEqual(problems({ peers: [peer('a'), peer('b')] }), ['SamePeer bgppeer/b spec.peerAddress'])
  const advertisements = [advertisement('x', { communities: ['1:99999'], peers: ['nobody', 'tor'] })]
  assert.deepEqual(problems({ advertisements }), [
    'InvalidCommunity bgpadvertisement/x spec.communities[0]',
    'NoPeer bgpadvertisement/x spec.peers[0]',
  ])
  assert.deepEqual(told({ advertisements, services: [service('web', ['192.0.2.1'])] }), { tor: ['192.0.2.1/32'] })
})

test('timers, passwords out of Secrets, BFD over several hops', () => {
  const spec = {
    passwordSecret: { name: 'bgp', namespace: 'net' },
    bfdProfile: 'fast',
    ebgpMultiHop: true,
    holdTime: '1m30s',
    connectTime: '500ms',
  }
  const profiles = [
    {
      apiVersion: 'plumb.network/v1alpha1',
      kind: 'BFDProfile',
      metadata: { name: 'fast' },
      spec: { receiveInterval: 100 },
    },
  ]
  const findPassword = (namespace: string, name: string) =>
    `${namespace}/${name}` === 'net/bgp' ? 'pass word' : undefined
  const [compiled] = compileBgp(input({ peers: [peer('tor', spec)], profiles, findPassword })).peers
  assert.deepEqual(
    [
      compiled?.password,
      compiled?.holdSeconds,
      compiled?.keepaliveSeconds,
      compiled?.connectRetrySeconds,
      compiled?.localAddress,
    ],
    ['pass word', 90, 30, 1, parseAddress('172.30.0.11')],
  )
  assert.deepEqual(compiled?.bfd, { receiveMs: 100, transmitMs: 300, multiplier: 3, passive: false })
})

test('egress addresses are told by who holds them, where an advertisement has their pool and asks for no Services', () => {
  const held = [
    {
      address: parseAddress('198.51.100.7'),
      because: { object: 'egress/red', field: 'spec.egressIP', value: '198.51.100.7' },
    },
  ]
  assert.deepEqual(told({ held }), { tor: ['198.51.100.7/32'] })
  assert.deepEqual(told({ held, findPool: () => undefined }), { tor: [] })
  const advertisements = [
    advertisement('services', { serviceSelectors: [{}] }),
    advertisement('elsewhere', { ipAddressPools: ['private'] }),
  ]
  assert.deepEqual(told({ held, advertisements }), { tor: [] })
})

test('a Service that changes costs itself alone, and leaves what it leaves when a twin asks for the same prefix', () => {
  const compiler = new BgpCompiler()
  const looked: string[] = []
  const advertisements = [advertisement('all', { aggregationLength: 24, communities: ['64512:7'] })]
  const of = (...services: Service[]) =>
    input({
      services,
      advertisements,
      slicesOf: (one) => {
        looked.push(one.metadata.name)
        return [slice('node-1')]
      },
    })
  const [web, api] = [service('web', ['192.0.2.1']), service('api', ['192.0.2.2'])]
  const routes = (model: ReturnType<typeof compileBgp> | undefined) =>
    model?.peers[0]?.routes.map(({ prefix }) => prefix)
  assert.deepEqual(routes(compiler.compile(of(web, api))), ['192.0.2.0/24'])
  looked.length = 0
  assert.equal(compiler.change(of(web, api), ['shop/web']), undefined)
  assert.deepEqual(looked, ['web'])
  const moved = service('web', ['203.0.113.1'])
  assert.deepEqual(routes(compiler.change(of(moved, api), ['shop/web'])), ['192.0.2.0/24', '203.0.113.0/24'])
  assert.deepEqual(routes(compiler.change(of(moved), ['shop/api'])), ['203.0.113.0/24'])
  assert.deepEqual(routes(compiler.change(of(), ['shop/web'])), [])
})
