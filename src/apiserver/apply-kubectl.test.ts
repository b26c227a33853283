import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { accessSync, constants, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { renderKubeconfig } from './index.ts'
import { startTestServer, type TestServer } from './server.fixture.ts'

/** The kubectl of the path, and of the versions that an installation keeps beside it the oldest that works and the newest. */
const clients = (process.env.PATH ?? '').split(delimiter).flatMap((folder) => {
  try {
    const file = join(folder, 'kubectl')
    accessSync(file, constants.X_OK)
    const home = dirname(realpathSync(file))
    // 1.28 and older want OpenAPI v2 for what they apply.
    const versions = readdirSync(home).filter((name) => Number(/^kubectl\.1\.(\d+)$/.exec(name)?.[1] ?? 0) >= 29)
    const ends = [versions.at(0), versions.at(-1)].filter((name) => name !== undefined)
    return [file, ...ends.map((name) => join(home, name))]
  } catch {
    return []
  }
})
const [newest] = clients
const versions = [...new Map(clients.map((file) => [realpathSync(file), file])).values()]
const skip = newest === undefined ? 'kubectl is not installed' : false

let context: TestServer
let folder: string
let environment: NodeJS.ProcessEnv

before(async () => {
  context = await startTestServer()
  folder = mkdtempSync(join(tmpdir(), 'plumb-kubectl-apply-'))
  const { authority, admin } = context.certificates
  const server = `https://127.0.0.1:${context.client.port}`
  const kubeconfig = renderKubeconfig({ server, clusterCa: authority.cert, client: admin })
  writeFileSync(join(folder, 'kubeconfig'), kubeconfig, { mode: 0o600 })
  environment = {
    ...process.env,
    KUBECONFIG: join(folder, 'kubeconfig'),
    KUBECACHEDIR: join(folder, 'cache'),
    HOME: folder,
  }
})
after(async () => {
  rmSync(folder, { recursive: true, force: true })
  await context[Symbol.asyncDispose]()
})

interface Result {
  readonly code: number
  readonly out: string
  readonly err: string
}

function run(client: string, words: string, input = '', more: NodeJS.ProcessEnv = {}): Promise<Result> {
  return new Promise((resolve) => {
    const child = execFile(client, words.split(' '), { env: { ...environment, ...more } }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), out, err }),
    )
    child.stdin?.end(input)
  })
}

async function good(client: string, words: string, input = '', more: NodeJS.ProcessEnv = {}): Promise<string> {
  const { code, out, err } = await run(client, words, input, more)
  assert.equal(code, 0, `kubectl ${words}: ${err}`)
  return out
}

const manifest = (name: string, replicas: string) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: nginx, ports: [{containerPort: 80}]}]}
`
const three = '  replicas: 3'

interface Entry {
  manager: string
  operation: string
  subresource?: string
  fieldsV1: Record<string, unknown>
}

async function entriesOf(name: string): Promise<readonly Entry[]> {
  const { body } = await context.client.call('GET', `/apis/apps/v1/namespaces/default/deployments/${name}`)
  return body.metadata.managedFields
}

const managers = (entries: readonly Entry[]) => entries.map(({ manager, operation }) => `${manager} ${operation}`)

for (const client of versions) {
  const version = /\d+\.\d+$/.exec(client)?.[0] ?? 'of the path'
  const name = `web-${version.replaceAll(/[ .]/g, '-')}`

  test(`kubectl ${version}: apply --server-side, conflicts, force, scale, give up`, { skip }, async () => {
    const apply = (words = '', replicas = three) =>
      run(client, `apply --server-side -f -${words}`, manifest(name, replicas))
    assert.match((await apply()).out, /serverside-applied/)
    assert.deepEqual(managers(await entriesOf(name)), ['kubectl Apply'])
    const first = await entriesOf(name)
    assert.equal((await apply()).code, 0)
    assert.deepEqual(await entriesOf(name), first)
    await good(client, `scale deployment ${name} --replicas=5`)
    const scaled = (await entriesOf(name)).find(({ subresource }) => subresource === 'scale')
    assert.deepEqual([scaled?.operation, scaled?.fieldsV1], ['Update', { 'f:spec': { 'f:replicas': {} } }])
    const conflict = await apply()
    assert.equal(conflict.code, 1)
    assert.match(
      conflict.err,
      /Apply failed with 1 conflict: conflict with "kubectl[^"]*" with subresource "scale" using apps\/v1: \.spec\.replicas/,
    )
    assert.equal((await apply('', '')).code, 0)
    assert.equal(await good(client, `get deployment ${name} -o jsonpath={.spec.replicas}`), '5')
    assert.equal((await apply(' --force-conflicts')).code, 0)
    assert.equal(await good(client, `get deployment ${name} -o jsonpath={.spec.replicas}`), '3')
    assert.deepEqual(managers(await entriesOf(name)), ['kubectl Apply'])
    assert.equal((await run(client, `diff --server-side -f -`, manifest(name, three))).code, 0)
    assert.equal((await run(client, `diff --server-side -f -`, manifest(name, '  replicas: 4'))).code, 1)
    await good(client, `delete deployment ${name}`)
  })

  test(`kubectl ${version}: from client-side to server-side apply and back`, { skip }, async () => {
    await good(client, 'apply -f -', manifest(name, three))
    assert.deepEqual(managers(await entriesOf(name)), ['kubectl-client-side-apply Update'])
    await good(client, 'apply --server-side -f -', manifest(name, '  replicas: 4'))
    const entries = await entriesOf(name)
    // Migration makes one applier of both; the annotation keeps a way back.
    assert.deepEqual(
      managers(entries).filter((text) => text.startsWith('kubectl-client-side')),
      [],
    )
    assert.ok(managers(entries).includes('kubectl Apply'))
    await good(client, 'apply --server-side -f -', manifest(name, ''))
    assert.doesNotMatch(
      JSON.stringify((await entriesOf(name)).find(({ manager }) => manager === 'kubectl')),
      /f:replicas/,
    )
    const last = await good(client, `get deployment ${name} -o jsonpath={.metadata.annotations}`)
    assert.doesNotMatch(last, /replicas/)
    await good(client, 'apply -f -', manifest(name, '  replicas: 2'))
    assert.equal(await good(client, `get deployment ${name} -o jsonpath={.spec.replicas}`), '2')
    await good(client, `delete deployment ${name}`)
  })

  test(`kubectl ${version}: apply --prune with an ApplySet`, { skip }, async () => {
    const map = (suffix: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}-${suffix}}\n---\n`
    const more = { KUBECTL_APPLYSET: 'true' }
    const words = `apply --server-side --prune --applyset=${name}-set -n default -f -`
    await good(client, words, map('a') + map('b'), more)
    const pruned = await good(client, words, map('a'), more)
    assert.match(pruned, new RegExp(`configmap/${name}-b pruned`))
    assert.match(await good(client, 'get configmaps -n default -o name'), new RegExp(`configmap/${name}-a\\n`))
    assert.equal((await run(client, `get configmap -n default ${name}-b`)).code, 1)
    const set = await context.client.call('GET', `/api/v1/namespaces/default/secrets/${name}-set`)
    assert.match(set.body.metadata.labels['applyset.kubernetes.io/id'], /^applyset-.*-v1$/)
    assert.match(set.body.metadata.annotations['applyset.kubernetes.io/tooling'], /^kubectl\//)
  })
}

test('server-side apply refuses what the schema does not know, and an item that comes twice', { skip }, async () => {
  const twice = manifest('twice', three).replace('[{containerPort: 80}]', '[{containerPort: 80}, {containerPort: 80}]')
  const duplicate = await run(newest!, 'apply --server-side -f -', twice)
  assert.equal(duplicate.code, 1)
  assert.match(duplicate.err, /duplicate entries for key \[containerPort=80,protocol="TCP"\]/)
  const unknown = await run(newest!, 'apply --server-side -f -', manifest('unknown', '  replica: 3'))
  assert.equal(unknown.code, 1)
  assert.match(unknown.err, /\.spec\.replica: field not declared in schema/)
})
