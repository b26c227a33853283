import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { snapshotOf } from '../cluster/index.ts'
import { askAgent } from '../cni/index.ts'
import type { KubeEvent, KubeObject, Pod } from '../objects/index.ts'
import { namespaceObject, policyObject } from '../policies/cluster.fixture.ts'
import { explainPolicies } from '../policies/index.ts'
import { FlowRing } from './flow-ring.ts'
import type { ConnectionsResponse, DeniedFlow, FlowsResponse, ObserveResponse } from './index.ts'
import { type Agent, startAgent } from './index.ts'
import {
  askTcp,
  buildRig,
  host,
  nodeObject,
  Objects,
  openUdp,
  quietLog,
  type Rig,
  type Station,
  serveTcp,
  serveUdp,
  servicePrefixes,
} from './rig.fixture.ts'

const folder = mkdtempSync(join(tmpdir(), 'plumb-flows-'))
const socket = join(folder, 'agent.sock')
const events: KubeEvent[] = []
const closing: { close(): void }[] = []
let rig: Rig
let objects: Objects
let agent: Agent

const podOf = ({ name, addresses }: Station): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'ns', labels: { app: name }, uid: name },
  spec: { nodeName: 'node-1', containers: [{ name: 'main' }] },
  status: { phase: 'Running', podIPs: [{ ip: addresses[4] }, { ip: addresses[6] }] },
})

before(async () => {
  rig = buildRig()
  objects = new Objects()
  for (const one of [nodeObject('node-1', rig), namespaceObject('ns'), ...[rig.client, ...rig.backends].map(podOf)])
    objects.put(one)
  for (const family of [4, 6] as const) {
    closing.push(serveTcp(rig.backends[0], family, 8080), serveUdp(rig.backends[0], family, 5353))
    closing.push(serveTcp(rig.backends[0], family, 8081, true))
  }
  const create = async (_: unknown, event: KubeObject) => events.push(event as KubeEvent)
  agent = await startAgent({
    client: Object.assign(objects.client, { create, patch: async () => ({}) }) as typeof objects.client,
    host,
    namespace: rig.node,
    nodeName: 'node-1',
    options: { servicePrefixes, log: quietLog(), policies: 'strict', socket: { path: socket } },
  })
  await agent.ready
})
after(async () => {
  await agent.stop()
  for (const one of closing) one.close()
  rig.close()
  rmSync(folder, { recursive: true })
})

async function apply(...policies: KubeObject[]): Promise<void> {
  for (const name of ['p', 'q']) objects.delete('NetworkPolicy', `ns/${name}`)
  for (const one of policies) objects.put(one)
  await agent.settled()
}

async function flows(after: number): Promise<FlowsResponse> {
  const { status, answer } = await askAgent<FlowsResponse>(socket, '/flows', { after }, 5000)
  assert.equal(status, 200, answer.error)
  return answer
}

/** Sends until the flow is told. */
async function told(send: () => void, wanted: (flow: DeniedFlow) => boolean, point: number): Promise<DeniedFlow> {
  for (;;) {
    send()
    const found = (await flows(point)).flows.find(wanted)
    if (found !== undefined) return found
  }
}

const closed = (name: string) =>
  policyObject('p', { podSelector: { matchLabels: { app: name } }, policyTypes: ['Ingress'] })

for (const family of [4, 6] as const) {
  test(`IPv${family}: a denied flow is told with its ends, its port and its policies`, {
    timeout: 60_000,
  }, async () => {
    const [backend] = rig.backends
    await apply(closed('backend-1'), { ...closed('backend-1'), metadata: { name: 'q', namespace: 'ns' } } as KubeObject)
    const point = (await flows(0)).next
    const udp = openUdp(rig.client, family)
    const send = () => void udp.ask(backend.addresses[family], 5353)
    const flow = await told(send, ({ protocol }) => protocol === 'udp', point)
    udp.close()
    const { sequence: _, firstSeen: _f, lastSeen: _l, packets: _p, ...what } = flow
    assert.deepEqual(what, {
      verdict: 'denied',
      direction: 'ingress',
      pod: 'ns/backend-1',
      address: backend.addresses[family],
      peer: { address: rig.client.addresses[family], pod: 'ns/client' },
      protocol: 'udp',
      port: 5353,
      policies: ['networkpolicy/ns/p', 'networkpolicy/ns/q'],
    })
    const event = events.find(({ message }) => message?.includes(rig.client.addresses[family]))
    assert.deepEqual([event?.reason, event?.involvedObject.name, event?.type], ['PolicyDenied', 'backend-1', 'Warning'])
    assert.match(
      event?.message ?? '',
      /^ingress from pod\/ns\/client .* port 5353\/udp is denied by networkpolicy\/ns\/p/,
    )
    const { text } = await agent.metrics.scrape()
    assert.match(
      text,
      /plumb_policy_logged_packets_total\{verdict="denied",namespace="ns",direction="ingress",policy="networkpolicy\/ns\/p"\} \d/,
    )
  })

  test(`IPv${family}: an audited policy tells what it would deny, and lets it pass`, { timeout: 60_000 }, async () => {
    const [backend] = rig.backends
    const policy = closed('client')
    const audited: KubeObject = {
      ...policy,
      metadata: { ...policy.metadata, annotations: { 'plumb.network/audit': 'true' } },
      spec: { podSelector: { matchLabels: { app: 'client' } }, policyTypes: ['Egress'] },
    } as KubeObject
    await apply(audited)
    const point = (await flows(0)).next
    const answer = await askTcp(rig.client.namespace, backend.addresses[family], 8080)
    assert.match(answer, /^backend-1 /, 'it passes')
    const flow = await told(
      () => undefined,
      ({ pod }) => pod === 'ns/client',
      point,
    )
    assert.deepEqual([flow.verdict, flow.direction, flow.port], ['audited', 'egress', 8080])
    assert.deepEqual(flow.policies, ['networkpolicy/ns/p'])
    // Beside a policy that is enforced and closes the pod, an audited one allows nothing.
    await apply(policyObject('q', { podSelector: { matchLabels: { app: 'client' } }, policyTypes: ['Egress'] }), {
      ...audited,
      spec: { podSelector: {}, policyTypes: ['Egress'], egress: [{}] },
    } as KubeObject)
    const later = (await flows(0)).next
    const udp = openUdp(rig.client, family)
    const send = () => void udp.ask(backend.addresses[family], 5353)
    const denied = await told(send, ({ protocol }) => protocol === 'udp', later)
    udp.close()
    assert.deepEqual([denied.verdict, denied.policies], ['denied', ['networkpolicy/ns/q']])
  })
}

test('a connection that was open when a policy came to deny it is told as cut, one that had ended is not', {
  timeout: 60_000,
}, async () => {
  await apply()
  const [backend] = rig.backends
  await askTcp(rig.client.namespace, backend.addresses[6], 8080)
  const open = new Socket({ fd: host.connectTcp(rig.client.namespace, backend.addresses[4], 8081).fd })
  await once(open, 'data')
  const point = (await flows(0)).next
  await apply(closed('backend-1'))
  const cuts = (await flows(point)).flows.filter(({ verdict }) => verdict === 'cut')
  open.destroy()
  assert.deepEqual(
    cuts.map(({ direction, pod, peer, port, policies }) => [direction, pod, peer.pod, peer.address, port, policies]),
    [['ingress', 'ns/backend-1', 'ns/client', rig.client.addresses[4], 8081, ['networkpolicy/ns/p']]],
  )
  const event = events.find(({ reason }) => reason === 'PolicyCut')
  assert.match(event?.message ?? '', /port 8081\/tcp was open, and is cut by networkpolicy\/ns\/p$/)
})

test('what pods of a namespace talk with is told as policies see it', { timeout: 60_000 }, async () => {
  await apply()
  const [backend] = rig.backends
  await askTcp(rig.client.namespace, backend.addresses[6], 8080)
  const udp = openUdp(rig.outsider, 4)
  await udp.ask(backend.addresses[4], 5353)
  udp.close()
  const ask = async (namespace: string) =>
    (await askAgent<ConnectionsResponse>(socket, '/connections', { namespace }, 5000)).answer.flows
  const flows = (await ask('ns')).map(({ source, destination, protocol, port }) =>
    [source, destination, protocol, port].join(' '),
  )
  assert.ok(flows.includes(`${rig.client.addresses[6]} ${backend.addresses[6]} tcp 8080`), flows.join())
  assert.ok(flows.includes(`${rig.outsider.addresses[4]} ${backend.addresses[4]} udp 5353`), flows.join())
  assert.deepEqual(await ask('other'), [])
})

test('a policy that cannot be read says so in an Event of its own, once', { timeout: 60_000 }, async () => {
  const broken = policyObject('p', { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: 'nonsense' } }] }] })
  await apply({ ...broken, metadata: { ...broken.metadata, uid: 'p', generation: 1 } } as KubeObject)
  objects.put({ ...closed('nobody'), metadata: { name: 'q', namespace: 'ns' } } as KubeObject)
  await agent.settled()
  const told = events.filter(({ involvedObject }) => involvedObject.kind === 'NetworkPolicy')
  assert.deepEqual(
    told.map(({ reason, metadata, type }) => [reason, metadata.name, type]),
    [['BrokenPrefix', 'p.1-brokenprefix-spec-ingress-0-from-0-ipblock-cidr', 'Warning']],
  )
  assert.match(
    told[0]?.message ?? '',
    /^spec.ingress\[0\].from\[0\].ipBlock.cidr: "nonsense" is not an IP prefix; write/,
  )
})

test('what the kernel holds of a pod’s policies is what explaining expects', { timeout: 60_000 }, async () => {
  const policy = closed('backend-1')
  await apply(policy)
  const objectsNow = [nodeObject('node-1', rig), namespaceObject('ns'), ...[rig.client, ...rig.backends].map(podOf)]
  for (const family of [4, 6] as const) {
    const [source, destination] = [rig.client.addresses[family], rig.backends[0].addresses[family]]
    const { sides } = explainPolicies(snapshotOf([...objectsNow, policy]), {
      source,
      destination,
      protocol: 'tcp',
      port: 80,
    })
    for (const { direction, address, element } of sides) {
      const body = { policy: { direction, address } }
      const { answer } = await askAgent<ObserveResponse>(socket, '/observe', body, 5000)
      assert.equal(answer.policy, element)
      assert.equal(element.startsWith('goto ingress-'), direction === 'ingress')
    }
  }
  const stranger = { policy: { direction: 'egress', address: '192.0.2.1' } }
  assert.equal((await askAgent<ObserveResponse>(socket, '/observe', stranger, 5000)).answer.policy, null)
})

test('a flood of one flow is a few packets logged, and takes one place', { timeout: 60_000 }, async () => {
  await apply(closed('backend-1'))
  const udp = openUdp(rig.client, 4)
  for (let i = 0; i < 500; i++) void udp.ask(rig.backends[0].addresses[4], 6000)
  const flow = await told(
    () => undefined,
    ({ port }) => port === 6000,
    0,
  )
  udp.close()
  const all = (await flows(0)).flows.filter(({ port }) => port === 6000)
  assert.equal(all.length, 1)
  assert.ok(flow.packets < 100, `${flow.packets} packets`)
})

test('the ring forgets what was seen last longest ago', () => {
  const ring = new FlowRing(2)
  const flow = (port: number) => ({
    verdict: 'denied' as const,
    direction: 'egress' as const,
    pod: port === 3 ? 'other/p' : 'ns/p',
    address: rig.client.addresses[4],
    peer: { address: rig.client.addresses[4] },
    protocol: 'tcp',
    port,
    policies: [],
  })
  for (const port of [1, 2, 1, 3]) ring.add(flow(port))
  assert.deepEqual(
    ring.since(0).flows.map(({ port, packets }) => [port, packets]),
    [
      [1, 2],
      [3, 1],
    ],
  )
  assert.deepEqual(ring.since(3, 'ns'), { flows: [], next: 4 })
})
