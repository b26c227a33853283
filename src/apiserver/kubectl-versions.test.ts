import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import {
  accessSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, delimiter, dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { renderKubeconfig } from './index.ts'
import { startTestServer, type TestServer } from './server.fixture.ts'

/** Every kubectl of this machine: those on the PATH, and the versions that lie beside a dispatching one. */
function findKubectls(): string[] {
  const onPath = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'kubectl'))
  const real = new Set(onPath.filter(isExecutable).map((file) => realpathSync(file)))
  const beside = [...real].flatMap((file) =>
    readdirSync(dirname(file))
      .filter((name) => /^kubectl\.1\.\d+$/.test(name))
      .map((name) => join(dirname(file), name)),
  )
  return [...new Set([...real, ...beside])]
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const kubectls = findKubectls()
let context: TestServer
let folder: string

before(async () => {
  context = await startTestServer()
  folder = mkdtempSync(join(tmpdir(), 'plumb-kubectls-'))
  const { authority, admin } = context.certificates
  const server = `https://127.0.0.1:${context.client.port}`
  writeFileSync(join(folder, 'kubeconfig'), renderKubeconfig({ server, clusterCa: authority.cert, client: admin }), {
    mode: 0o600,
  })
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

function run(file: string, home: string, words: string, input = ''): Promise<Result> {
  const env = { ...process.env, KUBECONFIG: join(folder, 'kubeconfig'), KUBECACHEDIR: join(home, 'cache'), HOME: home }
  return new Promise((resolve) => {
    const child = execFile(file, words.split(' '), { env, timeout: 20_000 }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), out, err }),
    )
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input)
  })
}

const manifests = `
apiVersion: v1
kind: ConfigMap
metadata: { name: settings }
data: { colour: red }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: 8080 }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 0
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: app, image: web:1, ports: [{ containerPort: 8080 }] }] }
`
const unknownField = 'apiVersion: v1\nkind: Service\nmetadata: { name: odd }\nspec: { portz: [] }\n'

interface Step {
  readonly words: string
  readonly input?: string
  /** 0 when left out. */
  readonly code?: number
  readonly out?: RegExp
  readonly err?: RegExp
}

/** What every version is asked for, in this order, in a namespace of its own. */
const steps: readonly Step[] = [
  {
    words: 'apply -f -',
    input: manifests,
    out: /configmap\/settings created\nservice\/web created\ndeployment.apps\/web created/,
  },
  { words: 'apply -f -', input: manifests, out: /settings unchanged\n.*web unchanged\n.*web unchanged/ },
  { words: 'apply -f -', input: manifests.replace('red', 'blue'), out: /settings configured/ },
  { words: 'get configmap settings -o jsonpath={.data.colour}', out: /^blue$/ },
  { words: 'apply --server-side --force-conflicts -f -', input: manifests, out: /settings serverside-applied/ },
  { words: 'apply -f -', input: unknownField, code: 1, err: /portz/ },
  { words: 'get deployments,services', out: /deployment.apps\/web +0\/0[\s\S]*service\/web +ClusterIP/ },
  { words: 'get service web -o name', out: /^service\/web\n$/ },
  { words: 'get service nothing', code: 1, err: /Error from server \(NotFound\): services "nothing" not found/ },
  { words: 'create configmap made --from-literal=a=b', out: /configmap\/made created/ },
  { words: 'create configmap made --from-literal=a=b', code: 1, err: /configmaps "made" already exists/ },
  { words: 'create secret generic hidden --from-literal=p=q', out: /secret\/hidden created/ },
  { words: 'create deployment second --image=web:2 --replicas=0', out: /deployment.apps\/second created/ },
  { words: 'create serviceaccount runner', out: /serviceaccount\/runner created/ },
  { words: 'create role peek --verb=get,list --resource=pods', out: /role.rbac.authorization.k8s.io\/peek created/ },
  { words: 'create rolebinding peek --role=peek --serviceaccount=default:runner', out: /rolebinding.* created/ },
  { words: 'label configmap made tier=back', out: /configmap\/made labeled/ },
  { words: 'get configmaps -l tier=back -o name', out: /^configmap\/made\n$/ },
  { words: 'annotate configmap made note=x', out: /configmap\/made annotate/ },
  { words: 'patch service web -p {"spec":{"ports":[{"port":80,"targetPort":9090}]}}', out: /service\/web patched/ },
  { words: 'patch configmap made --type=json -p [{"op":"add","path":"/data/c","value":"d"}]', out: /patched/ },
  { words: 'patch configmap made --type=merge -p {"data":{"e":"f"}}', out: /patched/ },
  { words: 'get configmap made -o jsonpath={.data}', out: /"a":"b","c":"d","e":"f"/ },
  { words: 'scale deployment web --replicas=2', out: /deployment.apps\/web scaled/ },
  { words: 'get deployment web -o jsonpath={.spec.replicas}', out: /^2$/ },
  { words: 'scale deployment web --replicas=0', out: /scaled/ },
  { words: 'rollout restart deployment/web', out: /deployment.apps\/web restarted/ },
  { words: 'wait --for=jsonpath={.spec.replicas}=0 deployment/web --timeout=5s', out: /condition met/ },
  { words: 'describe service web', out: /Name: +web[\s\S]*TargetPort: +9090\/TCP/ },
  { words: 'describe deployment web', out: /Name: +web[\s\S]*Replicas: +0 desired/ },
  { words: 'explain service.spec.clusterIP', out: /clusterIP/ },
  { words: 'auth can-i create pods', out: /^yes/ },
  { words: 'auth can-i create pods --as=jane', code: 1, out: /^no/ },
  { words: 'auth can-i list pods --as=system:serviceaccount:default:nobody', code: 1, out: /^no/ },
  { words: 'create token runner', out: /^[\w-]+\.[\w-]+\.[\w-]+\s*$/ },
  { words: 'delete configmap made', out: /configmap "made" deleted/ },
  { words: 'delete deployment,service --all', out: /deployment.apps "web" deleted[\s\S]*service "web" deleted/ },
]

for (const [index, file] of kubectls.entries()) {
  test(`${basename(file)}: applies, reads, creates, patches, scales, waits, describes, explains, deletes`, async () => {
    const namespace = `version-${index}`
    const home = join(folder, namespace)
    mkdirSync(home)
    await context.client.call('POST', '/api/v1/namespaces', { metadata: { name: namespace } })
    for (const { words, input, code = 0, out, err } of steps) {
      const result = await run(file, home, `-n ${namespace} ${words}`, input)
      const all = `${basename(file)} ${words}\n${result.out}\n${result.err}`
      assert.equal(result.code, code, all)
      if (out !== undefined) assert.match(result.out, out, all)
      if (err !== undefined) assert.match(result.err, err, all)
    }
  })
}
