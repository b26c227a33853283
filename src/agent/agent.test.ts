import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { parseAddress } from '../addr/index.ts'
import { HostError, type Namespace } from '../host/index.ts'
import type { Agent, ExplainResponse, ModelResponse, NodeModule, ObserveResponse } from './index.ts'
import { cleanUpNode, startAgent } from './index.ts'
import {
  askTcp,
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
} from './rig.fixture.ts'

const vip = parseAddress('10.96.0.1')
const folder = mkdtempSync(join(tmpdir(), 'plumb-agent-'))
const path = join(folder, 'agent.sock')
const objects = new Objects()
const log = quietLog()
const calls: string[] = []
let rig: Rig
let agent: Agent
let refuse = false
let moduleFails = false

/** The rig's node, whose kernel refuses while `refuse` is set. */
function fickle(node: Namespace): Namespace {
  const network = new Proxy(node.network, {
    get(target, name) {
      if (name === 'commit' && refuse) return () => Promise.reject(new HostError('failed', 'commit', 'EIO'))
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return {
    fd: node.fd,
    path: node.path,
    inode: node.inode,
    network,
    run: (work) => node.run(work),
    close: () => node.close(),
  }
}

const module: NodeModule = {
  name: 'witness',
  findings: [{ code: 'Witnessed', object: 'service/ns/web', field: 'spec', says: 'seen', try: 'look away' }],
  update(_snapshot, _pods, changes) {
    if (moduleFails) throw new Error('not now')
    calls.push([...changes.services].sort().join())
  },
}

before(async () => {
  rig = buildRig()
  objects.put(nodeObject('node-1', rig))
  objects.put(serviceObject('web', [vip]))
  const gate = Promise.withResolvers<void>()
  objects.gate = gate.promise
  agent = await startAgent({
    client: objects.client,
    host,
    namespace: fickle(rig.node),
    nodeName: 'node-1',
    options: {
      servicePrefixes,
      log,
      modules: [module],
      health: { address: rig.nodeAddresses[4], port: 0 },
      socket: { path, routes: { 'POST /echo': (body) => body } },
    },
  })
  assert.equal((await get('/healthz')).code, 503, 'not healthy before the first round')
  assert.deepEqual(await rig.node.network.tables(), [], 'nothing is written before everything is synced')
  // As an informer does, which tells its first list before it is synced.
  objects.put(
    sliceObject(
      'web',
      4,
      rig.backends.map(({ addresses }) => addresses[4]),
    ),
  )
  gate.resolve()
  await agent.ready
})
after(async () => {
  await agent.stop()
  rig.close()
  rmSync(folder, { recursive: true })
})

/** GET from the node's own namespace. */
async function get(url: string): Promise<{ code: number; body: string }> {
  const { Socket } = await import('node:net')
  const socket = new Socket({ fd: host.connectTcp(rig.node, rig.nodeAddresses[4], agent.healthPort!).fd })
  return send({ path: url, createConnection: () => socket })
}

async function ask<T>(method: string, url: string, body?: unknown): Promise<{ code: number; body: T }> {
  const { code, body: text } = await send({ agent: false, socketPath: path, method, path: url }, body)
  return { code, body: JSON.parse(text) as T }
}

function send(options: object, body?: unknown): Promise<{ code: number; body: string }> {
  return new Promise((resolve, reject) => {
    const call = request(options, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve({ code: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }))
    })
    call.on('error', reject)
    call.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

test('findings of modules are told with the others', async () => {
  const { body } = await ask<{ code: string }[]>('GET', '/findings')
  assert.deepEqual(
    body.map(({ code }) => code),
    ['Witnessed'],
  )
  assert.deepEqual(agent.findings(), body)
  assert.match((await get('/metrics')).body, /^plumb_findings 1$/m)
})

test('health and metrics', async () => {
  assert.equal((await get('/healthz')).code, 200)
  const { code, body } = await get('/metrics')
  assert.equal(code, 200)
  assert.match(
    body,
    /^kubeproxy_sync_full_proxy_rules_duration_seconds_count\{ip_family="IPv6"\} 1$/m,
    'samples from before the first scrape count',
  )
  assert.match(body, /^kubeproxy_proxy_healthz_total\{code="503"\} 1$/m)
  assert.match(body, /^plumb_round_stage_seconds_count\{stage="commit"\} [1-9]/m)
  const leaving = nodeObject('node-1', rig)
  objects.put({
    ...leaving,
    spec: { ...leaving.spec, taints: [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }] },
  } as typeof leaving)
  assert.equal((await get('/healthz')).code, 503)
  assert.equal((await get('/livez')).code, 200)
  objects.put(leaving)
  assert.equal((await get('/nothing')).code, 404)
})

test('silent connections are remembered for as long as kube-proxy has it', () => {
  const of = (state: string) => rig.node.network.sysctl(`net.netfilter.nf_conntrack_tcp_timeout_${state}`)
  assert.deepEqual([of('close_wait'), of('established')], ['3600', '86400'])
})

test('what waits, who has no endpoint here, and conntrack’s part are told by upstream’s names', async (t) => {
  const value = async (name: string): Promise<string | undefined> =>
    new RegExp(`^${name.replace(/[{}]/g, '\\$&')} (\\S+)$`, 'm').exec((await get('/metrics')).body)?.[1]
  const none = 'kubeproxy_sync_proxy_rules_no_local_endpoints_total'
  assert.equal(await value(`${none}{traffic_policy="internal"}`), '0')
  const { mock } = t.mock.method(agent.metrics, 'record')
  objects.put(serviceObject('away', ['10.96.0.99'], { internalTrafficPolicy: 'Local' }))
  objects.put(sliceObject('away', 4, [parseAddress('10.244.9.9')], { node: 'node-2' }))
  for (const what of ['service', 'endpoint']) {
    const name = `kubeproxy_sync_proxy_rules_${what}_changes_pending`
    assert.ok(
      mock.calls.some(({ arguments: [called, number] }) => called === name && number === 1),
      name,
    )
  }
  await agent.settled()
  assert.equal(await value('kubeproxy_sync_proxy_rules_service_changes_pending'), '0')
  assert.equal(await value('kubeproxy_sync_proxy_rules_endpoint_changes_pending'), '0')
  assert.equal(await value(`${none}{traffic_policy="internal"}`), '1')
  assert.equal(await value(`${none}{traffic_policy="external"}`), '0')
  assert.ok(Number(await value('kubeproxy_conntrack_reconciler_sync_duration_seconds_count{ip_family="IPv4"}')) > 0)
  objects.delete('Service', 'ns/away')
  await agent.settled()
  assert.equal(await value(`${none}{traffic_policy="internal"}`), '0')
})

test('the socket is its owner’s alone and answers what Services mean, do and have', async () => {
  assert.equal(statSync(path).mode & 0o777, 0o600)
  const model = await ask<ModelResponse>('GET', '/model/services/ns/web')
  assert.equal(model.body.frontends[0]?.outcome.kind, 'balance')
  assert.equal((await ask('GET', '/model/services/ns/none')).code, 404)

  const question = { source: rig.client.addresses[4], destination: vip, port: 80 }
  const { body: answer } = await ask<ExplainResponse>('POST', '/explain', question)
  assert.equal(answer.confirmed, true)
  assert.ok(answer.outcome.kind === 'balance')
  assert.deepEqual(
    answer.outcome.targets.map(({ address, probability, source }) => [address, probability, source]),
    rig.backends.map(({ addresses }) => [addresses[4], 0.5, 'kept']),
  )
  const { body: refusal } = await ask<ExplainResponse>('POST', '/explain', { destination: vip, port: 81 })
  assert.equal(refusal.source, rig.nodeAddresses[4])
  assert.ok(refusal.outcome.kind === 'reject' && refusal.outcome.reason === 'no-such-port')

  const { body: seen } = await ask<ObserveResponse>('POST', '/observe', {
    frontend: { address: vip, protocol: 'tcp', port: 80 },
    route: { destination: rig.client.addresses[4] },
    listeners: { namespace: rig.backends[0].namespace.path },
    connections: { address: vip },
  })
  assert.equal(seen.frontend?.class, '706c:2')
  assert.deepEqual([...(seen.frontend?.endpoints ?? [])], seen.frontend?.desired?.endpoints)
  assert.equal(seen.frontend?.known, true)
  assert.equal(seen.route?.link, 'client')
  assert.deepEqual((await ask('POST', '/echo', { a: 1 })).body, { a: 1 })
})

test('questions that make no sense are refused with the field and its value', async () => {
  const wrong = await ask<{ error: string }>('POST', '/explain', { destination: '10.96.0.256', port: 80 })
  assert.equal(wrong.code, 400)
  assert.match(wrong.body.error, /destination: "10\.96\.0\.256" is not an IP address/)
  const port = await ask<{ error: string }>('POST', '/explain', { destination: vip, port: 0 })
  assert.match(port.body.error, /port: 0 is not a port number/)
  assert.equal((await ask('POST', '/nothing', {})).code, 404)
})

test('a kernel that refuses is tried again with everything until it takes it', async () => {
  const server = serveTcp(rig.backends[0], 4, 8080)
  refuse = true
  const second = parseAddress('10.96.0.2')
  objects.put(serviceObject('late', [second]))
  objects.put(sliceObject('late', 4, [rig.backends[0].addresses[4]]))
  while (!log.lines.some((line) => line.includes('EIO'))) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(
    (await ask<ExplainResponse>('POST', '/explain', { destination: second, port: 80 })).body.confirmed,
    false,
  )
  refuse = false
  await agent.settled()
  assert.match(await askTcp(rig.client.namespace, second, 80), /^backend-1 /)
  server.close()
})

test('a part of the node that failed is told again what it missed', async () => {
  moduleFails = true
  objects.put(serviceObject('missed', [parseAddress('10.96.0.3')]))
  while (!log.lines.some((line) => line.includes('not now'))) await new Promise((resolve) => setImmediate(resolve))
  moduleFails = false
  calls.length = 0
  objects.put(serviceObject('seen', [parseAddress('10.96.0.4')]))
  await agent.settled()
  assert.equal(calls[0], 'ns/missed,ns/seen')
})

test('cleaning up takes the tables away, twice is no mistake', async () => {
  await cleanUpNode(rig.node)
  assert.deepEqual(await rig.node.network.tables(), [])
  await cleanUpNode(rig.node)
})
