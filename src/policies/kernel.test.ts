import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { parsePrefix } from '../addr/index.ts'
import { ChangeFeed, LiveSnapshot, snapshotOf } from '../cluster/index.ts'
import { openHost } from '../host/index.ts'
import { arbitraryChange, namespaceObject, podObject, policyObject } from './cluster.fixture.ts'
import { PolicyTables } from './index.ts'

const host = openHost()
const prefixes = [parsePrefix('10.244.1.0/24'), parsePrefix('fd00:244:0:1::/64')]

const objects = [
  namespaceObject('ns'),
  namespaceObject('other', { team: 'x' }),
  podObject('web', { labels: { app: 'web' }, index: 2, ports: [{ name: 'http', port: 8080 }] }),
  podObject('open', { namespace: 'other', index: 3 }),
  podObject('client', { labels: { app: 'client' }, index: 4, node: 2, ports: [{ name: 'http', port: 9090 }] }),
  policyObject('web', {
    podSelector: { matchLabels: { app: 'web' } },
    policyTypes: ['Ingress', 'Egress'],
    ingress: [
      { from: [{ podSelector: { matchLabels: { app: 'client' } } }], ports: [{ port: 'http' }, { port: 443 }] },
      { from: [{ ipBlock: { cidr: '0.0.0.0/0', except: ['10.0.0.0/8'] } }], ports: [{ port: 1000, endPort: 2000 }] },
      { ports: [{ protocol: 'SCTP' }] },
    ],
    egress: [
      { to: [{ namespaceSelector: {} }], ports: [{ port: 53, protocol: 'UDP' }, { port: 53 }] },
      { ports: [{ port: 'http' }] },
      { to: [{ ipBlock: { cidr: '::/0' } }, { ipBlock: { cidr: '203.0.113.0/24' } }] },
    ],
  }),
]

test('golden: the tables read like documentation, and nft loads what it lists', async () => {
  const namespace = host.createNamespace()
  try {
    const tables = new PolicyTables('node-1')
    tables.setOwnPrefixes(prefixes)
    tables.update(snapshotOf(objects))
    await namespace.network.commit(tables.full().operations)
    const nft = (...words: string[]) => namespace.run(() => spawnSync('nft', words, { encoding: 'utf8' }))
    const text = nft('list', 'ruleset').stdout
    const path = join(import.meta.dirname, 'testdata', 'web.nft')
    if (process.env.UPDATE_GOLDEN !== undefined) writeFileSync(path, text)
    // The kernel lists the elements of a hash in any order.
    assert.deepEqual(
      partsOf(text),
      partsOf(readFileSync(path, 'utf8')),
      'UPDATE_GOLDEN=1 writes what the kernel lists now',
    )
    const again = nft('-c', '-f', path)
    assert.equal(again.status, 0, again.stderr)
  } finally {
    namespace.close()
  }
})

test('the kernel takes every round of random changes, and ends with what a fresh start has', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(arbitraryChange, { minLength: 6, maxLength: 14 }), async (changes) => {
      const one = host.createNamespace()
      const other = host.createNamespace()
      try {
        const feed = new ChangeFeed()
        const snapshot = new LiveSnapshot(feed)
        const tables = new PolicyTables('node-1')
        await one.network.commit(tables.full().operations)
        for (const { kind, key, object } of changes) {
          snapshot.put(kind as 'pods', key, object as never)
          const { operations } = tables.update(snapshot, feed.take())
          if (operations.length > 0) await one.network.commit(operations)
        }
        const fresh = new PolicyTables('node-1')
        fresh.update(snapshot)
        await other.network.commit(fresh.full().operations)
        assert.deepEqual(listing(one), listing(other))
      } finally {
        one.close()
        other.close()
      }
    }),
    { numRuns: 15 },
  )
})

/** The ruleset by chains and sets, in an order of its own. */
function listing(namespace: ReturnType<typeof host.createNamespace>): readonly string[] {
  return partsOf(namespace.run(() => spawnSync('nft', ['list', 'ruleset'], { encoding: 'utf8' })).stdout)
}

function partsOf(text: string): readonly string[] {
  return text
    .split(/\n(?=table )|\n\t(?=(?:chain|set|map) )/)
    .map((part) => part.replaceAll(/[\s}]+/g, ' ').trim())
    .map((part) => {
      const [head = '', elements = ''] = part.split('elements = {')
      return [
        head,
        ...elements
          .split(',')
          .map((word) => word.trim())
          .sort(),
      ].join(', ')
    })
    .sort()
}
