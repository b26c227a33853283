import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { after, before, test } from 'node:test'
import { type Address, parseAddress } from '../addr/index.ts'
import { HostError, type Namespace, type Network } from '../host/index.ts'
import type { Transaction } from '../nft/index.ts'
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

type Fault = (network: Network, transaction: Transaction) => Promise<void>

const vip = parseAddress('10.96.0.1')
const log = quietLog()
const closing: { close(): void }[] = []
let rig: Rig
let objects: Objects
/** Befalls the next commit. */
let fault: Fault | undefined

const nft = (...args: string[]): string => {
  const { status, stdout, stderr } = rig.node.run(() =>
    spawnSync('nft', args, { encoding: 'utf8', maxBuffer: 1 << 28 }),
  )
  assert.equal(status, 0, stderr)
  return stdout
}

/** The object with one member in another's place; its methods stay those of the object itself. */
function replaced<T extends object>(object: T, name: keyof T, member: unknown): T {
  return new Proxy(object, {
    get(target, key) {
      if (key === name) return member
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** The rig whose node suffers faults. */
function withFaults(): Rig {
  const { network } = rig.node
  const commit = (transaction: Transaction): Promise<void> => {
    const now = fault
    fault = undefined
    return now === undefined ? network.commit(transaction) : now(network, transaction)
  }
  const node: Namespace = replaced(rig.node, 'network', replaced(network, 'commit', commit))
  return { ...rig, node }
}

const put = (...names: readonly ('backend-1' | 'backend-2')[]): void => {
  const stations = rig.backends.filter(({ name }) => (names as readonly string[]).includes(name))
  objects.put(
    sliceObject(
      'web',
      4,
      stations.map(({ addresses }): Address => addresses[4]),
    ),
  )
}

before(() => {
  rig = buildRig()
  objects = new Objects()
  objects.put(nodeObject('node-1', rig))
  objects.put(serviceObject('web', [vip], { ports: [{ name: 'tcp', port: 80, protocol: 'TCP' }] }))
  for (const backend of rig.backends) closing.push(serveTcp(backend, 4, 8080))
})
after(() => {
  for (const one of closing) one.close()
  rig.close()
})

const lost = () =>
  new HostError('failed', 'commit', 'ENOBUFS', "the kernel's answer was lost: what was applied is unknown")
const faults: readonly (readonly [string, Fault])[] = [
  [
    'a transaction of which half arrives',
    async (network, transaction) => {
      await network.commit(transaction.slice(0, Math.ceil(transaction.length / 2)))
      throw lost()
    },
  ],
  [
    'a transaction of which nothing arrives',
    async () => {
      throw lost()
    },
  ],
  [
    'an acknowledgement that is lost',
    async (network, transaction) => {
      await network.commit(transaction)
      throw lost()
    },
  ],
]

for (const [name, what] of faults) {
  test(`${name}: the next round restores everything, and leaves nothing behind`, async () => {
    put('backend-1', 'backend-2')
    const first = await startOnRig(rig, objects, log)
    await first.ready
    const wanted = nft('-s', 'list', 'ruleset')
    await first.stop()
    put('backend-1')
    const agent = await startOnRig(withFaults(), objects, log)
    try {
      await agent.ready
      assert.match(await askTcp(rig.client.namespace, vip, 80), /^backend-1 /)
      fault = what
      const began = performance.now()
      put('backend-1', 'backend-2')
      await agent.settled()
      const { text } = await agent.metrics.scrape()
      for (const kind of ['sync', 'cleanup']) {
        const metric = `kubeproxy_sync_proxy_rules_nftables_${kind}_failures_total{ip_family="IPv4"}`
        // It was a round of changes, so nothing was to be cleaned up.
        assert.equal(text.includes(`${metric} 1\n`), kind === 'sync', metric)
      }
      console.log(`${name}: made good after ${Math.round(performance.now() - began)} ms`)
      assert.equal(fault, undefined, 'it happened')
      assert.equal(nft('-s', 'list', 'ruleset'), wanted)
      const answers = new Set<string>()
      for (let asked = 0; asked < 40; asked++)
        answers.add((await askTcp(rig.client.namespace, vip, 80)).split(' ')[0] ?? '')
      assert.deepEqual([...answers].sort(), ['backend-1', 'backend-2'])
      put('backend-2')
      await agent.settled()
      assert.match(await askTcp(rig.client.namespace, vip, 80), /^backend-2 /, 'small rounds go on')
    } finally {
      await agent.stop()
    }
  })
}

test('what another program takes away in the middle of a large commit is made good', async () => {
  put('backend-1')
  const ports = [{ name: 'tcp', port: 80, protocol: 'TCP' as const }]
  for (let i = 0; i < 3000; i++) {
    objects.put(serviceObject(`s${i}`, [parseAddress(`10.96.${16 + (i >> 8)}.${i & 255}`)], { ports }))
    objects.put(sliceObject(`s${i}`, 4, [parseAddress('10.244.9.9')]))
  }
  // Nobody looks for an hour: it is known from the commit itself.
  const agent = await startOnRig(withFaults(), objects, log, { tableCheckMs: 3_600_000 })
  try {
    await agent.ready
    const edits = [
      ['flush', 'table', 'ip', 'plumb-services'],
      ['flush', 'map', 'ip', 'plumb-services', 'endpoints'],
      ['delete', 'table', 'ip', 'plumb-services'],
      ['flush', 'ruleset'],
    ]
    for (const edit of edits) {
      let began = 0
      fault = async (network, transaction) => {
        const commit = network.commit(transaction)
        await Promise.resolve()
        // The event loop stands still until the other program is done.
        nft(...edit)
        began = performance.now()
        await commit
      }
      // A whole round, by which the fault comes.
      nft('flush', 'chain', 'ip', 'plumb-services', 'nat-prerouting')
      while (began === 0) await new Promise((resolve) => setTimeout(resolve, 2))
      while (!/^backend-1 /.test(await askTcp(rig.client.namespace, vip, 80)) || !(await whole())) await agent.settled()
      console.log(
        `${edit.slice(0, 2).join(' ')} in the middle: made good after ${Math.round(performance.now() - began)} ms`,
      )
    }
  } finally {
    await agent.stop()
  }
})

/** Whether all rules and elements are there. */
async function whole(): Promise<boolean> {
  const { status, stdout } = rig.node.run(() =>
    spawnSync('nft', ['-s', 'list', 'table', 'ip', 'plumb-services'], { encoding: 'utf8', maxBuffer: 1 << 28 }),
  )
  return status === 0 && stdout.includes('goto') && (stdout.match(/10\.244\.9\.9/g) ?? []).length >= 3000
}
