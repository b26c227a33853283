import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Namespace, openHost } from '../host/index.ts'
import { runInContainer } from '../kubelet/index.ts'
import type { Container, Pod } from '../objects/index.ts'
import { ContainerProcess } from './container-process.ts'
import { withPrivileges } from './container-script.ts'

let directory: string
let namespace: Namespace
let count = 0

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'plumb-container-'))
  mkdirSync(join(directory, 'etc'))
  for (const name of ['resolv.conf', 'hosts', 'hostname'])
    writeFileSync(join(directory, 'etc', name), `${name} of the pod\n`)
  namespace = openHost().createNamespace()
})

after(() => {
  namespace.close()
  rmSync(directory, { recursive: true })
})

function run(argv: readonly string[], spec: object = {}): ContainerProcess {
  return new ContainerProcess({
    namespace,
    argv: withPrivileges({ spec } as Pod, { name: 'c' } as Container, argv),
    environment: { PATH: process.env.PATH ?? '', COLOUR: 'blue', 'data-1': 'odd' },
    hostname: 'web-1',
    workingDirectory: '/tmp',
    scratch: join(directory, `scratch-${++count}`),
    files: join(directory, 'etc'),
    mounts: [
      { source: join(directory, 'etc'), target: '/var/lib/with space', readOnly: true },
      { source: join(directory, 'etc'), target: '/var/run/plumb-test/linked', readOnly: true },
    ],
  })
}

test('a container has a host name, files, mounts, network and processes of its own', async () => {
  const script = [
    'hostname; cat /etc/resolv.conf; pwd; echo $COLOUR; echo $$',
    'ls /sys/class/net; cat "/var/lib/with space/hosts"; touch "/var/lib/with space/x" || echo sealed',
    'echo kept >/etc/plumb-test; cat /etc/plumb-test; exit 3',
  ]
  const container = run(['sh', '-c', script.join('\n')])
  assert.deepEqual(await container.exited, { exitCode: 3 })
  const lines = container.log.read().split('\n')
  assert.deepEqual(lines.filter((line) => !line.startsWith('touch')).slice(0, 9), [
    ...['web-1', 'resolv.conf of the pod', '/tmp', 'blue', '1', 'lo', 'hosts of the pod', 'sealed', 'kept'],
  ])
  assert(!existsSync('/etc/plumb-test'), 'what a container writes stays in it')
})

test('a mount below a link of the machine stays in the container', async () => {
  const container = run(['cat', '/var/run/plumb-test/linked/hosts'])
  await container.exited
  assert.equal(container.log.read().trim(), 'hosts of the pod')
  assert(!existsSync('/run/plumb-test'), 'nothing is made on the machine')
})

test('it has variables that no shell could name', async () => {
  const container = run(['env'])
  await container.exited
  assert.match(container.log.read(), /^data-1=odd$/m)
})

test('its processes see the privileges that its pod leaves them', async () => {
  const plain = run(['sh', '-c', 'ip link add x type bridge 2>/dev/null || echo denied; id -u'])
  await plain.exited
  assert.equal(plain.log.read(), 'denied\n0\n')
  const securityContext = { runAsUser: 1000, supplementalGroups: [7], fsGroup: 1001 }
  const other = run(['sh', '-c', 'id -u; id -G'], { securityContext })
  await other.exited
  assert.equal(other.log.read(), '1000\n1000 7 1001\n')
})

test('stop asks first and insists after the grace period; nothing of it is left', async () => {
  const polite = run(['sh', '-c', 'trap "exit 7" TERM; echo up; while :; do sleep 0.05; done'])
  await polite.started
  while (!polite.log.read().includes('up')) await new Promise((resolve) => setTimeout(resolve, 10))
  polite.stop(5000)
  assert.deepEqual(await polite.exited, { exitCode: 7 })
  const stubborn = run(['sh', '-c', 'trap "" TERM; sleep 1000 & sleep 1000'])
  const pid = await stubborn.started
  stubborn.stop(50)
  assert.deepEqual(await stubborn.exited, { exitCode: 137, signal: 9 })
  assert(!existsSync(`/proc/${pid}`))
})

test('a command joins the container, and a slow one is ended', async () => {
  const container = run(['sleep', '1000'])
  const pid = await container.started
  const answer = await runInContainer(
    pid,
    container.environment,
    ['sh', '-c', 'hostname; cat /etc/hosts; exit 4'],
    5000,
  )
  assert.deepEqual(answer, { exitCode: 4, output: 'web-1\nhosts of the pod\n' })
  await assert.rejects(
    runInContainer(pid, container.environment, ['sleep', '1000'], 50),
    /command timed out: sleep 1000/,
  )
  container.stop(0)
  await container.exited
})

test('a container that cannot be set up says why', async () => {
  const broken = new ContainerProcess({
    namespace,
    argv: ['true'],
    environment: {},
    hostname: 'web-1',
    workingDirectory: '/no/such/directory',
    scratch: join(directory, 'broken'),
    files: join(directory, 'etc'),
    mounts: [],
  })
  assert.notEqual((await broken.exited).exitCode, 0)
  await assert.rejects(broken.started, /container did not start: .*no\/such\/directory/)
})
