import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { before, test } from 'node:test'
import { type Address, type Family, parseAddress } from '../addr/index.ts'
import type { Namespace } from '../host/index.ts'
import type { EndpointSlice, Service } from '../objects/index.ts'
import { agentOnRig } from './agent-on-rig.fixture.ts'
import type { Agent } from './index.ts'
import { askTcp, host, openUdp, serveTcp, serveUdp, serviceObject, sliceObject } from './rig.fixture.ts'

const vips = { 4: parseAddress('10.96.0.1'), 6: parseAddress('fd00:96::1') }
const balancer = { 4: parseAddress('198.51.100.1'), 6: parseAddress('2001:db8:51::1') }
const nodePort = 30080
const { rig, objects, log, closing, start } = agentOnRig()
let agent: Agent

before(async () => {
  for (const backend of rig.backends) {
    for (const family of [4, 6] as const)
      closing.push(serveTcp(backend, family, 8081, true), serveUdp(backend, family, 5353))
  }
  put({ name: 'as it began', spec: {}, nodePort: 'refused', balancer: 'silence' })
  agent = await start()
  await agent.ready
})

interface Step {
  readonly name: string
  readonly spec: Partial<Service['spec']>
  readonly annotations?: Record<string, string>
  readonly families?: readonly Family[]
  /** What somebody outside meets at the node port, and at the load balancer's address. */
  readonly nodePort: 'answered' | 'refused'
  readonly balancer: 'answered' | 'silence'
}

const external = { type: 'NodePort' } as const
const balanced = { type: 'LoadBalancer' } as const
const steps: readonly Step[] = [
  { name: 'ClusterIP → NodePort', spec: external, nodePort: 'answered', balancer: 'silence' },
  { name: 'NodePort → LoadBalancer', spec: balanced, nodePort: 'answered', balancer: 'answered' },
  {
    name: 'externalTrafficPolicy Cluster → Local',
    spec: { ...balanced, externalTrafficPolicy: 'Local', healthCheckNodePort: 30999 },
    nodePort: 'answered',
    balancer: 'answered',
  },
  {
    name: 'sessionAffinity None → ClientIP',
    spec: { ...balanced, externalTrafficPolicy: 'Local', healthCheckNodePort: 30999, sessionAffinity: 'ClientIP' },
    nodePort: 'answered',
    balancer: 'answered',
  },
  {
    name: 'externalTrafficPolicy Local → Cluster, the affinity stays',
    spec: { ...balanced, sessionAffinity: 'ClientIP' },
    nodePort: 'answered',
    balancer: 'answered',
  },
  {
    name: 'sessionAffinity ClientIP → None, internalTrafficPolicy Cluster → Local',
    spec: { ...balanced, internalTrafficPolicy: 'Local' },
    nodePort: 'answered',
    balancer: 'answered',
  },
  {
    name: 'Maglev and draining',
    spec: balanced,
    annotations: { 'plumb.network/load-balancing': 'maglev', 'plumb.network/drain-seconds': '30' },
    nodePort: 'answered',
    balancer: 'answered',
  },
  {
    name: 'allocateLoadBalancerNodePorts false',
    spec: { ...balanced, allocateLoadBalancerNodePorts: false },
    nodePort: 'refused',
    balancer: 'answered',
  },
  { name: 'dual-stack → IPv4 alone', spec: external, families: [4], nodePort: 'answered', balancer: 'silence' },
  { name: 'IPv4 → dual-stack', spec: external, nodePort: 'answered', balancer: 'silence' },
  { name: 'NodePort → ClusterIP', spec: {}, nodePort: 'refused', balancer: 'silence' },
]

function put({ spec, annotations = {}, families = [4, 6] }: Step): void {
  const external = spec.type !== undefined && spec.allocateLoadBalancerNodePorts !== false
  const made = serviceObject(
    'web',
    families.map((family) => vips[family]),
    {
      ipFamilies: families.map((family) => (family === 4 ? 'IPv4' : 'IPv6')),
      ports: [
        { name: 'echo', port: 80, protocol: 'TCP', ...(external ? { nodePort } : {}) },
        { name: 'udp', port: 53, protocol: 'UDP', ...(external ? { nodePort } : {}) },
      ],
      ...spec,
    },
  )
  const ingress = families.map((family) => ({ ip: balancer[family] }))
  objects.put({
    ...made,
    metadata: { ...made.metadata, annotations },
    ...(spec.type === 'LoadBalancer' ? { status: { loadBalancer: { ingress } } } : {}),
  })
  for (const family of [4, 6] as const) {
    const slice = sliceObject(
      'web',
      family,
      rig.backends.map(({ addresses }) => addresses[family]),
    )
    const ports = [
      { name: 'echo', port: 8081, protocol: 'TCP' },
      { name: 'udp', port: 5353, protocol: 'UDP' },
    ]
    if (families.includes(family)) objects.put({ ...slice, ports } as EndpointSlice)
    else objects.delete('EndpointSlice', `ns/web-${family}`)
  }
}

/** What a connection meets: an endpoint's answer, a refusal, or silence for long enough. */
async function meets(from: Namespace, address: Address, port: number): Promise<string> {
  const socket = new Socket({ fd: host.connectTcp(from, address, port).fd })
  closing.push({ close: () => socket.destroy() })
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, 500, 'silence')
    const say = (what: string) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(what)
    }
    socket.once('data', () => say('answered'))
    socket.once('error', (error: NodeJS.ErrnoException) =>
      say(error.code === 'ECONNREFUSED' ? 'refused' : String(error)),
    )
  })
}

test('every transition of a Service under traffic: clients of the ClusterIP never notice, those outside meet what is declared', async () => {
  let over = false
  const counts = { tcp: 0, udp: 0, echoes: 0 }
  const failures: string[] = []
  let current = 'at the start'
  const hammer = async (ask: () => Promise<string>, kind: 'tcp' | 'udp'): Promise<void> => {
    while (!over) {
      const said = await ask()
      if (!/^backend-[12] /.test(said)) failures.push(`${kind} ${current}: ${said}`)
      counts[kind]++
    }
  }
  const long = new Socket({ fd: host.connectTcp(rig.client.namespace, vips[4], 80).fd })
  await once(long, 'data')
  const echo = async (): Promise<void> => {
    while (!over) {
      long.write('?')
      await once(long, 'data')
      counts.echoes++
    }
  }
  const udp = openUdp(rig.client, 4)
  closing.push(udp, { close: () => long.destroy() })
  const work = [
    hammer(() => askTcp(rig.client.namespace, vips[4], 80), 'tcp'),
    hammer(() => askTcp(rig.node, vips[4], 80), 'tcp'),
    hammer(() => udp.ask(vips[4], 53), 'udp'),
    echo(),
  ]
  for (const step of steps) {
    current = step.name
    put(step)
    await agent.settled()
    const before = { ...counts }
    for (const family of step.families ?? ([4, 6] as const)) {
      assert.match(await askTcp(rig.client.namespace, vips[family], 80), /^backend-[12] /, step.name)
      assert.equal(await meets(rig.outsider.namespace, rig.nodeAddresses[family], nodePort), step.nodePort, step.name)
      assert.equal(await meets(rig.client.namespace, balancer[family], 80), step.balancer, step.name)
    }
    while (Object.entries(before).some(([kind, count]) => counts[kind as keyof typeof counts] < count + 5))
      await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(failures, [], log.lines.join('\n'))
  }
  over = true
  await Promise.all(work)
  assert.deepEqual(failures, [])
  assert.deepEqual(
    log.lines.filter((line) => line.includes('error')),
    [],
  )
})
