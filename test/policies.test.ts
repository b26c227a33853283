import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { type Address, parseAddress } from '../src/addr/index.ts'
import { check, settingOf } from '../src/explain/index.ts'
import { openHost } from '../src/host/index.ts'
import { findPlace, readManifestPaths } from '../src/lab/index.ts'
import type { KubeObject, Pod, Service } from '../src/objects/index.ts'

const run = promisify(execFile)
const plumb = resolve(import.meta.dirname, '..', 'plumb')
const lab = 'policies-test'
const environment: NodeJS.ProcessEnv = { ...process.env, PLUMB_LAB: lab }
/** Manifests of a public application and its policies, which a checkout does not carry. */
const manifests = process.env.PLUMB_MANIFESTS ?? resolve(import.meta.dirname, '..', '..', 'shared', 'manifests')
const folders = ['online-boutique', 'online-boutique-policies'].map((name) => join(manifests, name))
const skip = folders.every((folder) => existsSync(folder)) ? false : `no manifests in ${manifests} (PLUMB_MANIFESTS)`
const host = openHost()
let kubeconfig = ''

async function list<T extends KubeObject>(kind: string): Promise<T[]> {
  const words = ['--kubeconfig', kubeconfig, 'get', kind, '-n', 'default', '-o', 'json']
  return (JSON.parse((await run('kubectl', words, { maxBuffer: 1 << 26 })).stdout) as { items: T[] }).items
}

before(async () => {
  if (skip !== false) return
  await run(plumb, ['up', ...folders.flatMap((folder) => ['-f', folder])], { env: environment }).catch(() => undefined)
  kubeconfig = (await run(plumb, ['kubeconfig'], { env: environment })).stdout.trim()
})
after(async () => {
  if (skip === false) await run(plumb, ['down'], { env: environment })
})

/** From a pod to an address: `answered` when the connection is made, `silent` when nothing came back. */
async function attempt(pod: string, tries: readonly { to: Address; port: number }[]): Promise<string[]> {
  const place = await findPlace(lab, { kind: 'pod', namespace: 'default', pod })
  const init = readFileSync(join(dirname(kubeconfig), 'init.pid'), 'utf8').trim()
  const namespace = host.openNamespace(`/proc/${init}/root${place}`)
  try {
    const sockets = tries.map(({ to, port }) => new Socket({ fd: host.connectTcp(namespace, to, port).fd }))
    const outcomes = sockets.map(
      (socket) =>
        new Promise<string>((done) => {
          socket.once('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message))
          socket.once('close', () => done('silent'))
          // A descriptor that is connecting tells so by becoming writable.
          socket.write('\n', (error) => (error ? undefined : socket.bytesWritten >= 0 && connected(socket, done)))
        }),
    )
    const timer = setTimeout(() => sockets.forEach((socket) => void socket.destroy()), 400)
    const results = await Promise.all(outcomes)
    clearTimeout(timer)
    for (const socket of sockets) socket.destroy()
    return results
  } finally {
    namespace.close()
  }
}

function connected(socket: Socket, done: (outcome: string) => void): void {
  if (socket.remoteAddress !== undefined) done('answered')
}

test('a public application keeps the edges that its policies allow, and the others are silent', { skip }, async () => {
  const setting = settingOf(readManifestPaths(folders).map(({ object }) => object))
  const [pods, services] = [await list<Pod>('pods'), await list<Service>('services')]
  const targets = services.filter(({ spec }) => spec.selector !== undefined && spec.type !== 'LoadBalancer')
  let allowed = 0
  let denied = 0
  const tries = targets.map(({ spec }) => ({ to: parseAddress(spec.clusterIP ?? ''), port: spec.ports![0]!.port }))
  const all = await Promise.all(pods.map(({ metadata }) => attempt(metadata.name, tries)))
  for (const [which, { metadata }] of pods.entries()) {
    const from = `deployment/default/${metadata.labels?.app}`
    const outcomes = all[which]!
    for (const [index, { metadata: target, spec }] of targets.entries()) {
      const to = `deployment/default/${spec.selector?.app}`
      if (from === to) continue
      const { port, targetPort } = spec.ports![0]!
      const number = typeof targetPort === 'number' ? targetPort : port
      const [result] = check(setting, [{ from, to, port: number, expect: 'allow' }])
      assert.notEqual(result?.outcome, 'broken', result?.says)
      const expected = result?.outcome === 'passed' ? 'answered' : 'silent'
      assert.equal(outcomes[index], expected, `${metadata.name} → ${target.name}: ${result?.says}`)
      if (expected === 'answered') allowed++
      else denied++
    }
  }
  assert.ok(allowed >= 14 && denied >= 60, `${allowed} allowed, ${denied} denied`)
})
