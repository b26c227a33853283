import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { openHost, probeHost } from './index.ts'
import { makeNamespaces } from './testing.ts'

test('a host with privileges lacks nothing that is required, and the probe leaves nothing behind', async (t) => {
  if (makeNamespaces(t, 1) === undefined) return
  const { network } = openHost().own
  const before = network.links().map(({ name }) => name)
  const { missing } = await probeHost()
  assert.deepEqual(
    missing.filter(({ required }) => required),
    [],
  )
  assert.deepEqual(
    network.links().map(({ name }) => name),
    before,
  )
})

test('without privileges the probe says what is denied and what to do', { timeout: 10_000 }, async (t) => {
  if (makeNamespaces(t, 1) === undefined) return
  const script = `import { probeHost } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)}
    console.log(JSON.stringify(await probeHost()))`
  // Root without capabilities: it may still read a checkout that nobody else may.
  const args = ['--no-new-privs', '--bounding-set=-all', '--inh-caps=-all']
  const child = spawn('setpriv', [...args, process.execPath, '--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  const chunks: Buffer[] = []
  for await (const chunk of child.stdout) chunks.push(chunk as Buffer)
  assert.deepEqual(JSON.parse(Buffer.concat(chunks).toString()), {
    missing: [
      {
        feature: 'namespaces',
        required: true,
        reason: 'create network namespace: EPERM (needs CAP_NET_ADMIN and CAP_SYS_ADMIN: run as root)',
        remedy: 'run as root, or with CAP_SYS_ADMIN and CAP_NET_ADMIN (in a container: --privileged)',
      },
    ],
  })
})
