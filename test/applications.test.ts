import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '..')
const plumb = join(root, 'plumb')
const lab = 'applications'
const cache = mkdtempSync(join(tmpdir(), 'plumb-kubectl-'))
/** Public applications as their authors publish them; not part of the project. */
const manifests = join(root, '..', 'shared', 'manifests')
const applications = ['online-boutique', 'voting-app']
  .map((name) => join(manifests, name))
  .filter((path) => existsSync(path))
const environment: NodeJS.ProcessEnv = { ...process.env, PLUMB_LAB: lab, KUBECACHEDIR: cache }

interface Item {
  metadata: { name: string }
  spec: { clusterIP?: string; selector?: Record<string, string>; ports?: { port: number; protocol: string }[] }
}

async function kubectl(...words: string[]): Promise<string> {
  return (await run('kubectl', words, { env: environment, maxBuffer: 1 << 24 })).stdout
}

before(async () => {
  await run(plumb, ['up', '-f', join(root, 'examples', 'shop')], { env: environment })
  environment.KUBECONFIG = (await run(plumb, ['kubeconfig'], { env: environment })).stdout.trim()
})
after(async () => {
  await run(plumb, ['down'], { env: environment })
  rmSync(cache, { recursive: true, force: true })
})

test('kubectl applies public applications, every pod gets Ready', async () => {
  for (const path of applications) await kubectl('apply', '-f', path)
  await kubectl('wait', '--for=condition=Available', 'deployment', '--all', '--timeout=120s')
  await kubectl('wait', '--for=condition=Ready', 'pod', '--all', '--timeout=120s')
  const again = (await Promise.all(applications.map((path) => kubectl('apply', '-f', path)))).join('')
  assert.doesNotMatch(again, /configured|created/, 'a second apply changes nothing')
})

test('every Service answers by its DNS name from a client pod, with one of its own pods', async () => {
  const { items } = JSON.parse(await kubectl('get', 'services', '-o', 'json')) as { items: Item[] }
  const served = items.filter(({ spec }) => spec.selector !== undefined && spec.clusterIP !== 'None')
  assert.ok(served.length >= 2 + (applications.length > 0 ? 10 : 0), `${served.length} Services`)
  for (const { metadata, spec } of served) {
    const selector = Object.entries(spec.selector ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .join(',')
    const pods = (await kubectl('get', 'pods', '-l', selector, '-o', 'name')).trim().split('\n')
    for (const { port } of spec.ports ?? []) {
      const url = `http://${metadata.name}:${port}/`
      const answer = await run(plumb, ['exec', 'client', '--', 'curl', '-sS', '-m', '5', url], { env: environment })
      const pod = /^pod: (.+)$/m.exec(answer.stdout)?.[1]
      assert.ok(pods.includes(`pod/${pod}`), `${url} answered ${answer.stdout}`)
    }
  }
})

test('plumb why explains each of these edges, and the kernel of every node agrees', async () => {
  const { items } = JSON.parse(await kubectl('get', 'services', '-o', 'json')) as { items: Item[] }
  for (const { metadata, spec } of items.filter((one) => one.spec.selector !== undefined)) {
    const port = spec.ports?.[0]?.port
    const { stdout } = await run(plumb, ['why', 'pod/client', `svc/${metadata.name}:${port}`, '-o', 'json'], {
      env: environment,
    })
    const answer = JSON.parse(stdout)
    assert.equal(answer.verdict.kind, 'allow', answer.verdict.says)
    const steps = [...answer.steps, ...answer.branches.flatMap((one: { steps: unknown[] }) => one.steps)]
    assert.ok(steps.every(({ because }) => because === undefined || (because.object !== '' && because.field !== '')))
    assert.ok(steps.some(({ observed }) => observed?.kind === 'agrees'))
  }
})

test('what does not work is refused with the object to blame, and exit status 1', async () => {
  const why = async (...words: string[]) =>
    run(plumb, ['why', ...words], { env: environment }).then(
      ({ stdout }) => ({ code: 0, stdout }),
      (error: { code: number; stdout: string }) => error,
    )
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'lonely' } }
  const manifest = join(cache, 'lonely.json')
  writeFileSync(manifest, JSON.stringify({ ...service, spec: { selector: { app: 'lonely' }, ports: [{ port: 80 }] } }))
  await kubectl('apply', '-f', manifest)
  const lonely = await why('pod/client', 'svc/lonely:80')
  assert.equal(lonely.code, 1)
  assert.match(lonely.stdout, /selector app=lonely matches none/)
  assert.match(lonely.stdout, /service\/default\/lonely spec\.selector/)
  const refused = await run(plumb, ['exec', 'client', '--', 'curl', '-sS', '-m', '5', 'http://lonely'], {
    env: environment,
  }).catch((e) => e)
  assert.match(refused.stderr, /[Rr]efused|Failed to connect|Couldn't connect/, 'the packet says the same')
  const wrongPort = await why('pod/client', 'svc/web:81')
  assert.equal(wrongPort.code, 1)
  assert.equal((await why('pod/client', 'nonsense')).code, 64)
})
