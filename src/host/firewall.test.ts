import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { closeSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { NETLINK_NETFILTER } from '../netlink/index.ts'
import { encodeTransaction, type SetDeclaration, type Transaction } from '../nft/index.ts'
import type { Namespace } from './contract.ts'
import { Firewall } from './firewall.ts'
import { libc } from './libc.ts'
import { openNetlink } from './netlink-socket.ts'
import { SOL_SOCKET, setOption } from './socket-options.ts'
import { makeNamespaces } from './testing.ts'

const where = { family: 'ip', table: 'plumb-services' } as const
const classes: SetDeclaration = {
  name: 'service-class',
  key: ['ipv4_addr', 'inet_proto', 'inet_service'],
  value: ['classid'],
}
const ranges: SetDeclaration = { name: 'no-masquerade', key: ['ipv4_addr'], flags: ['interval'] }

const base: Transaction = [
  { kind: 'add-table', ...where },
  { kind: 'add-set', ...where, set: classes },
  { kind: 'add-set', ...where, set: ranges },
  { kind: 'add-chain', ...where, chain: { name: 'lb-1' } },
]

function service(index: number, value = '1:1') {
  return { key: `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255} . tcp . 80`, value }
}

function many(count: number) {
  return Array.from({ length: count }, (_, index) => service(index))
}

test('what is committed is listed', async (t) => {
  const network = makeNamespaces(t, 1)?.namespaces[0]?.network
  if (network === undefined) return
  assert.deepEqual(await network.tables(), [])
  await network.commit([])
  await network.commit([...base, { kind: 'add-elements', ...where, set: classes, elements: [service(1), service(2)] }])
  await network.commit([{ kind: 'add-elements', ...where, set: ranges, elements: [{ key: '10.0.0.0/8' }] }])
  assert.deepEqual(await network.tables(), [{ family: 'ip', name: 'plumb-services' }])
  const listed = await network.elements('ip', 'plumb-services', classes)
  assert.deepEqual(
    new Set(listed.map(({ key, value }) => `${key} : ${value}`)),
    new Set(['10.0.0.1 . tcp . 80 : 1:1', '10.0.0.2 . tcp . 80 : 1:1']),
  )
  assert.deepEqual(await network.elements('ip', 'plumb-services', ranges), [{ key: '10.0.0.0/8' }])
  await assert.rejects(network.elements('ip', 'plumb-services', { ...classes, name: 'none' }), {
    code: 'missing',
    step: 'list elements of map ip plumb-services none',
  })
})

const refusals: readonly { name: string; bad: Transaction; code: string; step: string; message?: RegExp }[] = [
  {
    name: 'an element in the middle of thousands',
    bad: [
      {
        kind: 'delete-elements',
        ...where,
        set: classes,
        elements: [...many(4000), service(70_000), ...many(10)],
      },
    ],
    code: 'missing',
    step: 'delete element 10.1.17.112 . tcp . 80 from map ip plumb-services service-class',
  },
  {
    name: 'an element that is there with another value',
    bad: [{ kind: 'add-elements', ...where, set: classes, elements: [service(90_000), service(7, '1:2')] }],
    code: 'exists',
    step: 'add element 10.0.0.7 . tcp . 80 : 1:2 to map ip plumb-services service-class',
  },
  {
    name: 'an interval that overlaps',
    bad: [
      { kind: 'add-elements', ...where, set: ranges, elements: [{ key: '10.0.0.0/8' }] },
      { kind: 'add-elements', ...where, set: ranges, elements: [{ key: '172.16.0.0/12' }, { key: '10.1.0.0/16' }] },
    ],
    code: 'exists',
    step: 'add element 10.1.0.0/16 to set ip plumb-services no-masquerade',
  },
  {
    name: 'a rule in a chain that is not there',
    bad: [
      {
        kind: 'add-rule',
        ...where,
        chain: 'none',
        rule: { statements: [{ kind: 'verdict', verdict: { kind: 'accept' } }] },
      },
    ],
    code: 'missing',
    step: 'add rule ip plumb-services none: accept',
    message: /there is no none/,
  },
  {
    name: 'a chain that is referenced',
    bad: [
      { kind: 'add-chain', ...where, chain: { name: 'user' } },
      {
        kind: 'add-rule',
        ...where,
        chain: 'user',
        rule: { statements: [{ kind: 'verdict', verdict: { kind: 'goto', chain: 'lb-1' } }] },
      },
      { kind: 'delete-chain', ...where, chain: 'lb-1' },
    ],
    code: 'busy',
    step: 'delete chain ip plumb-services lb-1',
  },
  {
    name: 'a table that is not there',
    bad: [{ kind: 'delete-table', family: 'ip6', table: 'none' }],
    code: 'missing',
    step: 'delete table ip6 none',
    message: /there is no none/,
  },
]

for (const { name, bad, code, step, message } of refusals) {
  test(`${name} is named, and nothing of the transaction is applied`, async (t) => {
    const network = makeNamespaces(t, 1)?.namespaces[0]?.network
    if (network === undefined) return
    await network.commit([...base, { kind: 'add-elements', ...where, set: classes, elements: many(4000) }])
    const marker = { family: 'ip', table: 'marker' } as const
    const transaction: Transaction = [{ kind: 'add-table', ...marker }, ...bad, { kind: 'add-table', ...marker }]
    await assert.rejects(network.commit(transaction), {
      name: 'HostError',
      code,
      step,
      ...(message === undefined ? {} : { message }),
    })
    assert.deepEqual(await network.tables(), [{ family: 'ip', name: 'plumb-services' }])
    assert.equal((await network.elements('ip', 'plumb-services', classes)).length, 4000)
    await network.commit([{ kind: 'add-table', ...marker }])
    assert.equal((await network.tables()).length, 2)
  })
}

test('100,000 elements go in one batch while the event loop runs, and a refused one leaves the socket usable', async (t) => {
  const network = makeNamespaces(t, 1)?.namespaces[0]?.network
  if (network === undefined) return
  const elements = many(100_000)
  await network.commit(base)
  let turns = 0
  const timer = setInterval(() => turns++, 1)
  t.after(() => clearInterval(timer))
  const refused = network.commit([
    { kind: 'add-elements', ...where, set: classes, elements },
    { kind: 'delete-chain', ...where, chain: 'none' },
  ])
  const after = network.commit([{ kind: 'add-elements', ...where, set: classes, elements }])
  await assert.rejects(refused, { step: 'delete chain ip plumb-services none' })
  await after
  assert(turns > 0)
  assert.equal((await network.elements('ip', 'plumb-services', classes)).length, 100_000)
})

test('commits are applied in the order in which they were asked for', async (t) => {
  const network = makeNamespaces(t, 1)?.namespaces[0]?.network
  if (network === undefined) return
  const results = await Promise.allSettled([
    network.commit(base),
    network.commit([{ kind: 'add-elements', ...where, set: classes, elements: many(20_000) }]),
    network.commit([{ kind: 'delete-elements', ...where, set: classes, elements: many(20_000) }]),
    network.commit([{ kind: 'delete-elements', ...where, set: classes, elements: many(1) }]),
  ])
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'fulfilled', 'rejected'],
  )
})

async function commitLarge(t: TestContext, ...unshare: string[]): Promise<unknown> {
  const script = fileURLToPath(new URL('./testdata/commit-large.ts', import.meta.url))
  const child = spawn('unshare', [...unshare, process.execPath, script], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  const chunks: Buffer[] = []
  for await (const chunk of child.stdout) chunks.push(chunk as Buffer)
  return JSON.parse(Buffer.concat(chunks).toString())
}

const refused = 'delete chain ip large none: ENOENT'

test('a transaction beyond wmem_max is whole or not at all with privileges', { timeout: 30_000 }, async (t) => {
  if (makeNamespaces(t, 1) === undefined) return
  assert.deepEqual(await commitLarge(t, '--net'), {
    applied: 60_000,
    refused: `${refused} (there is no none)`,
    left: 60_000,
  })
})

test('in an unprivileged user namespace it goes in parts, and a refusal says so', { timeout: 30_000 }, async (t) => {
  if (makeNamespaces(t, 1) === undefined) return
  assert.deepEqual(await commitLarge(t, '--user', '--map-root-user', '--net'), {
    applied: 60_000,
    refused: `${refused} (there is no none; the operations before it were applied: without CAP_NET_ADMIN a large transaction goes in parts)`,
    left: 120_000,
  })
})

const run = (namespace: Namespace, ...args: string[]): void => {
  const { status, stderr } = namespace.run(() => spawnSync('nft', args, { encoding: 'utf8' }))
  assert.equal(status, 0, stderr)
}

test('what another program changes while an own large transaction goes in is told as lost, and nothing else is', async (t) => {
  const namespace = makeNamespaces(t, 1)?.namespaces[0]
  if (namespace === undefined) return
  const { network } = namespace
  const told: string[] = []
  const watch = network.watchTables(
    (table) => told.push(table),
    () => told.push('lost'),
  )
  t.after(() => watch.close())
  await network.commit(base)
  await network.commit([{ kind: 'add-elements', ...where, set: classes, elements: many(50_000) }])
  assert.deepEqual(told, [])
  const commit = network.commit([{ kind: 'delete-elements', ...where, set: classes, elements: many(50_000) }])
  await Promise.resolve()
  // The event loop stands still until the other program is done, so the own transaction cannot end before.
  run(namespace, 'add', 'chain', 'ip', 'plumb-services', 'other')
  await commit
  await new Promise(setImmediate)
  assert.deepEqual(told, ['lost'])
})

test('a batch that is cut off before its end changes nothing, and the socket goes on', async (t) => {
  const namespace = makeNamespaces(t, 1)?.namespaces[0]
  if (namespace === undefined) return
  await namespace.network.commit(base)
  const fd = namespace.run(() => openNetlink('cut', NETLINK_NETFILTER))
  const firewall = new Firewall(fd, () => closeSync(fd))
  const transaction: Transaction = [{ kind: 'add-elements', ...where, set: classes, elements: many(100) }]
  const { bytes } = encodeTransaction(transaction, 1)
  const message = bytes.readUInt32LE(20)
  for (const length of [20 + message, bytes.length - 20, bytes.length - 40]) {
    assert.equal(libc().send(fd, bytes.subarray(0, length), length, 0), length)
    assert.deepEqual(
      await namespace.network.elements('ip', 'plumb-services', classes),
      [],
      `${length} of ${bytes.length}`,
    )
  }
  await firewall.commit(transaction)
  assert.equal((await namespace.network.elements('ip', 'plumb-services', classes)).length, 100)
  firewall.close()
})

test('an acknowledgement that does not fit into the socket’s buffer is an error of its own: what was applied is unknown', async (t) => {
  const namespace = makeNamespaces(t, 1)?.namespaces[0]
  if (namespace === undefined) return
  await namespace.network.commit(base)
  const fd = namespace.run(() => openNetlink('full', NETLINK_NETFILTER, { groups: 1 << 6 }))
  const firewall = new Firewall(fd, () => closeSync(fd))
  const receiveBuffer = 8
  setOption('shrink', fd, SOL_SOCKET, receiveBuffer, 4096)
  // News of others that nobody reads fill it.
  const elements = Array.from({ length: 200 }, (_, at) => `10.9.0.${at} . tcp . 80 : 1:1`).join(', ')
  run(namespace, 'add', 'element', 'ip', 'plumb-services', 'service-class', `{ ${elements} }`)
  const change: Transaction = [{ kind: 'add-chain', ...where, chain: { name: 'late' } }]
  await assert.rejects(firewall.commit(change), { errno: 'ENOBUFS', message: /what was applied is unknown/ })
  await firewall.commit(change)
  run(namespace, 'list', 'chain', 'ip', 'plumb-services', 'late')
  firewall.close()
})
