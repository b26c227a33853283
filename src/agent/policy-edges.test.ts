import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import { after, before, beforeEach, test } from 'node:test'
import { parse } from 'yaml'
import { type Address, type Family, parseAddress } from '../addr/index.ts'
import type { KubeObject, NetworkPolicy, Pod } from '../objects/index.ts'
import { clusterPolicyObject, namespaceObject, policyObject } from '../policies/cluster.fixture.ts'
import { recipes } from '../policies/index.ts'
import { type Agent, startAgent } from './index.ts'
import {
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
  serviceObject,
  servicePrefixes,
  sliceObject,
} from './rig.fixture.ts'

const closing: { close(): void }[] = []
const addresses = { 4: parseAddress('10.96.0.7'), 6: parseAddress('fd00:96::7') }
let rig: Rig
let node: Station
let objects: Objects
let agent: Agent

const podOf = (station: Station, more: Partial<Pod['spec']> = {}, labels: Record<string, string> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: station.name, namespace: 'ns', labels: { app: station.name, ...labels } },
  spec: { nodeName: 'node-1', containers: [{ name: 'main' }], ...more },
  status: { phase: 'Running', podIPs: [{ ip: station.addresses[4] }, { ip: station.addresses[6] }] },
})
const put = async (...some: KubeObject[]): Promise<void> => {
  for (const one of some) objects.put(one)
  await agent.settled()
}
const denyAll = (app: string) =>
  policyObject('p', { podSelector: { matchLabels: { app } }, policyTypes: ['Ingress', 'Egress'] })

/** The answer, or `silence`: packets that are denied are dropped, and on one machine an answer takes less than a millisecond. */
async function patient(answer: Promise<string>): Promise<string> {
  let timer: NodeJS.Timeout | undefined
  const silence = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve('silence'), 1500)
  })
  const first = await Promise.race([answer, silence])
  clearTimeout(timer)
  return first
}
async function tcp(from: Station, to: Address, port: number): Promise<string> {
  const socket = new Socket({ fd: host.connectTcp(from.namespace, to, port).fd })
  const answer = new Promise<string>((resolve) => {
    socket.once('data', (data: Buffer) => resolve(data.toString().trim()))
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
  const first = await patient(answer)
  socket.destroy()
  return first
}
async function udp(from: Station, to: Address, family: Family, port = 5353): Promise<string> {
  const socket = openUdp(from, family)
  const answer = await patient(socket.ask(to, port))
  socket.close()
  return answer
}

before(async () => {
  rig = buildRig()
  node = { name: 'node', namespace: rig.node, addresses: rig.nodeAddresses }
  objects = new Objects()
  objects.put(nodeObject('node-1', rig))
  for (const one of ['ns', 'default']) objects.put(namespaceObject(one))
  for (const station of [rig.client, ...rig.backends, node]) {
    for (const family of [4, 6] as const) {
      closing.push(serveTcp(station, family, 8080), serveUdp(station, family, 5353))
    }
  }
  objects.put(serviceObject('web', [addresses[4], addresses[6]]))
  for (const family of [4, 6] as const) objects.put(sliceObject('web', family, [rig.backends[0].addresses[family]]))
  agent = await startAgent({
    client: objects.client,
    host,
    namespace: rig.node,
    nodeName: 'node-1',
    options: { servicePrefixes, log: quietLog(), policies: 'strict' },
  })
  await agent.ready
})
beforeEach(async () => {
  objects.delete('NetworkPolicy', 'ns/p')
  objects.delete('Pod', 'ns/outsider')
  await put(podOf(rig.client), ...rig.backends.map((one) => podOf(one)))
})
after(async () => {
  await agent.stop()
  for (const one of closing) one.close()
  rig.close()
})

for (const family of [4, 6] as const) {
  test(`IPv${family}: a pod reaches itself through a Service whatever its policies are, and nobody else does`, {
    timeout: 60_000,
  }, async () => {
    const [backend, other] = rig.backends
    await put(denyAll('backend-1'))
    assert.match(await tcp(backend, addresses[family], 80), /^backend-1 /)
    assert.match(await udp(backend, addresses[family], family, 53), /^backend-1 /)
    assert.equal(await tcp(other, addresses[family], 80), 'silence')
    assert.equal(await tcp(backend, other.addresses[family], 8080), 'silence')
  })

  test(`IPv${family}: a pod and its own node reach one another, over UDP as over TCP`, {
    timeout: 60_000,
  }, async () => {
    await put(denyAll('client'))
    assert.match(await udp(node, rig.client.addresses[family], family), /^client /)
    assert.match(await tcp(node, rig.client.addresses[family], 8080), /^client /)
    assert.match(await udp(rig.client, node.addresses[family], family), /^node /)
    assert.match(await tcp(rig.client, node.addresses[family], 8080), /^node /)
    assert.equal(await udp(rig.backends[0], rig.client.addresses[family], family), 'silence')
    assert.equal(await udp(rig.client, rig.backends[0].addresses[family], family), 'silence')
  })

  test(`IPv${family}: a cluster-wide policy keeps a pod from its own node, and not the node from the pod`, {
    timeout: 60_000,
  }, async () => {
    const subject = { pods: { namespaceSelector: {}, podSelector: { matchLabels: { app: 'client' } } } }
    const wide = (tier: 'Admin' | 'Baseline') =>
      clusterPolicyObject('w', {
        tier,
        priority: 1,
        subject,
        egress: [
          { action: 'Accept', to: [{ nodes: {} }], protocols: [{ tcp: { destinationPort: { number: 8080 } } }] },
          { action: 'Deny', to: [{ nodes: {} }] },
        ],
      })
    const asked = async () => [
      await tcp(rig.client, node.addresses[family], 8080),
      await udp(rig.client, node.addresses[family], family),
      await udp(node, rig.client.addresses[family], family),
    ]
    for (const tier of ['Admin', 'Baseline'] as const) {
      await put(wide(tier))
      const [open, closed, back] = await asked()
      assert.match(open ?? '', /^node /, tier)
      assert.equal(closed, 'silence', tier)
      assert.match(back ?? '', /^client /, tier)
    }
    // NetworkPolicies have the last word before the baseline, and theirs is that a node is always reached.
    await put(denyAll('client'))
    assert.match(await udp(rig.client, node.addresses[family], family), /^node /)
    objects.delete('ClusterNetworkPolicy', 'w')
    await agent.settled()
    assert.match(await udp(rig.client, node.addresses[family], family), /^node /)
  })

  test(`IPv${family}: a pod of a node's network is neither subject nor peer of selectors; its address is in an ipBlock`, {
    timeout: 60_000,
  }, async () => {
    const [backend, other] = rig.backends
    await put(podOf(rig.outsider, { hostNetwork: true, nodeName: 'node-2' }))
    const to = backend.addresses[family]
    const from = (peer: object): NetworkPolicy =>
      policyObject('p', { podSelector: { matchLabels: { app: 'backend-1' } }, ingress: [{ from: [peer] }] })
    await put(from({ podSelector: {} }))
    assert.equal(await tcp(rig.outsider, to, 8080), 'silence', 'a peer')
    assert.match(await tcp(other, to, 8080), /^backend-1 /)
    await put(from({ ipBlock: { cidr: `${rig.outsider.addresses[family]}/${family === 4 ? 32 : 128}` } }))
    assert.match(await tcp(rig.outsider, to, 8080), /^backend-1 /)
    assert.equal(await tcp(other, to, 8080), 'silence')
    await put(denyAll('outsider'))
    assert.match(await tcp(rig.outsider, to, 8080), /^backend-1 /, 'a subject')
  })

  test(`IPv${family}: the recipe block-apiserver keeps pods from an API server that is a pod`, {
    timeout: 60_000,
  }, async () => {
    const [server, other] = rig.backends
    const { yaml } = recipes.find(({ name }) => name === 'block-apiserver')!
    const adapted = yaml.replace('172.30.0.2', server.addresses[4]).replace('fd00:30::2', server.addresses[6])
    assert.notEqual(adapted, yaml)
    const policy = parse(adapted) as NetworkPolicy
    await put({ ...policy, metadata: { name: 'p', namespace: 'ns' } })
    assert.equal(await tcp(rig.client, addresses[family], 80), 'silence', 'through the Service')
    assert.equal(await tcp(rig.client, server.addresses[family], 8080), 'silence')
    assert.match(await tcp(rig.client, other.addresses[family], 8080), /^backend-2 /)
    await put(podOf(rig.client, {}, { 'api-access': 'true' }))
    assert.match(await tcp(rig.client, addresses[family], 80), /^backend-1 /)
  })
}
