import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, before, test } from 'node:test'
import { renderKubeconfig } from './index.ts'
import { startTestServer, type TestServer } from './server.fixture.ts'

const available = (process.env.PATH ?? '').split(delimiter).some((folder) => {
  try {
    accessSync(join(folder, 'kubectl'), constants.X_OK)
    return true
  } catch {
    return false
  }
})
const skip = available ? false : 'kubectl is not installed'

let context: TestServer
let folder: string
let environment: NodeJS.ProcessEnv

before(async () => {
  if (!available) return
  context = await startTestServer()
  folder = mkdtempSync(join(tmpdir(), 'plumb-kubectl-'))
  const { authority, admin } = context.certificates
  const kubeconfig = renderKubeconfig({
    server: `https://127.0.0.1:${context.client.port}`,
    clusterCa: authority.cert,
    client: admin,
  })
  writeFileSync(join(folder, 'kubeconfig'), kubeconfig, { mode: 0o600 })
  environment = {
    ...process.env,
    KUBECONFIG: join(folder, 'kubeconfig'),
    KUBECACHEDIR: join(folder, 'cache'),
    HOME: folder,
  }
})
after(async () => {
  if (!available) return
  rmSync(folder, { recursive: true, force: true })
  await context[Symbol.asyncDispose]()
})

interface Result {
  readonly code: number
  readonly out: string
  readonly err: string
}

function kubectl(words: string, input = '', more: NodeJS.ProcessEnv = {}): Promise<Result> {
  return new Promise((resolve) => {
    const child = execFile('kubectl', words.split(' '), { env: { ...environment, ...more } }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), out, err }),
    )
    child.stdin?.end(input)
  })
}

async function good(words: string, input = '', more: NodeJS.ProcessEnv = {}): Promise<string> {
  const { code, out, err } = await kubectl(words, input, more)
  assert.equal(code, 0, `kubectl ${words}: ${err}`)
  return out
}

const manifest = (replicas: number) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: nginx, ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
`

test('apply, get, diff, edit, patch, scale, delete', { skip }, async () => {
  assert.match(await good('apply -f -', manifest(2)), /deployment.apps\/web created\nservice\/web created/)
  assert.match(await good('apply -f -', manifest(2)), /deployment.apps\/web unchanged\nservice\/web unchanged/)
  const diff = await kubectl('diff -f -', manifest(3))
  assert.equal(diff.code, 1)
  assert.match(diff.out, /- {2}replicas: 2\n\+ {2}replicas: 3/)
  assert.match(await good('apply -f -', manifest(3)), /deployment.apps\/web configured/)
  assert.match(await good('get deployment,service'), /deployment.apps\/web [\s\S]*service\/web /)
  assert.match(await good('get service web -o wide'), /web /)
  assert.match(await good('get service web -o yaml'), /clusterIP: 10\.96\./)
  assert.equal(await good('get deployment web -o name'), 'deployment.apps/web\n')
  const read = (path: string) => good(`get deployment web -o jsonpath={${path}}`)
  await good('patch deployment web -p {"spec":{"template":{"spec":{"containers":[{"name":"c","image":"nginx:2"}]}}}}')
  assert.equal(await read('.spec.template.spec.containers[0].image'), 'nginx:2')
  await good('patch deployment web --type=merge -p {"metadata":{"labels":{"a":"b"}}}')
  await good('patch deployment web --type=json -p [{"op":"replace","path":"/metadata/labels/a","value":"c"}]')
  assert.equal(await read('.metadata.labels.a'), 'c')
  await good('label deployment web x=y')
  await good('annotate deployment web note=1')
  assert.equal(await good('get deployment -l x=y,a=c -o name'), 'deployment.apps/web\n')
  await good('scale deployment web --replicas=5')
  assert.equal(await read('.spec.replicas'), '5')
  await good('edit deployment web', '', { EDITOR: "sed -i 's/nginx:2/nginx:3/'" })
  assert.equal(await read('.spec.template.spec.containers[0].image'), 'nginx:3')
  await good('patch deployment web --subresource=status --type=merge -p {"status":{"replicas":5}}')
  assert.equal(await read('.status.replicas'), '5')
  assert.match(await good('delete deployment,service web'), /"web" deleted[\s\S]*"web" deleted/)
  assert.match((await kubectl('get deployment web')).err, /deployments.apps "web" not found/)
})

test('explain, api-resources, version, auth and refusals', { skip }, async () => {
  assert.match(await good('explain service.spec.ports.targetPort'), /FIELD: targetPort <IntOrString>/)
  assert.match(await good('api-resources'), /endpointslices +discovery.k8s.io\/v1 +true +EndpointSlice/)
  assert.match(await good('version'), /Server Version: v1.33.\d+\+plumb/)
  const bad = await kubectl('create -f -', '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"dota":{}}')
  assert.match(bad.err, /BadRequest.*strict decoding error: unknown field "dota"/)
  const warned = await kubectl(
    'create --validate=warn -f -',
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"dota":{}}',
  )
  assert.match(warned.err, /Warning: unknown field "dota"/)
  assert.match(
    (await kubectl('create -f -', '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}')).err,
    /AlreadyExists.*configmaps "a" already exists/,
  )
  assert.match((await kubectl('get nonsense')).err, /the server doesn't have a resource type "nonsense"/)
  await good('delete configmap a')
})

test('get -w and wait', { skip }, async () => {
  const child = spawn('kubectl', ['get', 'configmaps', '-w', '--no-headers'], { env: environment })
  try {
    const lines: string[] = []
    let wake: () => void = () => undefined
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      lines.push(...chunk.split('\n').filter((line) => line !== ''))
      wake()
    })
    const line = async (pattern: RegExp) => {
      while (!lines.some((item) => pattern.test(item)))
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    }
    await good('apply -f -', '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"watched"}}')
    await line(/^watched /)
    const waiting = good('wait --for=delete configmap/watched --timeout=20s')
    const held = good('wait --for=jsonpath={.data.ready}=yes configmap/watched --timeout=20s')
    await good('patch configmap watched --type=merge -p {"data":{"ready":"yes"}}')
    await held
    await good('delete configmap watched')
    await waiting
  } finally {
    child.kill()
  }
})

test('kubectl apply of a second ServiceCIDR gives Services addresses out of it', async () => {
  const cidr = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name: 'more' },
    spec: { cidrs: ['10.112.0.0/24'] },
  }
  const applied = await kubectl('apply -f -', JSON.stringify(cidr))
  assert.match(applied.out, /servicecidr.networking.k8s.io\/more created/, applied.err)
  assert.match((await kubectl('apply -f -', JSON.stringify(cidr))).out, /more unchanged/)
  const created = await kubectl('create service clusterip far --tcp=80 --clusterip=10.112.0.5')
  assert.match(created.out, /service\/far created/, created.err)
  await kubectl('delete service far')
  const deleted = await kubectl('delete servicecidr more')
  assert.match(deleted.out, /"more" deleted/, deleted.err)
})
