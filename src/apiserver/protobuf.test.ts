import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { accessSync, constants, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { encodeProtobuf, protobufType } from '../objects/index.ts'
import { renderKubeconfig } from './index.ts'
import { startTestServer, type TestServer } from './server.fixture.ts'

let context: TestServer
before(async () => {
  context = await startTestServer()
})
after(() => context[Symbol.asyncDispose]())

const headers = { 'content-type': protobufType }
const services = '/api/v1/namespaces/default/services'
const deployments = '/apis/apps/v1/namespaces/default/deployments'
const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'typed' },
  spec: { selector: { app: 'a' }, ports: [{ port: 80, targetPort: 'http' }] },
}

test('create, replace, scale, status and delete by protobuf do what they do by JSON', async () => {
  const { client } = context
  const send = (method: string, path: string, object: Record<string, unknown>) =>
    client.call(method, path, encodeProtobuf(object), headers)
  const created = await send('POST', services, service)
  assert.equal(created.code, 201)
  assert.deepEqual(created.body.spec.ports, [{ port: 80, protocol: 'TCP', targetPort: 'http' }])
  const changed = { ...created.body, spec: { ...created.body.spec, sessionAffinity: 'ClientIP' } }
  const replaced = await send('PUT', `${services}/typed`, changed)
  assert.equal(replaced.body.spec.sessionAffinityConfig.clientIP.timeoutSeconds, 10800)
  const condition = {
    type: 'Ready',
    status: 'True',
    reason: 'r',
    message: '',
    lastTransitionTime: '2024-01-02T03:04:05Z',
  }
  const status = { ...replaced.body, status: { conditions: [condition] } }
  const updated = await send('PUT', `${services}/typed/status`, status)
  assert.deepEqual(updated.body.status.conditions, [condition])
  const stale = await send('PUT', `${services}/typed`, changed)
  assert.equal(stale.body.reason, 'Conflict')
  const options = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid: 'other' } }
  assert.equal((await send('DELETE', `${services}/typed`, options)).code, 409)
  const right = { ...options, preconditions: { uid: created.body.metadata.uid }, propagationPolicy: 'Background' }
  assert.equal((await send('DELETE', `${services}/typed`, right)).body.status, 'Success')
  const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } }
  const spec = { replicas: 3, selector: { matchLabels: { a: 'b' } }, template }
  await send('POST', deployments, { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd' }, spec })
  const scale = { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'd' }, spec: { replicas: 5 } }
  assert.equal((await send('PUT', `${deployments}/d/scale`, scale)).body.spec.replicas, 5)
})

test('a wrong body is refused with a Status, and never breaks the server', async () => {
  const { client } = context
  const post = (body: Buffer) => client.call('POST', services, body, headers)
  const good = encodeProtobuf(service)
  assert.match((await post(Buffer.from('{}'))).body.message, /does not start with "k8s\\0"/)
  assert.equal((await post(good.subarray(0, 40))).code, 400)
  const pod = await post(encodeProtobuf({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' } }))
  assert.match(pod.body.message, /Pod in version "v1" cannot be handled as a Service/)
  const custom = Buffer.from(good.toString('latin1').replace('Service', 'Servant'), 'latin1')
  assert.equal((await post(custom)).body.reason, 'UnsupportedMediaType')
  const patch = await client.call('PATCH', `${services}/typed`, good, headers)
  assert.equal(patch.code, 415)
  const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 })
  await fc.assert(
    fc.asyncProperty(edits, async (changes) => {
      const bytes = Buffer.from(good)
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte
      const answer = await client.call('POST', `${services}?dryRun=All`, bytes, headers)
      assert.ok(answer.code < 500, answer.text)
    }),
    { numRuns: 100 },
  )
})

/** A kubectl that sends protobuf (1.32 or newer): beside a kubectl that chooses among versions, or the installed one itself. */
function findKubectl(): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    try {
      accessSync(join(folder, 'kubectl'), constants.X_OK)
    } catch {
      continue
    }
    const installed = realpathSync(join(folder, 'kubectl'))
    for (const path of [`${installed}.1.32`, `${installed}.1.33`, installed]) {
      try {
        const { clientVersion } = JSON.parse(execFileSync(path, ['version', '--client', '-o', 'json']).toString())
        if (Number.parseInt(clientVersion.minor, 10) >= 32 && !/dispatcher/.test(clientVersion.gitVersion)) return path
      } catch {
        // Not there, or not a kubectl that says its version so.
      }
    }
    return undefined
  }
  return undefined
}

const binary = findKubectl()

const generators = [
  'create namespace one',
  'create service clusterip inner --tcp=80:8080 --tcp=443:https',
  'create service clusterip headless --clusterip=None --tcp=53',
  'create service externalname outer --external-name example.com',
  'create service nodeport node --tcp=80',
  'create service loadbalancer balanced --tcp=80',
  'create configmap plain --from-literal=a=b --from-literal=c=',
  'create secret generic words --from-literal=a=b',
  'create secret docker-registry pull --docker-username=u --docker-password=p',
  'create deployment web --image=nginx --port=80 --replicas=2',
  'create deployment none --image=nginx --replicas=0',
  'create job once --image=busybox -- date -u',
  'create job again --from=cronjob/often',
  'create ingress gate --rule=example.com/path*=inner:80,tls=cert --default-backend=inner:http',
  'create serviceaccount robot',
  'create role reader --verb=get,list --resource=pods,deployments.apps --resource-name=x',
  'create rolebinding readers --role=reader --user=u --group=g --serviceaccount=default:default',
  'create clusterrole urls --verb=get --non-resource-url=/logs/*',
  'create clusterrolebinding watchers --clusterrole=watcher --user=u',
  'create priorityclass low --value=-5 --description=low --preemption-policy=Never',
  'create poddisruptionbudget half --selector=a=b --min-available=50%',
  'create poddisruptionbudget zero --selector=a=b --max-unavailable=0',
  'create quota small --hard=cpu=500m,pods=2 --scopes=BestEffort',
]

type Run = (words: string[]) => Promise<{ out: string; err: string }>

async function compareGenerators(run: Run): Promise<void> {
  await run('create cronjob often --image=busybox --schedule=@hourly -- date'.split(' '))
  for (const command of generators) {
    const words = command.split(' ')
    const end = words.includes('--') ? words.indexOf('--') : words.length
    const extended = (...more: string[]) => run(words.toSpliced(end, 0, ...more))
    const [printed, made] = await Promise.all([extended('--dry-run=client', '-o', 'json'), extended('-v=8')])
    assert.match(made.err, /Content-Type: application\/vnd\.kubernetes\.protobuf/, `${command} did not send protobuf`)
    const path = /POST\W+(?:url=")?https:\/\/[^/]*([^?"\s]*)/.exec(made.err)?.[1]
    const object = JSON.parse(printed.out)
    const { body: stored } = await context.client.call('GET', `${path}/${object.metadata.name}`)
    object.metadata.name += '-by-json'
    const { code, body: byJson } = await context.client.call('POST', `${path}?dryRun=All`, object)
    assert.equal(code, 201, `${command}: ${JSON.stringify(byJson)}`)
    assert.deepEqual(comparable(stored), comparable(byJson), command)
  }
  assert.equal((await run('auth can-i get pods'.split(' '))).out, 'yes\n')
  assert.match((await run('auth whoami'.split(' '))).out, /system:masters/)
}

/** What each object has for itself. */
const own =
  /^metadata\.(name|uid|resourceVersion|creationTimestamp|managedFields)$|^spec\.(clusterIPs?|ports\.nodePort)$|(metadata\.name|controller-uid|job-name)$/

/** Without what differs between two objects of the same meaning: names, addresses, empty parts that Go prints. */
function comparable(value: unknown, path = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => comparable(item, path))
  if (typeof value !== 'object' || value === null) return value
  const entries: [string, unknown][] = []
  for (const [name, item] of Object.entries(value)) {
    const at = path === '' ? name : `${path}.${name}`
    if (own.test(at)) continue
    const shown = comparable(item, at)
    const empty = shown === null || (typeof shown === 'object' && Object.keys(shown as object).length === 0)
    if (!empty) entries.push([name, shown])
  }
  return Object.fromEntries(entries)
}

test('every generator of kubectl makes by protobuf what it prints as JSON', {
  skip: binary === undefined ? 'no kubectl 1.32 or newer is installed' : false,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'plumb-protobuf-'))
  try {
    const { authority, admin } = context.certificates
    const server = `https://127.0.0.1:${context.client.port}`
    writeFileSync(join(folder, 'kubeconfig'), renderKubeconfig({ server, clusterCa: authority.cert, client: admin }), {
      mode: 0o600,
    })
    const env = { ...process.env, KUBECONFIG: join(folder, 'kubeconfig'), HOME: folder }
    const run = (words: string[]) =>
      new Promise<{ out: string; err: string }>((resolve, reject) => {
        execFile(binary!, words, { env }, (error, out, err) =>
          error === null ? resolve({ out, err }) : reject(new Error(`${words.join(' ')}: ${out}${err}`)),
        )
      })
    await compareGenerators(run)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
