import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { test } from 'node:test'
import { spawnIn } from './index.ts'
import { makeNamespaces } from './testing.ts'

/** Every network namespace that a process or one of its descriptors holds. */
function heldNamespaces(): Set<bigint> {
  const held = new Set<bigint>()
  const add = (path: string) => {
    try {
      const inode = /^net:\[(\d+)\]$/.exec(readlinkSync(path))?.[1]
      if (inode !== undefined) held.add(BigInt(inode))
    } catch {
      // The process or descriptor is gone.
    }
  }
  for (const process of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    add(`/proc/${process}/ns/net`)
    try {
      for (const fd of readdirSync(`/proc/${process}/fd`)) add(`/proc/${process}/fd/${fd}`)
    } catch {
      // The process is gone.
    }
  }
  return held
}

test('a namespace has its own lo, up, and goes when it is closed', (t) => {
  const made = makeNamespaces(t, 1)
  if (made === undefined) return
  const [namespace] = made.namespaces
  assert(namespace !== undefined)
  assert.notEqual(namespace.inode, made.host.own.inode)
  assert.deepEqual(
    namespace.network.links().map(({ name, up }) => ({ name, up })),
    [{ name: 'lo', up: true }],
  )
  assert(heldNamespaces().has(namespace.inode))
  namespace.network.listeners()
  namespace.close()
  namespace.close()
  assert(!heldNamespaces().has(namespace.inode))
  assert.throws(() => namespace.network, /closed/)
})

test('the thread is back in its namespace after work, nested work and failed work', (t) => {
  const made = makeNamespaces(t, 2)
  if (made === undefined) return
  const [a, b] = made.namespaces
  assert(a !== undefined && b !== undefined)
  const here = () => BigInt(readlinkSync('/proc/thread-self/ns/net').slice(5, -1))
  const seen = a.run(() => [here(), b.run(here), a.run(here), made.host.own.run(here), here()])
  assert.deepEqual(seen, [a.inode, b.inode, a.inode, made.host.own.inode, a.inode])
  assert.throws(() => a.run(() => b.run(() => assert.fail('on purpose'))), /on purpose/)
  assert.equal(here(), made.host.own.inode)
  assert.throws(() => a.run(() => Promise.resolve()), /must be synchronous/)
  assert.equal(here(), made.host.own.inode)
})

test('a namespace opens by the path of another’s descriptor; other paths are refused', (t) => {
  const made = makeNamespaces(t, 1)
  if (made === undefined) return
  const [namespace] = made.namespaces
  assert(namespace !== undefined)
  const again = made.host.openNamespace(namespace.path)
  assert.equal(again.inode, namespace.inode)
  again.close()
  assert.throws(() => made.host.openNamespace('/proc/self/ns/none'), { code: 'missing', errno: 'ENOENT' })
  assert.throws(() => made.host.openNamespace('/proc/self/ns/mnt'), { code: 'invalid', errno: 'EINVAL' })
})

test('a child process starts inside, and descriptors do not leak into it', async (t) => {
  const made = makeNamespaces(t, 2)
  if (made === undefined) return
  const [inside, other] = made.namespaces
  assert(inside !== undefined && other !== undefined)
  other.network.links()
  const child = spawnIn(inside, '/bin/sh', ['-c', 'readlink /proc/self/ns/net /proc/self/fd/*'])
  const chunks: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(child, 'close')
  const lines = Buffer.concat(chunks).toString().split('\n')
  assert.equal(lines[0], `net:[${inside.inode}]`)
  assert.deepEqual(
    lines.slice(1).filter((line) => line.startsWith('net:')),
    [],
  )
})

test('a killed process leaves no namespace behind', async (t) => {
  if (makeNamespaces(t, 1) === undefined) return
  const child = fork(new URL('./testdata/hold-namespace.ts', import.meta.url), { stdio: 'inherit' })
  t.after(() => child.kill('SIGKILL'))
  const [inode] = (await once(child, 'message')) as [string]
  assert(heldNamespaces().has(BigInt(inode)))
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert(!heldNamespaces().has(BigInt(inode)))
})

test('a sysctl belongs to its namespace alone', (t) => {
  const made = makeNamespaces(t, 2)
  if (made === undefined) return
  const [a, b] = made.namespaces
  assert(a !== undefined && b !== undefined)
  const name = 'net.ipv4.ip_default_ttl'
  const before = made.host.own.network.sysctl(name)
  a.network.setSysctl(name, 77)
  b.network.setSysctl(name, '78')
  assert.deepEqual(
    [a, b, made.host.own].map(({ network }) => network.sysctl(name)),
    ['77', '78', before],
  )
  assert.throws(() => a.network.setSysctl('net.ipv4.none', 1), {
    code: 'missing',
    step: 'set sysctl net.ipv4.none to 1',
  })
  assert.throws(() => a.network.setSysctl('net.ipv4.ip_forward', 'x'), { code: 'invalid' })
  assert.throws(() => a.network.sysctl('kernel.hostname'), /not below net/)
  assert.throws(() => a.network.sysctl('net.//.//.kernel.hostname'), /leaves/)
})
