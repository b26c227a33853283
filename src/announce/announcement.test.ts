import assert from 'node:assert/strict'
import { test } from 'node:test'
import { underlayAnnotation } from '../cluster/index.ts'
import type { EndpointSlice, L2Advertisement, Node, Service } from '../objects/index.ts'
import { mergeAnnouncements, serviceAnnouncements } from './announcement.ts'

type Conditions = EndpointSlice['endpoints'][number]['conditions']

function service(spec: Partial<Service['spec']> = {}, ips = ['192.0.2.1']): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'shop', labels: { app: 'web' } },
    spec: { type: 'LoadBalancer', ...spec },
    status: { loadBalancer: { ingress: ips.map((ip) => ({ ip })) } },
  }
}

function slice(endpoints: Record<string, Conditions>, addressType: 'IPv4' | 'IPv6' = 'IPv4'): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'web-1', namespace: 'shop' },
    addressType,
    endpoints: Object.entries(endpoints).map(([nodeName, conditions]) => ({
      addresses: [],
      nodeName,
      ...(conditions && { conditions }),
    })),
  }
}

const node = (name: string, labels: Record<string, string> = {}, status: Node['status'] = {}): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels },
  status,
})
/** The same on a segment, as its agent tells it. */
const on = (segment: string, { metadata, ...rest }: Node): Node => {
  const annotations = { [underlayAnnotation]: `segments=${segment} vxlan=80:8472 mtu=1500` }
  return { ...rest, metadata: { ...metadata, annotations } }
}
const advertisement = (spec: L2Advertisement['spec'] = {}): L2Advertisement => ({
  apiVersion: 'plumb.network/v1alpha1',
  kind: 'L2Advertisement',
  metadata: { name: 'a' },
  spec,
})

const nodes = [node('n1', { zone: 'a' }), node('n2', { zone: 'b' }), node('n3', { zone: 'b' })]
const ready = slice({ n1: undefined, n2: { ready: true } })
const local = { externalTrafficPolicy: 'Local' as const }
const zone = (value: string) => ({ matchLabels: { zone: value } })

interface Case {
  readonly service?: Service
  readonly slices?: EndpointSlice[]
  readonly nodes?: Node[]
  readonly advertisements?: L2Advertisement[]
  readonly byRoute?: L2Advertisement[]
}

function ask(one: Case): string {
  const { announcements, findings } = serviceAnnouncements(one.service ?? service(), one.slices ?? [ready], {
    nodes: one.nodes ?? nodes,
    advertisements: one.advertisements ?? [advertisement()],
    byRoute: one.byRoute ?? [],
    findPool: (address) => (address.startsWith('203.') ? undefined : { name: 'pool', labels: { tier: 'gold' } }),
  })
  const told = announcements.map(({ claim, links, isRouted }) => {
    const at = (name: string) =>
      `${name}${links.has(name) ? `@${links.get(name)}` : ''}${claim.preference?.has(name) ? `*${claim.preference.get(name)}` : ''}`
    return `${claim.address} ${claim.eligible.map(at).join(' ')}${isRouted ? ' by routes too' : ''}`.trim()
  })
  return [...told, ...findings.map(({ code }) => code)].join('; ')
}

const cases: readonly [string, Case, string][] = [
  ['any node leads to endpoints', {}, '192.0.2.1 n1 n2 n3'],
  ['Local: where endpoints are ready', { service: service(local) }, '192.0.2.1 n1 n2'],
  ['no endpoint is ready', { slices: [slice({ n1: { ready: false } })] }, '192.0.2.1'],
  ['no slice', { slices: [] }, '192.0.2.1'],
  [
    'all terminate, one still serves',
    {
      service: service(local),
      slices: [slice({ n1: { ready: false, serving: false }, n3: { ready: false, serving: true, terminating: true } })],
    },
    '192.0.2.1 n3',
  ],
  ['endpoints of another family', { slices: [slice({ n1: { ready: true } }, 'IPv6')] }, '192.0.2.1'],
  [
    'both families',
    { service: service({}, ['192.0.2.1', '2001:db8::1']), slices: [ready, slice({ n3: { ready: true } }, 'IPv6')] },
    '192.0.2.1 n1 n2 n3; 2001:db8::1 n1 n2 n3',
  ],
  ['not a load balancer', { service: service({ type: 'NodePort' }) }, ''],
  ['another one’s address', { service: service({}, ['203.0.113.1']) }, ''],
  [
    'excluded, cut off and leaving nodes',
    {
      nodes: [
        node('n1', { 'node.kubernetes.io/exclude-from-external-load-balancers': '' }),
        node('n2', {}, { conditions: [{ type: 'NetworkUnavailable', status: 'True' }] }),
        node('n3'),
      ],
    },
    '192.0.2.1 n3',
  ],
  ['a cordoned node goes on', { nodes: [{ ...node('n1'), spec: { unschedulable: true } }] }, '192.0.2.1 n1'],
  [
    'an address of a segment is for nodes there',
    { nodes: [on('192.0.2.0/24', node('n1')), on('198.51.100.0/24', node('n2')), node('n3')] },
    '192.0.2.1 n1 n3',
  ],
  [
    'an address of no segment is for all',
    { nodes: [on('198.51.100.0/24', node('n1')), on('10.0.0.0/8', node('n2'))] },
    '192.0.2.1 n1 n2',
  ],
  ['no advertisement', { advertisements: [] }, 'NotAdvertised'],
  ['one by BGP too', { byRoute: [advertisement()] }, '192.0.2.1 n1 n2 n3 by routes too'],
  ['one by BGP alone', { advertisements: [], byRoute: [advertisement()] }, ''],
  [
    'one by BGP for others',
    { advertisements: [], byRoute: [advertisement({ ipAddressPools: ['x'] })] },
    'NotAdvertised',
  ],
  ['another pool', { advertisements: [advertisement({ ipAddressPools: ['x'] })] }, 'NotAdvertised'],
  [
    'the pool by label',
    {
      advertisements: [
        advertisement({ ipAddressPools: ['x'], ipAddressPoolSelectors: [{ matchLabels: { tier: 'gold' } }] }),
      ],
    },
    '192.0.2.1 n1 n2 n3',
  ],
  [
    'other Services',
    { advertisements: [advertisement({ serviceSelectors: [{ matchLabels: { app: 'db' } }] })] },
    'NotAdvertised',
  ],
  [
    'nodes by selector, and links',
    { advertisements: [advertisement({ nodeSelectors: [zone('b')], interfaces: ['eth1', 'eth0'] })] },
    '192.0.2.1 n2@eth0,eth1 n3@eth0,eth1',
  ],
  [
    'two advertisements',
    {
      advertisements: [
        advertisement({ nodeSelectors: [zone('a')], interfaces: ['eth1'] }),
        advertisement({ nodeSelectors: [{ matchLabels: { zone: 'b' } }] }),
      ],
    },
    '192.0.2.1 n1@eth1 n2 n3',
  ],
  [
    'one that names links and one that does not',
    { advertisements: [advertisement({ interfaces: ['eth1'] }), advertisement()] },
    '192.0.2.1 n1 n2 n3',
  ],
  [
    'preferred nodes',
    {
      advertisements: [
        advertisement({
          preferredNodeSelectors: [
            { weight: 10, preference: zone('b') },
            { weight: 5, preference: { matchExpressions: [{ key: 'zone', operator: 'Exists' }] } },
          ],
        }),
      ],
    },
    '192.0.2.1 n1*5 n2*15 n3*15',
  ],
]
for (const [name, input, expected] of cases) test(name, () => assert.equal(ask(input), expected))

test('Services that share an address are announced where any of them may be', () => {
  const surroundings = {
    nodes,
    advertisements: [advertisement()],
    byRoute: [],
    findPool: () => ({ name: 'pool', labels: {} }),
  }
  const one = serviceAnnouncements(service(local), [slice({ n1: undefined })], surroundings)
  const two = serviceAnnouncements(service(local), [slice({ n3: undefined })], surroundings)
  const merged = mergeAnnouncements([...one.announcements, ...two.announcements])
  assert.deepEqual(
    [...merged.values()].map(({ claim }) => claim.eligible),
    [['n1', 'n3']],
  )
})
