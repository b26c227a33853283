import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { parseAddress } from '../addr/index.ts'
import { ApiError, type Client, type Running } from '../client/index.ts'
import { snapshotOf } from '../cluster/index.ts'
import { saveCapsule } from '../doctor/index.ts'
import type { KubeObject, Pod, Status } from '../objects/index.ts'
import { RemoteNode } from './remote-node.ts'

const agent = { metadata: { namespace: 'plumb-system', name: 'agent' } } as Pod

/** A kubelet that runs a command of this machine instead. */
function clientOf(...words: string[]): { client: Client; asked: string[]; close(): void } {
  const asked: string[] = []
  const child = spawn(words[0]!, words.slice(1), { stdio: 'pipe' })
  child.stdin.on('error', () => undefined)
  const exec: Client['exec'] = async ({ command }) => {
    asked.push(command.join(' '))
    let stderr = ''
    child.stderr.on('data', (data) => {
      stderr += data
    })
    const lines = createInterface({ input: child.stdout })
    return {
      write: (text) => void child.stdin.write(text),
      onLine: (tell) => void lines.on('line', tell),
      ended: once(child, 'close').then(() => stderr),
      close: () => void child.kill(),
    } satisfies Running
  }
  return { client: { exec } as Client, asked, close: () => void child.kill() }
}

test('a node answers through its agent’s pod, each question by its own', async () => {
  const { client, asked, close } = clientOf(process.execPath, join(import.meta.dirname, 'main.ts'), 'look')
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const remote = new RemoteNode(client, 'here', agent)
    const { port } = server.address() as { port: number }
    const observation = {
      kind: 'listener',
      node: 'here',
      pod: { namespace: 'ns', name: 'web' },
      transport: 'tcp',
      port,
    } as const
    await assert.rejects(remote.ask({ kind: 'evidence', observations: [observation] }), /nothing is opened yet/)
    const snapshot = snapshotOf([
      {
        kind: 'Node',
        metadata: { name: 'here' },
        status: { addresses: [{ type: 'InternalIP', address: '127.0.0.1' }] },
      },
      {
        kind: 'Pod',
        metadata: { name: 'web', namespace: 'ns' },
        spec: { nodeName: 'here', hostNetwork: true, containers: [] },
      },
    ] as unknown as KubeObject[])
    const capsule = saveCapsule(snapshot, { clusterDomain: 'cluster.local', servicePrefixes: [] }, [], '')
    await remote.ask({ kind: 'open', node: 'here', capsule })
    const route = { kind: 'route', node: 'there', destination: parseAddress('127.0.0.1'), expect: {} } as const
    const [evidence, api] = await Promise.all([
      remote.ask({ kind: 'evidence', observations: [observation, route] }),
      remote.ask({ kind: 'api' }),
    ])
    const [listener, elsewhere] = evidence
    assert.ok(
      listener?.kind === 'listener' && listener.ports.some((one) => one.port === port),
      JSON.stringify(listener),
    )
    assert.equal(elsewhere?.kind, 'unseen')
    assert.match(api.error ?? '', /no service account/)
    assert.deepEqual(asked, ['/plumb/plumb look'])
  } finally {
    server.close()
    close()
  }
})

test('an agent of before says so, and a right that is missing is named', async () => {
  const old = clientOf('sh', '-c', 'echo "error: unknown command \'look\'" >&2; exit 64')
  const remote = new RemoteNode(old.client, 'a', agent)
  // Also when it has ended already.
  for (const _ of [1, 2]) await assert.rejects(remote.ask({ kind: 'api' }), /of a version that cannot be asked/)
  const forbidden = { code: 403, message: 'no' } as Status
  const exec = () => Promise.reject(new ApiError(forbidden))
  const refused = new RemoteNode({ exec } as unknown as Client, 'a', agent)
  await assert.rejects(refused.ask({ kind: 'api' }), /right to exec into pods of plumb-system \(plumb access --agents/)
})
