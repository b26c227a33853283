import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, before, test } from 'node:test'
import { findKubectls, runKubectl, runScript, type Step } from '../src/apiserver/kubectl.fixture.ts'
import { down, type LabSummary, up } from '../src/lab/index.ts'

// The newest kubectl of this machine (the long run: every one) against nodes with kubelets: what runs in pods, and what controllers answer.
const name = 'kubectl'
const kubectls = process.env.PLUMB_KUBECTLS === 'all' ? findKubectls() : findKubectls().slice(-1)
let root: string
let summary: LabSummary

before(async () => {
  root = mkdtempSync(join(tmpdir(), 'plumb-kubectl-'))
  process.env.PLUMB_RUN = root
  writeFileSync(join(root, 'empty.yaml'), '')
  summary = await up({ name, nodes: 2, files: [join(root, 'empty.yaml')], timeoutMs: 60_000 })
})

after(async () => {
  await down(name)
  rmSync(root, { recursive: true, force: true })
})

const sleeper = (pod: string, more = ''): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${pod}, labels: { app: ${pod} } }
spec:
  terminationGracePeriodSeconds: 0
  ${more}
  containers:
    - { name: main, image: x, command: [sh, -c, 'echo began; echo on-stderr >&2; exec sleep 100000'] }
    - { name: web, image: nginx, ports: [{ containerPort: 80 }] }
`
/** It goes on for a while after it was told to end, as programs do that finish their requests. */
const lingerer = `
apiVersion: v1
kind: Pod
metadata: { name: linger }
spec:
  terminationGracePeriodSeconds: 120
  containers:
    - name: main
      image: x
      command: [sh, -c, 'trap "echo told" TERM; while :; do sleep 0.1; done']
`
const crasher = `
apiVersion: v1
kind: Pod
metadata: { name: crash }
spec: { containers: [{ name: main, image: x, command: [sh, -c, 'echo attempt $$; exit 3'] }] }
`
const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { terminationGracePeriodSeconds: 0, containers: [{ name: web, image: 'nginx:1', ports: [{ containerPort: 80 }] }] }
`

const script: readonly Step[] = [
  { words: 'apply -f -', input: `${sleeper('box')}---${lingerer}---${crasher}---${deployment}` },
  { words: 'wait --for=condition=Ready pod/box --timeout=60s', out: /condition met/ },
  { words: `wait '--for=jsonpath={.status.phase}=Running' pod/box --timeout=60s`, out: /condition met/, since: 23 },
  // exec: streams, exit codes, a terminal.
  { words: `exec box -c main -- sh -c 'hostname; echo wrong >&2; exit 3'`, code: 3, out: /^box\n$/, err: /^wrong\n/ },
  { words: 'exec -i box -c main -- cat', input: 'through and through', out: /^through and through$/ },
  { words: 'exec box -c web -- hostname', out: /^box\n$/ },
  { words: 'exec box -c none -- true', code: 1, err: /container (not found|none is not valid)/ },
  { words: 'exec nobody -- true', code: 1, err: /pods "nobody" not found/ },
  { words: 'exec box -c main -- no-such-program', code: 127 },
  // A container that ends takes commands until it has ended.
  { words: 'wait --for=condition=Ready pod/linger --timeout=60s', out: /condition met/ },
  { words: 'delete pod linger --wait=false', out: /deleted/ },
  { words: 'exec linger -- sleep 1' },
  { words: 'exec linger -- hostname', out: /^linger\n$/ },
  { words: 'delete pod linger --grace-period=0 --force' },
  // logs.
  { words: 'logs box -c main', out: /began\n/ },
  { words: 'logs box -c main --tail=1 --timestamps', out: /^\d{4}-\d\d-\d\dT.*Z (began|on-stderr)\n$/ },
  { words: 'logs box --all-containers --prefix', out: /\[pod\/box\/main\] began/ },
  { words: 'logs -l app=box -c main', out: /began/ },
  { words: `wait '--for=jsonpath={.status.containerStatuses[0].restartCount}=1' pod/crash --timeout=60s`, since: 23 },
  { words: 'logs crash --previous', out: /attempt/, since: 23 },
  { words: 'logs box -c main --previous', code: 1, err: /previous terminated container "main" in pod "box" not found/ },
  // cp, both ways; a folder too.
  { words: 'cp HOME/blob box:/tmp/blob -c main' },
  { words: 'cp box:/tmp/blob HOME/blob-back -c main' },
  { words: 'cp HOME/folder box:/tmp/folder -c main' },
  { words: 'exec box -c main -- cat /tmp/folder/inner.txt', out: /^inner$/ },
  // run and attach.
  {
    words: `run one -i --rm --restart=Never --image=busybox -- sh -c 'cat; echo hello; exit 7'`,
    code: 7,
    out: /hello/,
  },
  {
    words: `run two -i --rm --restart=Never --image=busybox -- sh -c 'read line; echo got $line'`,
    input: 'typed\n',
    out: /got typed/,
  },
  // What a program says before the client is there is lost, as upstream: these wait for the end of their input.
  {
    words: `run three -i --rm --restart=Never --image=busybox --command -- sh -c 'cat; echo attached'`,
    out: /attached/,
  },
  // debug: beside a container, as a copy, on a node.
  {
    since: 23,
    words: `debug box -i --image=busybox -c peek --target=main -- sh -c 'hostname; tr "\\0" " " </proc/1/cmdline'`,
    out: /box\nsleep 100000/,
  },
  {
    words: 'get pod box -o jsonpath={.status.ephemeralContainerStatuses[0].state.terminated.exitCode}',
    out: /^0$/,
    since: 23,
  },
  { words: 'debug box --copy-to=copy --container=main --image=busybox -- sleep 5', err: /^/, since: 23 },
  { words: 'get pod copy -o jsonpath={.spec.containers[*].name}', out: /main/, since: 23 },
  { words: 'delete pod copy --now', since: 23 },
  { words: 'debug node/node-1 -i --image=busybox -- cat /host/etc/hostname', out: /\w/, since: 23 },
  // rollouts.
  { words: 'rollout status deployment/web --timeout=60s', out: /successfully rolled out/ },
  { words: 'set image deployment/web web=nginx:2', out: /image updated/ },
  { words: 'annotate deployment/web kubernetes.io/change-cause=second', out: /annotate/ },
  { words: 'rollout status deployment/web --timeout=60s', out: /successfully rolled out/ },
  { words: 'rollout history deployment/web', out: /REVISION[\s\S]*1 [\s\S]*2 / },
  { words: 'rollout history deployment/web --revision=1', out: /nginx:1/ },
  { words: 'rollout undo deployment/web', out: /rolled back/ },
  { words: 'rollout status deployment/web --timeout=60s', out: /successfully rolled out/ },
  { words: 'get deployment web -o jsonpath={.spec.template.spec.containers[0].image}', out: /^nginx:1$/ },
  { words: 'rollout restart deployment/web', out: /restarted/ },
  { words: 'wait --for=condition=Available deployment/web --timeout=60s', out: /condition met/ },
  { words: 'scale deployment web --replicas=1', out: /scaled/ },
  {
    words: `wait '--for=jsonpath={.status.readyReplicas}=1' deployment/web --timeout=60s`,
    out: /condition met/,
    since: 23,
  },
  { words: 'logs deployment/web', out: /stand-in for nginx:1/ },
  { words: 'exec deployment/web -- hostname', out: /^web-/ },
  { words: 'events', out: /Scheduled +Pod\/box +Successfully assigned/, since: 26 },
  { words: 'events --for=pod/box --types=Normal', out: /Pod\/box/, since: 26 },
  { words: 'describe pod box', out: /Ephemeral Containers:[\s\S]*Events:[\s\S]*Scheduled/, since: 23 },
  { words: 'describe node node-1', out: /Name: +node-1[\s\S]*Conditions:/ },
  // Nodes.
  { words: 'taint node node-2 tried=yes:NoSchedule', out: /tainted/ },
  { words: 'taint node node-2 tried-', out: /untainted/ },
  { words: 'cordon node-2', out: /cordoned/ },
  {
    words: 'drain node-2 --ignore-daemonsets --force --delete-emptydir-data --timeout=60s',
    out: /node-2 (drained|evicted)/,
  },
  { words: 'get pods -A --field-selector=spec.nodeName=node-2 -o name', out: /^$/ },
  { words: 'uncordon node-2', out: /uncordoned/ },
  { words: 'top nodes', code: 1, err: /Metrics API not available/ },
  { words: 'get all', out: /deployment.apps\/web/ },
  { words: 'delete deployment web --cascade=foreground --timeout=60s', out: /deleted/ },
  { words: 'get pods -l app=web -o name', out: /^$/ },
  { words: 'delete pod --all --now', out: /deleted/ },
]

for (const [index, file] of kubectls.entries()) {
  test(`${basename(file)}: exec, logs, cp, run, attach, debug, port-forward, rollouts, nodes`, async () => {
    const namespace = `version-${index}`
    const home = join(root, namespace)
    mkdirSync(join(home, 'folder'), { recursive: true })
    const blob = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * at) & 0xff))
    writeFileSync(join(home, 'blob'), blob)
    writeFileSync(join(home, 'folder', 'inner.txt'), 'inner')
    const run = (step: Step) => runKubectl(file, home, summary.kubeconfig, step)
    await run({ words: `create namespace ${namespace}` })
    const steps = script.map((step) => ({ ...step, words: step.words.replaceAll('HOME', home) }))
    const half = steps.findIndex(({ words }) => words.startsWith('rollout'))
    const began = performance.now()
    await runScript(file, home, summary.kubeconfig, namespace, steps.slice(0, half))
    assert.deepEqual(readFileSync(join(home, 'blob-back')), blob)
    await checkTerminal(file, home, namespace)
    await checkPortForward(file, home, namespace)
    await checkFollow(file, home, namespace)
    await runScript(file, home, summary.kubeconfig, namespace, steps.slice(half))
    const seconds = ((performance.now() - began) / 1000).toFixed(1)
    console.log(`${basename(file)}: ${steps.length + 3} commands in ${seconds} s`)
  })
}

/** A kubectl that stays; its output so far. */
function start(file: string, home: string, words: readonly string[], program = file) {
  const env = { ...process.env, KUBECONFIG: summary.kubeconfig, KUBECACHEDIR: join(home, 'cache'), HOME: home }
  const child = spawn(program, words, { env, stdio: ['pipe', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
  }
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const said = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (const end = Date.now() + 60_000; ; ) {
      const match = pattern.exec(text)
      if (match !== null) return match
      assert.ok(Date.now() < end, `${words.join(' ')}: no ${pattern} in ${text}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  return { child, exited, said }
}

/** `script` (util-linux) gives kubectl a terminal; its window's size reaches the pod. */
async function checkTerminal(file: string, home: string, namespace: string): Promise<void> {
  const inner = `stty rows 33 cols 77; ${file} -n ${namespace} exec -it box -c main -- sh -c 'tty; stty size; read x; echo typed $x; exit 4'`
  const { child, exited, said } = start(file, home, ['--quiet', '--return', '--command', inner, '/dev/null'], 'script')
  await said(/\/dev\/pts\/\d+/)
  await said(/33 77/)
  child.stdin.write('hello\n')
  await said(/typed hello/)
  assert.equal(await exited, 4)
}

async function checkPortForward(file: string, home: string, namespace: string): Promise<void> {
  // Two ports that were free a moment ago.
  const free = await Promise.all([freePort(), freePort()])
  const words = ['-n', namespace, 'port-forward', 'pod/box', `${free[0]}:80`, `${free[1]}:81`]
  const { child, exited, said } = start(file, home, words)
  await said(new RegExp(`Forwarding from 127.0.0.1:${free[1]} -> 81`))
  const bodies = await Promise.all(
    Array.from({ length: 5 }, async () => (await fetch(`http://127.0.0.1:${free[0]}/`)).text()),
  )
  for (const body of bodies) assert.match(body, /pod: box/)
  await assert.rejects(fetch(`http://127.0.0.1:${free[1]}/`))
  await said(/error forwarding port 81 inside the pod: .*ECONNREFUSED/)
  child.kill('SIGINT')
  await exited
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** `logs -f` ends when the container does. */
async function checkFollow(file: string, home: string, namespace: string): Promise<void> {
  const run = (words: string) => runKubectl(file, home, summary.kubeconfig, { words: `-n ${namespace} ${words}` })
  const created = await run(
    `run talker --restart=Never --image=x --command -- sh -c 'echo one; until [ -e /tmp/go ]; do sleep 0.05; done; echo two'`,
  )
  assert.equal(created.code, 0, created.err)
  await run('wait --for=condition=Ready pod/talker --timeout=60s')
  const { exited, said } = start(file, home, ['-n', namespace, 'logs', '-f', 'talker'])
  await said(/one/)
  assert.equal((await run('exec talker -- touch /tmp/go')).code, 0)
  await said(/one\ntwo\n/)
  assert.equal(await exited, 0)
}
