// Spring Cloud Kubernetes' own clients, as an unchanged application uses them: its discovery server's client against `plumb discovery`, and
// the clients on fabric8 and on the official Java client against the embedded API server.
import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '../..')
const plumb = join(root, 'plumb')
const folder = mkdtempSync(join(tmpdir(), 'plumb-spring-'))
const environment: NodeJS.ProcessEnv = { ...process.env, PLUMB_LAB: 'spring', KUBECACHEDIR: join(folder, 'cache') }
const children: ChildProcess[] = []
let discoveryUrl = ''

interface Seen {
  readonly why: 'started' | 'heartbeat'
  readonly services: readonly string[]
  readonly instances: readonly { readonly host: string; readonly port: number; readonly serviceId: string }[]
  readonly chosen?: string
}

before(async () => {
  await run(plumb, ['up', '-f', join(root, 'examples', 'shop')], { env: environment })
  environment.KUBECONFIG = (await run(plumb, ['kubeconfig'], { env: environment })).stdout.trim()
  const words = ['discovery', '--host', '127.0.0.1', '--port', '0', '-n', 'default']
  const server = spawn(plumb, words, { env: environment, stdio: ['ignore', 'inherit', 'pipe'] })
  children.push(server)
  for await (const line of createInterface(server.stderr)) {
    discoveryUrl = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0] ?? ''
    if (discoveryUrl !== '') break
  }
})
after(async () => {
  for (const child of children) child.kill()
  await run(plumb, ['down'], { env: environment })
  rmSync(folder, { recursive: true, force: true })
})

async function podAddresses(replicas: number): Promise<string[]> {
  await run('kubectl', ['scale', 'deployment', 'web', `--replicas=${replicas}`], { env: environment })
  await run('kubectl', ['rollout', 'status', 'deployment', 'web', '--timeout=60s'], { env: environment })
  for (;;) {
    const words = ['get', 'endpoints', 'web', '-o', 'jsonpath={.subsets[*].addresses[*].ip}']
    const addresses = (await run('kubectl', words, { env: environment })).stdout.split(' ').sort()
    if (addresses.length === replicas) return addresses
  }
}

const hasMaven = await run('mvn', ['-v']).then(
  () => true,
  () => false,
)
for (const [replicas, finder] of [
  [3, 'discoveryclient'],
  [4, 'fabric8-loadbalancer'],
  [5, 'client-loadbalancer'],
] as const)
  test(`spring-cloud-starter-kubernetes-${finder}: instances, a choice, and a heartbeat when they change`, {
    timeout: 600_000,
    skip: hasMaven ? false : 'Maven and a JDK build the applications: apt install maven',
  }, async () => {
    const before = await podAddresses(replicas)
    const target = join(folder, finder)
    const build = [`-Dtarget=${target}`, `-Dfinder=${finder}`, `-DoutputDirectory=${join(target, 'lib')}`]
    await run('mvn', ['-q', '-B', ...build, 'compile', 'dependency:copy-dependencies'], {
      cwd: join(root, 'test/spring'),
      env: environment,
    })
    const settings = {
      'spring.main.cloud-platform': 'KUBERNETES',
      'spring.cloud.kubernetes.discovery.catalogServicesWatchDelay': '500',
      'spring.cloud.kubernetes.client.namespace': 'default',
      'spring.cloud.kubernetes.http.discovery.catalog.watcher.enabled': 'true',
      'spring.cloud.kubernetes.discovery.discovery-server-url': discoveryUrl,
    }
    const words = Object.entries(settings).map(([name, value]) => `-D${name}=${value}`)
    const classes = `${join(target, 'classes')}:${join(target, 'lib')}/*`
    const client = spawn('java', ['-Xmx200m', '-cp', classes, ...words, 'plumb.Client'], {
      env: environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    children.push(client)
    const lines = createInterface(client.stdout)[Symbol.asyncIterator]()
    const next = async (isThis: (seen: Seen) => boolean): Promise<Seen> => {
      for (;;) {
        const { value, done } = await lines.next()
        assert.ok(done !== true, 'the application ended')
        if (!value.startsWith('SEEN ')) continue
        const seen = JSON.parse(value.slice(5)) as Seen
        if (isThis(seen)) return seen
      }
    }
    const hosts = ({ instances }: Seen) => instances.map(({ host }) => host).sort()
    const first = await next(({ why }) => why === 'started')
    assert.deepEqual(hosts(first), before)
    for (const name of ['web', 'cart']) assert.ok(first.services.includes(name), `${first.services} has ${name}`)
    assert.ok(first.chosen?.endsWith(':8080') && before.includes(first.chosen.split(':')[0]!), String(first.chosen))
    const startedAt = Date.now()
    const now = await podAddresses(replicas - 1)
    const later = await next((seen) => seen.why === 'heartbeat' && seen.instances.length === replicas - 1)
    console.log(`${finder}: the change was told ${Date.now() - startedAt} ms after the scaling began`)
    assert.deepEqual(hosts(later), now)
    client.kill()
  })
