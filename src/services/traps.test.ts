import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress, parsePrefix } from '../addr/index.ts'
import type { EndpointSlice, Service } from '../objects/index.ts'
import { compileService, explainService, lowerService, type ServiceModel, ServiceTables } from './index.ts'
import { endpoint, service, slice } from './objects.fixture.ts'

const nodeAddress = parseAddress('172.30.0.11')
const node = {
  name: 'n1',
  zone: 'z1',
  addresses: [nodeAddress],
  nodePortAddresses: [nodeAddress, parseAddress('fd00:30::11')],
}
const podPrefixes = [parsePrefix('10.244.0.0/16')]
const ready = { ready: true, serving: true, terminating: false }
const ending = { ready: false, serving: true, terminating: true }
const here = endpoint(1, ready, 'n1')
const there = endpoint(2, ready, 'n2')
const pod = '10.244.9.9'
const outside = '203.0.113.10'
const own = '172.30.0.11'

function model(
  spec: Partial<Service['spec']>,
  endpoints: EndpointSlice['endpoints'],
  status?: Service['status'],
): ServiceModel {
  const made = service('web', '10.96.0.1', {
    type: 'LoadBalancer',
    ports: [{ port: 80, nodePort: 30080, protocol: 'TCP' }],
    externalIPs: ['198.51.100.9'],
    ...spec,
  })
  const balanced = status ?? { loadBalancer: { ingress: [{ ip: '198.51.100.1' }] } }
  return compileService({ ...made, status: balanced }, [slice(endpoints)], node)
}

/** What becomes of a connection: `reject`, `drop`, `pass`, or endpoints with how they see the client. */
function outcome(one: ServiceModel, source: string, destination: string, port: number): string {
  const question = {
    source: parseAddress(source),
    destination: parseAddress(destination),
    protocol: 'tcp' as const,
    port,
  }
  const answer = explainService(question, {
    node,
    models: [one],
    podPrefixes,
    ownPodPrefixes: podPrefixes,
    servicePrefixes: [],
  }).outcome
  if (answer.kind !== 'balance') return answer.kind
  return answer.targets.map(({ address, source: as }) => `${address.split('.').at(-1)} ${as}`).join(', ')
}

const local = { externalTrafficPolicy: 'Local' } as const
const ranges = (...loadBalancerSourceRanges: string[]) => ({ loadBalancerSourceRanges })
const lb = ['198.51.100.1', 80] as const
const nodePort = [own, 30080] as const
const externalIp = ['198.51.100.9', 80] as const
const cluster = ['10.96.0.1', 80] as const

/** The behaviours that implementations get wrong, a row each. */
const traps: readonly [
  trap: string,
  spec: Partial<Service['spec']>,
  endpoints: EndpointSlice['endpoints'],
  source: string,
  destination: readonly [string, number],
  outcome: string,
][] = [
  ['none anywhere: refused, Local too', local, [], outside, lb, 'reject'],
  ['Local with only remote ones: silence', local, [there], outside, nodePort, 'drop'],
  ['… but not for pods, unmasqueraded', local, [there], pod, nodePort, '2 kept'],
  ['… nor for the node, masqueraded', local, [there], own, lb, '2 masqueraded'],
  ['Local keeps the source', local, [here, there], outside, externalIp, '1 kept'],
  ['Cluster masquerades who is outside', {}, [here, there], outside, lb, '1 masqueraded, 2 masqueraded'],
  ['… and pods that come by an external address', {}, [here], pod, lb, '1 masqueraded'],
  ['a pod at the ClusterIP is itself', {}, [here], pod, cluster, '1 kept'],
  ['the node at the ClusterIP is masqueraded', {}, [here], own, cluster, '1 masqueraded'],
  ['the external policy is not the internal one', local, [here, there], pod, cluster, '1 kept, 2 kept'],
  [
    'the internal policy is not the external one',
    { internalTrafficPolicy: 'Local' },
    [there],
    outside,
    lb,
    '2 masqueraded',
  ],
  [
    'Local falls back to what terminates here, although others are ready',
    local,
    [endpoint(3, ending, 'n1'), there],
    outside,
    lb,
    '3 kept',
  ],
  ['hints do not apply to Local', local, [{ ...here, hints: { forZones: [{ name: 'z9' }] } }], outside, lb, '1 kept'],
  ['ranges bind the load balancer’s address', ranges('192.0.2.0/24'), [here], outside, lb, 'drop'],
  ['… for pods too', ranges('192.0.2.0/24'), [here], pod, lb, 'drop'],
  ['… not the node port', ranges('192.0.2.0/24'), [here], outside, nodePort, '1 masqueraded'],
  ['… not the external IP', ranges('192.0.2.0/24'), [here], outside, externalIp, '1 masqueraded'],
  ['… not the ClusterIP', ranges('192.0.2.0/24'), [here], pod, cluster, '1 kept'],
  ['… with blanks around', ranges(' 203.0.113.0/24 '), [here], outside, lb, '1 masqueraded'],
  [
    'the address itself may come where the node may',
    ranges('172.30.0.0/16'),
    [here],
    '198.51.100.1',
    lb,
    '1 masqueraded',
  ],
  ['… and where not, not', ranges('192.0.2.0/24'), [here], '198.51.100.1', lb, 'drop'],
  ['ranges of the other family alone bind nothing', ranges('2001:db8::/32'), [here], outside, lb, '1 masqueraded'],
  ['a broken range admits nobody', ranges('everybody'), [here], outside, lb, 'drop'],
  ['a port that is no node port is the node’s', {}, [here], outside, [own, 31000], 'pass'],
  ['without node ports (allocateLoadBalancerNodePorts)', { ports: [{ port: 80 }] }, [here], outside, nodePort, 'pass'],
]
for (const [trap, spec, endpoints, source, [address, port], wanted] of traps) {
  test(`trap: ${trap}`, () => assert.equal(outcome(model(spec, endpoints), source, address, port), wanted))
}

test('a load balancer that is a proxy connects to node ports, so its address is not served', () => {
  const proxied = model({}, [here], { loadBalancer: { ingress: [{ ip: '198.51.100.1', ipMode: 'Proxy' }] } })
  assert.equal(outcome(proxied, outside, ...lb), 'pass')
  assert.equal(outcome(proxied, outside, ...nodePort), '1 masqueraded')
})

test('health checks count ready endpoints of this node, not those that terminate', () => {
  const check = { ...local, healthCheckNodePort: 32000 }
  const counted = model(check, [here, there, endpoint(3, ending, 'n1')]).healthCheck
  // The Service has IPv4 alone: at a node's IPv6 address the same is told.
  assert.deepEqual(counted, { port: 32000, localEndpoints: { 4: 1, 6: 1 } })
  const both = model({ ...check, clusterIPs: ['10.96.0.1', 'fd00:96::1'] }, [here]).healthCheck
  assert.deepEqual(both?.localEndpoints, { 4: 1, 6: 0 })
  assert.equal(model(check, [endpoint(3, ending, 'n1')]).healthCheck?.localEndpoints[4], 0)
  assert.equal(model({ healthCheckNodePort: 32000 }, [here]).healthCheck, undefined)
})

test('mistakes in external addresses are told with field and value', () => {
  const { findings } = model(
    { externalIPs: ['2001:db8::1', '198.51.100.300'], loadBalancerSourceRanges: ['192.0.2.0/24', '10.0.0.0/40'] },
    [here],
    { loadBalancer: { ingress: [{ ip: 'lb.example' }, { hostname: 'lb.example' }, { ip: '198.51.100.1' }] } },
  )
  assert.deepEqual(
    findings.map(({ code, field, says }) => `${code} ${field}: ${says}`),
    [
      'BrokenExternalIP spec.externalIPs[1]: "198.51.100.300" is not an IP address',
      'BrokenIngressIP status.loadBalancer.ingress[0].ip: "lb.example" is not an IP address',
      'FamilyNotServed spec.externalIPs[0]: 2001:db8::1 is not served: the Service has no ClusterIP of IPv6',
      'BrokenSourceRange spec.loadBalancerSourceRanges[1]: "10.0.0.0/40" is not a prefix',
    ],
  )
})

test('types and families come and go without leaving anything', () => {
  const tables = new ServiceTables()
  tables.full()
  const elements = new Map<string, string>()
  const take = (one: ServiceModel | undefined): void => {
    const { operations } = tables.update([['ns/web', one && lowerService(one, node.name)]])
    for (const operation of operations) {
      if (!('elements' in operation) || operation.set.name.endsWith('classes')) continue
      for (const { key } of operation.elements) {
        const id = `${operation.family} ${operation.set.name} ${key}`
        if (operation.kind === 'delete-elements') assert.ok(elements.delete(id), id)
        else elements.set(id, '')
      }
    }
  }
  const dual = { clusterIPs: ['10.96.0.1', 'fd00:96::1'] }
  const states: Partial<Service['spec']>[] = [
    {},
    { type: 'ClusterIP', externalIPs: [] },
    { ...dual, sessionAffinity: 'ClientIP' },
    { ...dual, ...local, type: 'NodePort' },
    { clusterIPs: ['fd00:96::1'] },
    { ...local, ...ranges('192.0.2.0/24'), sessionAffinity: 'ClientIP' },
    { type: 'ExternalName' },
  ]
  for (const spec of states) {
    take(model(spec, [here, there]))
    const nodePorts = [...elements.keys()].filter((key) => /(service-class|no-endpoints) .* 30080$/.test(key))
    const wanted = spec.type === 'ClusterIP' || spec.type === 'ExternalName' ? 0 : (spec.clusterIPs?.length ?? 1)
    assert.equal(nodePorts.length, wanted, JSON.stringify(spec))
  }
  take(undefined)
  assert.deepEqual([...elements.keys()], [])
})
