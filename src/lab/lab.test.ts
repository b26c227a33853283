import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createWriteStream, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { type Client, connect } from '../client/index.ts'
import { openHost } from '../host/index.ts'
import { type Deployment, Deployments, type Node, Nodes, type Pod, Pods } from '../objects/index.ts'
import { execIn } from './exec-in.ts'
import type { ExecTarget } from './exec-place.ts'
import { down, findLab } from './lab.ts'
import { findInit, runDirectory } from './run-directory.ts'
import type { LabSummary } from './summary.ts'
import { up } from './up.ts'

const name = 'test'
const shop = join(import.meta.dirname, '..', '..', 'examples', 'shop')
const client: ExecTarget = { kind: 'pod', namespace: 'default', pod: 'client' }
let root: string
let summary: LabSummary
let api: Client
let linksBefore: string[]

before(async () => {
  root = mkdtempSync(join(tmpdir(), 'plumb-lab-'))
  process.env.PLUMB_RUN = root
  linksBefore = hostLinks()
  summary = await up({ name, nodes: 3, files: [shop], timeoutMs: 30_000 })
  api = connect({ kubeconfig: summary.kubeconfig, userAgent: 'plumb-test' })
})

after(async () => {
  api?.close()
  await down(name)
  rmSync(root, { recursive: true, force: true })
})

function hostLinks(): string[] {
  return openHost()
    .own.network.links()
    .map((link) => link.name)
}

/** Runs a command in the lab; its exit code and what it printed. */
async function run(target: ExecTarget, ...argv: string[]): Promise<{ code: number; output: string }> {
  const file = join(root, 'output')
  const fd = openSync(file, 'w')
  const code = await execIn(name, target, argv, ['ignore', fd, fd])
  return { code, output: readFileSync(file, 'utf8') }
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 20_000
  while (!(await condition().catch(() => false))) {
    assert(Date.now() < end, `${what}: not within 20 s`)
    await pause(50)
  }
}

test('up brings nodes and pods to Ready, and again is idempotent', async () => {
  assert.deepEqual(summary.unsettled, [])
  assert.equal(summary.nodes, 3)
  assert.equal(summary.pods.ready, summary.pods.total)
  const again = await up({ name, nodes: 3, files: [shop], timeoutMs: 30_000 })
  assert.equal(again.started, false)
  assert.equal(again.applied.created, 0)
  assert.equal(again.applied.configured, 0)
})

test('nodes are spread over zones', async () => {
  const { items } = await api.list<Node>(Nodes)
  const zones = items.map(({ metadata }) => metadata.labels?.['topology.kubernetes.io/zone']).sort()
  assert.deepEqual(zones, ['zone-a', 'zone-b', 'zone-c'])
})

test('a pod reaches a Service by name, over both families', async () => {
  for (const family of ['-4', '-6']) {
    const { code, output } = await run(client, 'curl', family, '-s', '-m', '5', 'http://web')
    assert.equal(code, 0, output)
    assert.match(output, /^pod: web-/)
  }
})

test('commands run in pods, on nodes and outside, and their exit codes come back', async () => {
  assert.deepEqual(await run(client, 'sh', '-c', 'hostname; exit 7'), { code: 7, output: 'client\n' })
  assert.match((await run({ kind: 'node', node: 'node-2' }, 'ip', '-4', '-o', 'addr')).output, /172\.30\.0\.12\/24/)
  assert.match((await run({ kind: 'outside' }, 'ip', '-4', '-o', 'addr')).output, /203\.0\.113\.10\/24/)
  await assert.rejects(run({ kind: 'node', node: 'node-9' }, 'true'), /node "node-9" is not in the lab/)
  await assert.rejects(run({ ...client, pod: 'nobody' }, 'true'), /pod "default\/nobody" runs on no node/)
})

test('logs come from the kubelet through the API server', async () => {
  const { items } = await api.list<Pod>(Pods, { namespace: 'default', labelSelector: 'app=web' })
  const pod = items[0]?.metadata.name
  const log = await api.request<string>('GET', `/api/v1/namespaces/default/pods/${pod}/log?tailLines=1`)
  assert.match(String(log), /\n$/)
})

test('kubectl exec carries output and exit code', (t) => {
  if (spawnSync('kubectl', ['version', '--client']).status !== 0) return t.skip('kubectl is not on this machine')
  const args = ['--kubeconfig', summary.kubeconfig, 'exec', 'client', '--', 'sh', '-c', 'hostname; exit 3']
  const { status, stdout } = spawnSync('kubectl', args, { encoding: 'utf8' })
  assert.equal(stdout, 'client\n')
  assert.equal(status, 3)
})

test('a deleted pod is replaced, and its object goes when its containers have', async () => {
  const pods = () => api.list<Pod>(Pods, { namespace: 'default', labelSelector: 'app=web' })
  const victim = (await pods()).items[0]!.metadata
  await api.delete(Pods, 'default', victim.name)
  await until('the pod is gone', async () => (await api.find(Pods, 'default', victim.name)) === undefined)
  await until('the Deployment is whole', async () => {
    const web = await api.get<Deployment>(Deployments, 'default', 'web')
    return web.status?.readyReplicas === web.spec.replicas
  })
})

test('jobs of any outcome end as their processes do; a crashing container backs off', async () => {
  const pod = (podName: string, script: string, restartPolicy: 'Never' | 'Always'): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: podName, namespace: 'default' },
    spec: { restartPolicy, containers: [{ name: 'c', image: 'x', command: ['sh', '-c', script] }] },
  })
  await Promise.all([
    api.create(Pods, pod('good', 'echo $KUBERNETES_SERVICE_HOST', 'Never')),
    api.create(Pods, pod('bad', 'exit 5', 'Never')),
    api.create(Pods, pod('crash', 'exit 6', 'Always')),
  ])
  const status = async (podName: string) => (await api.get<Pod>(Pods, 'default', podName)).status
  await until('good succeeds', async () => (await status('good'))?.phase === 'Succeeded')
  await until('bad fails', async () => (await status('bad'))?.phase === 'Failed')
  assert.equal((await status('bad'))?.containerStatuses?.[0]?.state?.terminated?.exitCode, 5)
  await until('crash backs off', async () => {
    const container = (await status('crash'))?.containerStatuses?.[0]
    return container?.state?.waiting?.reason === 'CrashLoopBackOff' && container.restartCount === 1
  })
  const log = await api.request('GET', '/api/v1/namespaces/default/pods/good/log')
  assert.equal(String(log).trim(), '10.96.0.1')
})

test('each process of the lab is a user of its own, and is refused nothing that it asks for', async () => {
  const server = /server: .*/
  const [loopback = ''] = server.exec(readFileSync(summary.kubeconfig, 'utf8')) ?? []
  const users = { 'agent-node-1': 'plumb:agent:node-1', controllers: 'plumb:controllers' }
  for (const [file, user] of Object.entries(users)) {
    const kubeconfig = readFileSync(join(runDirectory(name).path, `${file}.kubeconfig`), 'utf8').replace(
      server,
      loopback,
    )
    const own = connect({ kubeconfig, userAgent: 'plumb-test' })
    const review = await own.request<{ status: { userInfo: { username: string; groups: string[] } } }>(
      'POST',
      '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      {},
    )
    own.close()
    const { username, groups } = review.status.userInfo
    assert.equal(username, user)
    assert.ok(!groups.includes('system:masters'), groups.join())
  }
  const metrics = String(await api.request('GET', '/metrics'))
  assert.deepEqual(metrics.match(/^apiserver_request_total.*code="403".*$/gm), null)
})

test('the API server may die: it comes back at the same address and the pods stay', async () => {
  const before = (await api.get<Pod>(Pods, 'default', 'client')).metadata.uid
  const lab = await findLab(name)
  const pid = lab?.state.processes.find((one) => one.name === 'apiserver')?.pid
  const init = findInit(runDirectory(name))
  // The number is the lab's; nsenter takes kill to where it means that process.
  spawnSync('nsenter', [`--pid=/proc/${init}/ns/pid`, `--mount=/proc/${init}/ns/mnt`, 'sh', '-c', `kill -9 ${pid}`])
  await until('another API server runs', async () => {
    const now = (await findLab(name))?.state.processes.find((one) => one.name === 'apiserver')
    return now?.pid !== undefined && now.pid !== pid
  })
  await until('it knows the pod', async () => (await api.get<Pod>(Pods, 'default', 'client')).metadata.uid === before)
  assert.equal((await run(client, 'curl', '-s', '-m', '5', '-o', '/dev/null', 'http://web')).code, 0)
})

test('kill -9 of the lab leaves nothing, and up starts anew from a backup', async () => {
  // Those that other tests broke on purpose.
  for (const broken of ['bad', 'crash']) await api.delete(Pods, 'default', broken, { gracePeriodSeconds: 0 })
  const backup = join(root, 'backup.db')
  await pipeline(await api.download('/backup'), createWriteStream(backup))
  const before = await api.get<Pod>(Pods, 'default', 'client')
  const init = findInit(runDirectory(name))
  assert(init !== undefined)
  assert.deepEqual(hostLinks(), linksBefore, 'the host has no link of the lab')
  process.kill(init, 'SIGKILL')
  await until('the run directory is gone', async () => !existsSync(runDirectory(name).path))
  assert.equal(await findLab(name), undefined)
  assert.deepEqual(hostLinks(), linksBefore)
  const again = await up({ name, nodes: 3, files: [], timeoutMs: 30_000, restore: backup })
  assert.deepEqual(again.unsettled, [])
  api.close()
  api = connect({ kubeconfig: again.kubeconfig, userAgent: 'plumb-test' })
  assert.equal((await api.get<Pod>(Pods, 'default', 'client')).metadata.uid, before.metadata.uid)
  // The same pods in new namespaces: they run, and reach one another.
  await until('the shop answers', async () => (await run(client, 'curl', '-s', '-m', '5', 'http://web')).code === 0)
  const { status } = await api.get<Pod>(Pods, 'default', 'client')
  assert.equal(status?.podIPs?.length, 2, 'the addresses of its former namespace are gone')
  await assert.rejects(up({ name, nodes: 3, files: [], timeoutMs: 1000, restore: backup }), /runs already/)
})
