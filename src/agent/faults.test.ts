import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseAddress, parsePrefix } from '../addr/index.ts'
import { sets } from '../services/index.ts'
import type { Agent } from './index.ts'
import {
  askTcp,
  buildRig,
  nodeObject,
  Objects,
  quietLog,
  type Rig,
  serveTcp,
  serviceObject,
  sliceObject,
  startOnRig,
} from './rig.fixture.ts'

const vip = parseAddress('10.96.0.1')
const others = 3000
const log = quietLog()
const closing: { close(): void }[] = []
let rig: Rig
let objects: Objects

const start = (): Promise<Agent> =>
  startOnRig(rig, objects, log, { tableCheckMs: 20, nodePortAddresses: [parsePrefix('203.0.113.0/24')] })
const nft = (...args: string[]): string => {
  const { status, stdout, stderr } = rig.node.run(() => spawnSync('nft', args, { encoding: 'utf8' }))
  assert.equal(status, 0, stderr)
  return stdout
}
const service = (nodePort?: number) =>
  serviceObject('web', [vip], {
    type: 'NodePort',
    ports: [{ name: 'tcp', port: 80, protocol: 'TCP', ...(nodePort === undefined ? {} : { nodePort }) }],
  })

before(() => {
  rig = buildRig()
  objects = new Objects()
  objects.put(nodeObject('node-1', rig))
  objects.put(service(30080))
  objects.put(sliceObject('web', 4, [rig.backends[0].addresses[4]]))
  closing.push(serveTcp(rig.backends[0], 4, 8080))
})
after(() => {
  for (const one of closing) one.close()
  rig.close()
})

test('an agent killed in the middle of replacing its tables leaves whole ones, old or new, and they serve', async () => {
  const child = fileURLToPath(import.meta.resolve('./killed-agent.fixture.ts'))
  const [backend] = rig.backends
  for (let run = 0; run < 3; run++) {
    const process_ = spawn(process.execPath, [child, rig.node.path, vip, backend.addresses[4], String(others)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(process_.stdout!, 'data')
    // Some rounds later, wherever it is then.
    for (let asked = 0; asked < 10 + 7 * run; asked++) {
      assert.match(await askTcp(rig.client.namespace, vip, 80), /^backend-1 /)
    }
    process_.kill('SIGKILL')
    await once(process_, 'exit')
    const classes = await rig.node.network.elements('ip', 'plumb-services', sets[4].serviceClass)
    const endpoints = await rig.node.network.elements('ip', 'plumb-services', sets[4].endpoints)
    assert.deepEqual([classes.length, endpoints.length > others], [others + 1, true])
    assert.match(await askTcp(rig.client.namespace, vip, 80), /^backend-1 /)
  }
})

test('tables that another program takes away are made again, and foreign ones stay as they are', async () => {
  nft('add table inet foreign')
  nft('add chain inet foreign forward { type filter hook forward priority 5; policy accept; counter; }')
  const agent = await start()
  try {
    await agent.ready
    const foreign = (): string => nft('-s', 'list', 'table', 'inet', 'foreign')
    const before = foreign()
    for (const table of ['ip plumb-services', 'ip6 plumb-services', 'ip plumb-pods']) {
      nft('delete', 'table', ...table.split(' '))
      while (!log.lines.some((line) => line.includes(`"${table}"`)))
        await new Promise((resolve) => setTimeout(resolve, 5))
      await agent.settled()
      assert.match(await askTcp(rig.client.namespace, vip, 80), /^backend-1 /)
      log.lines.length = 0
    }
    assert.equal(foreign(), before)
  } finally {
    await agent.stop()
    nft('delete table inet foreign')
  }
})

test('what another program changes inside the tables is made good at once, and its own tables concern nobody', async () => {
  // Nobody looks for an hour: it is heard.
  const agent = await startOnRig(rig, objects, log, { tableCheckMs: 3_600_000 })
  const whole = async (): Promise<string> =>
    ((await agent.metrics.scrape()).text.match(
      /^kubeproxy_sync_full_proxy_rules_duration_seconds_count\{ip_family="IPv4"\} (\d+)/m,
    ) ?? [])[1] ?? ''
  try {
    await agent.ready
    const edits = [
      ['delete', 'element', 'ip', 'plumb-services', 'service-class', `{ ${vip} . tcp . 80 }`],
      ['flush', 'map', 'ip', 'plumb-services', 'endpoints'],
      ['insert', 'rule', 'ip', 'plumb-services', 'services', 'drop'],
      ['flush', 'chain', 'ip', 'plumb-services', 'nat-prerouting'],
      ['flush', 'ruleset'],
    ]
    for (const edit of edits) {
      log.lines.length = 0
      const began = performance.now()
      nft(...edit)
      while (!log.lines.some((line) => line.startsWith('another program')))
        await new Promise((resolve) => setTimeout(resolve, 2))
      await agent.settled()
      console.log(`${edit.slice(0, 2).join(' ')}: made good after ${Math.round(performance.now() - began)} ms`)
      assert.match(await askTcp(rig.client.namespace, vip, 80), /^backend-1 /)
    }
    const before = await whole()
    nft('add table inet foreign')
    nft('add chain inet foreign forward { type filter hook forward priority 5; policy accept; counter; }')
    objects.put(service(30082))
    await agent.settled()
    nft('delete table inet foreign')
    objects.put(service(30080))
    await agent.settled()
    assert.equal(await whole(), before)
  } finally {
    await agent.stop()
  }
})

test('tables that are gone when a change comes are made again at once', async () => {
  const agent = await startOnRig(rig, objects, log)
  try {
    await agent.ready
    nft('flush', 'ruleset')
    objects.put(service(30081))
    await agent.settled()
    assert.match(await askTcp(rig.outsider.namespace, rig.nodeAddresses[4], 30081), /^backend-1 /)
  } finally {
    await agent.stop()
    objects.put(service(30080))
  }
})

test('node ports follow the addresses of the node’s links, within the prefixes that are given', async () => {
  const agent = await start()
  const late = parseAddress('203.0.113.77')
  const outside = parseAddress('10.244.1.77')
  try {
    await agent.ready
    assert.match(await askTcp(rig.outsider.namespace, rig.nodeAddresses[4], 30080), /^backend-1 /)
    rig.node.network.addAddress('outsider', late, 24)
    rig.node.network.addAddress('client', outside, 24)
    const answers = new Set<string>()
    const served = async (): Promise<boolean> => /^backend-1 /.test(await askTcp(rig.outsider.namespace, late, 30080))
    while (!(await served())) answers.add('not yet')
    assert.equal(await askTcp(rig.client.namespace, outside, 30080), 'ECONNREFUSED')
  } finally {
    await agent.stop()
  }
})

test('ServiceCIDR objects say which addresses only Services have', async () => {
  const agent = await start()
  const dropped = (): boolean => nft('list', 'set', 'ip', 'plumb-services', 'service-prefixes').includes('10.98.0.0/24')
  try {
    await agent.ready
    assert.ok(!dropped())
    const cidr = { apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', metadata: { name: 'more' } }
    objects.put({ ...cidr, spec: { cidrs: ['10.98.0.0/24'] } } as typeof cidr)
    await agent.settled()
    assert.ok(dropped())
    objects.delete('ServiceCIDR', 'more')
    await agent.settled()
    assert.ok(!dropped(), 'those of the options count again')
  } finally {
    await agent.stop()
  }
})
