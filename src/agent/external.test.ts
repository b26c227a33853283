import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { Agent as HttpAgent, type IncomingMessage, request } from 'node:http'
import { Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { before, beforeEach, test } from 'node:test'
import { type Address, type Family, parseAddress, parsePrefix } from '../addr/index.ts'
import type { Namespace } from '../host/index.ts'
import type { Service } from '../objects/index.ts'
import { explainService, servicesAt, sets } from '../services/index.ts'
import { agentOnRig } from './agent-on-rig.fixture.ts'
import type { Agent } from './index.ts'
import {
  askTcp,
  host,
  openUdp,
  serveTcp,
  serveUdp,
  serviceObject,
  servicePrefixes,
  sliceObject,
} from './rig.fixture.ts'

const clusterIps = { 4: parseAddress('10.96.0.1'), 6: parseAddress('fd00:96::1') }
const balancer = { 4: parseAddress('198.51.100.1'), 6: parseAddress('2001:db8:1::1') }
const external = { 4: parseAddress('198.51.100.9'), 6: parseAddress('2001:db8:9::9') }
const { rig, objects, log, closing, start } = agentOnRig()
let agent: Agent

before(async () => {
  for (const backend of rig.backends) {
    for (const family of [4, 6] as const) closing.push(serveTcp(backend, family, 8080), serveUdp(backend, family, 5353))
  }
  agent = await start()
  await agent.ready
})
beforeEach(() => web())

/** The Service as a load balancer has it, its second endpoint being on `secondNode`. */
async function web(spec: Partial<Service['spec']> = {}, endpoints: readonly [0 | 1, string][] = both): Promise<void> {
  const made = serviceObject('web', [clusterIps[4], clusterIps[6]], {
    type: 'LoadBalancer',
    ports: [
      { name: 'tcp', port: 80, nodePort: 30080, protocol: 'TCP' },
      { name: 'udp', port: 53, nodePort: 30053, protocol: 'UDP' },
    ],
    externalIPs: [external[4], external[6]],
    ...spec,
  })
  objects.put({ ...made, status: { loadBalancer: { ingress: [{ ip: balancer[4] }, { ip: balancer[6] }] } } } as Service)
  for (const family of [4, 6] as const) {
    const slice = sliceObject('web', family, [])
    objects.put({
      ...slice,
      endpoints: endpoints.map(([index, nodeName]) => ({
        addresses: [rig.backends[index].addresses[family]],
        nodeName,
        conditions: { ready: true, serving: true, terminating: false },
      })),
    } as typeof slice)
  }
  await agent.settled()
}
const both: readonly [0 | 1, string][] = [
  [0, 'node-1'],
  [1, 'node-2'],
]

/** 24 fair coins come up all the same once in 8 million runs. */
async function many(from: Namespace, address: Address, port: number, count = 24): Promise<string[]> {
  const answers: string[] = []
  for (let i = 0; i < count; i++) answers.push(await askTcp(from, address, port))
  return answers
}

/** Names of endpoints and sources that were seen, each once. */
const seen = (answers: readonly string[]): string[] => [...new Set(answers)].sort()
const places = (family: Family): [Address, number][] => [
  [rig.nodeAddresses[family], 30080],
  [balancer[family], 80],
  [external[family], 80],
]

/** Whether an address answers nothing, while a refusal that is asked for later comes back. */
async function isSilent(from: Namespace, family: Family, address: Address, port: number): Promise<boolean> {
  const socket = new Socket({ fd: host.connectTcp(from, address, port).fd })
  let heard = false
  for (const event of ['data', 'error']) socket.once(event, () => (heard = true))
  socket.resume()
  assert.equal(await askTcp(from, clusterIps[family], 81), 'ECONNREFUSED')
  socket.destroy()
  return !heard
}

for (const family of [4, 6] as const) {
  test(`IPv${family}: policy Cluster: from outside to any endpoint under the node’s address`, async () => {
    for (const [address, port] of places(family)) {
      const answers = seen(await many(rig.outsider.namespace, address, port))
      assert.deepEqual(
        answers.map((answer) => answer.split(' ')[0]),
        ['backend-1', 'backend-2'],
        `${address} ${port}: ${answers} ${log.lines.join('\n')}`,
      )
      assert.ok(!answers.some((answer) => answer.endsWith(` ${rig.outsider.addresses[family]}`)), answers.join())
      // Pods and the node itself too, and pods are masqueraded as well, as upstream.
      const fromPod = await askTcp(rig.client.namespace, address, port)
      assert.match(fromPod, /^backend-/)
      assert.ok(!fromPod.endsWith(` ${rig.client.addresses[family]}`), fromPod)
      assert.match(await askTcp(rig.node, address, port), /^backend-/)
    }
  })

  test(`IPv${family}: UDP node ports, and their clients follow when an endpoint goes`, async () => {
    const socket = openUdp(rig.outsider, family)
    closing.push(socket)
    await web({}, [[0, 'node-1']])
    assert.match(await socket.ask(rig.nodeAddresses[family], 30053), /^backend-1 /)
    await web({}, [[1, 'node-1']])
    assert.match(await socket.ask(rig.nodeAddresses[family], 30053), /^backend-2 /)
  })

  test(`IPv${family}: policy Local keeps the source and the node; pods and the node itself get everything`, async () => {
    await web({ externalTrafficPolicy: 'Local' })
    for (const [address, port] of places(family)) {
      const outside = seen(await many(rig.outsider.namespace, address, port))
      assert.deepEqual(outside, [`backend-1 ${rig.outsider.addresses[family]}`])
      const pod = seen(await many(rig.client.namespace, address, port))
      const own = rig.client.addresses[family]
      assert.deepEqual(pod, [`backend-1 ${own}`, `backend-2 ${own}`])
      const node = seen(await many(rig.node, address, port)).map((answer) => answer.split(' ')[0])
      assert.deepEqual(node, ['backend-1', 'backend-2'])
    }
  })

  test(`IPv${family}: policy Local with endpoints only elsewhere: silence outside, not inside`, async () => {
    await web({ externalTrafficPolicy: 'Local' }, [[1, 'node-2']])
    for (const [address, port] of places(family)) {
      assert.ok(await isSilent(rig.outsider.namespace, family, address, port), `${address} ${port}`)
      assert.match(await askTcp(rig.client.namespace, address, port), /^backend-2 /)
      assert.match(await askTcp(rig.node, address, port), /^backend-2 /)
    }
  })

  test(`IPv${family}: without endpoints external ports refuse; a port that is nobody’s is the node’s own`, async () => {
    await web({}, [])
    for (const [address, port] of places(family)) {
      assert.equal(await askTcp(rig.outsider.namespace, address, port), 'ECONNREFUSED', `${address} ${port}`)
    }
    const own = serveTcp({ name: 'node', namespace: rig.node, addresses: rig.nodeAddresses }, family, 31234)
    closing.push(own)
    const answer = await askTcp(rig.outsider.namespace, rig.nodeAddresses[family], 31234)
    assert.equal(answer, `node ${rig.outsider.addresses[family]}`)
  })

  test(`IPv${family}: source ranges bind the load balancer’s address alone, pods too`, async () => {
    const prefix = (address: Address): string => `${address}/${family === 4 ? 32 : 128}`
    const elsewhere = family === 4 ? '192.0.2.0/24' : '2001:db8:ffff::/64'
    await web({ loadBalancerSourceRanges: [elsewhere] })
    assert.ok(await isSilent(rig.outsider.namespace, family, balancer[family], 80))
    assert.ok(await isSilent(rig.client.namespace, family, balancer[family], 80))
    assert.match(await askTcp(rig.outsider.namespace, external[family], 80), /^backend-/)
    assert.match(await askTcp(rig.outsider.namespace, rig.nodeAddresses[family], 30080), /^backend-/)
    assert.match(await askTcp(rig.client.namespace, clusterIps[family], 80), /^backend-/)
    await web({ loadBalancerSourceRanges: [elsewhere, ` ${prefix(rig.outsider.addresses[family])} `] })
    assert.match(await askTcp(rig.outsider.namespace, balancer[family], 80), /^backend-/)
    assert.ok(await isSilent(rig.client.namespace, family, balancer[family], 80))
  })

  test(`IPv${family}: affinity holds over all addresses, other endpoints’ comings and goings, and a restart`, async () => {
    const affinity = {
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 77 } },
    } as const
    await web(affinity)
    const ask = async (address: Address, port: number): Promise<string> =>
      (await askTcp(rig.client.namespace, address, port)).split(' ')[0] ?? ''
    const first = await ask(clusterIps[family], 80)
    const index = first === 'backend-1' ? 0 : 1
    const keeps = async (): Promise<void> => {
      for (const [address, port] of [...places(family), [clusterIps[family], 80] as const]) {
        for (let i = 0; i < 4; i++) assert.equal(await ask(address, port), first)
      }
    }
    await keeps()
    await web(affinity, [[index, 'node-1']])
    await web(affinity)
    await keeps()
    await web({ ...affinity, externalTrafficPolicy: 'Local', internalTrafficPolicy: 'Cluster' })
    await keeps()
    const table = family === 4 ? 'ip' : 'ip6'
    const remembered = await rig.node.network.elements(table, 'plumb-services', sets[family].affinity)
    assert.deepEqual(
      remembered.map(({ timeoutSeconds }) => timeoutSeconds),
      [77],
    )
    await agent.stop()
    agent = await start()
    await agent.ready
    await keeps()
    // Only the end of its own endpoint sends a client elsewhere.
    await web(affinity, [[index === 0 ? 1 : 0, 'node-1']])
    assert.notEqual(await ask(clusterIps[family], 80), first)
  })

  test(`IPv${family}: healthCheckNodePort tells ready endpoints of this node`, async () => {
    const local = { externalTrafficPolicy: 'Local', healthCheckNodePort: 32100 } as const
    await web(local)
    const { statusCode, headers, body } = await getHealth(family)
    assert.equal(statusCode, 200)
    assert.equal(headers['x-load-balancing-endpoint-weight'], '1')
    assert.equal(headers['x-content-type-options'], 'nosniff')
    assert.deepEqual(JSON.parse(body), {
      service: { namespace: 'ns', name: 'web' },
      localEndpoints: 1,
      serviceProxyHealthy: true,
    })
    await web(local, [[1, 'node-2']])
    const none = await getHealth(family)
    assert.equal(none.statusCode, 503)
    assert.equal(JSON.parse(none.body).localEndpoints, 0)
    await web({ ...local, externalTrafficPolicy: 'Cluster' })
    assert.equal(await askTcp(rig.outsider.namespace, rig.nodeAddresses[family], 32100), 'ECONNREFUSED')
  })
}

async function getHealth(family: Family): Promise<IncomingMessage & { body: string }> {
  const { fd } = host.connectTcp(rig.outsider.namespace, rig.nodeAddresses[family], 32100)
  const http = new HttpAgent()
  http.createConnection = () => new Socket({ fd })
  const asked = request({ agent: http, path: '/', host: 'node' }).end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  return Object.assign(response, { body: await text(response) })
}

const agreed: readonly [spec: Partial<Service['spec']>, endpoints?: readonly [0 | 1, string][]][] = [
  [{}],
  [{ externalTrafficPolicy: 'Local' }],
  [{ internalTrafficPolicy: 'Local' }],
  [{ externalTrafficPolicy: 'Local', internalTrafficPolicy: 'Local' }, [[0, 'node-1']]],
]
test('what is explained is what real packets meet, from everywhere to every address, in both families', async () => {
  const addresses = [rig.nodeAddresses[4], rig.nodeAddresses[6]]
  const node = { name: 'node-1', zone: undefined, addresses, nodePortAddresses: addresses }
  const podPrefixes = ['10.244.0.0/16', 'fd00:244::/56'].map(parsePrefix)
  const localAddresses = rig.node.network.addresses().map(({ address }) => address)
  for (const [spec, endpoints] of agreed) {
    await web(spec, endpoints)
    for (const family of [4, 6] as const) {
      const sources = [
        { ...rig.outsider, source: rig.outsider.addresses[family] },
        { ...rig.client, source: rig.client.addresses[family] },
        { namespace: rig.node, source: rig.nodeAddresses[family] },
      ]
      for (const [destination, port] of [...places(family), [clusterIps[family], 80] as const]) {
        const models = servicesAt(agent.snapshot, destination, node)
        for (const { namespace, source } of sources) {
          const question = { source, destination, protocol: 'tcp', port } as const
          const context = { node, models, podPrefixes, ownPodPrefixes: podPrefixes, servicePrefixes, localAddresses }
          const { outcome } = explainService(question, context)
          assert.ok(outcome.kind === 'balance', JSON.stringify(question))
          const wanted = outcome.targets.map((target) => {
            const backend = rig.backends.find((one) => one.addresses[family] === target.address)
            return `${backend?.name} ${target.source}`
          })
          const got = (await many(namespace, destination, port)).map((answer) => {
            const [name, as] = answer.split(' ')
            return `${name} ${as === source && namespace !== rig.node ? 'kept' : 'masqueraded'}`
          })
          assert.deepEqual(seen(got), wanted.sort(), JSON.stringify({ spec, question }))
        }
      }
    }
  }
})

test('nft lists the tables with everything in them and loads what it printed', async () => {
  await web({ sessionAffinity: 'ClientIP', externalTrafficPolicy: 'Local', loadBalancerSourceRanges: ['192.0.2.0/24'] })
  await askTcp(rig.client.namespace, clusterIps[4], 80)
  const { status, stdout, stderr } = rig.node.run(() => spawnSync('nft', ['list', 'ruleset'], { encoding: 'utf8' }))
  assert.equal(status, 0, stderr)
  for (const word of ['affinity-1', 'local-classes', '@source-ranged', '706f:', 'expires']) {
    assert.ok(stdout.includes(word), word)
  }
  const again = spawnSync('unshare', ['-n', 'nft', '-f', '-'], { input: stdout, encoding: 'utf8' })
  assert.equal(again.status, 0, again.stderr)
})
