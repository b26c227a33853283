import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)
const plumb = resolve(import.meta.dirname, '..', 'plumb')
const lab = 'external'
const environment: NodeJS.ProcessEnv = { ...process.env, PLUMB_LAB: lab }
let kubeconfig = ''
let folder = ''

const manifest = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: example/web, ports: [{containerPort: 80}]}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  ipFamilyPolicy: RequireDualStack
  selector: {app: web}
  ports: [{port: 80}]
`

/** Opens connections to an address and asks on each; asks on the same ones again at each line that comes. */
const clients = `
import { Socket } from 'node:net'
import { createInterface } from 'node:readline'
const [host, count] = process.argv.slice(2)
const ask = (socket) => new Promise((resolve) => {
  let text = ''
  const end = (answer) => { socket.removeAllListeners(); socket.on('error', () => {}); clearTimeout(timer); resolve(answer) }
  const timer = setTimeout(() => end(undefined), 10_000)
  socket.on('data', (data) => {
    text += data
    const pod = /pod: (\\S+)\\n[^]*accept: /.exec(text)
    if (pod) end(pod[1])
  })
  socket.on('error', () => end(undefined))
  socket.on('close', () => end(undefined))
  socket.write('GET / HTTP/1.1\\r\\nHost: web\\r\\nAccept: x\\r\\n\\r\\n')
})
const sockets = []
for (let i = 0; i < Number(count); i++) {
  const socket = new Socket().connect(80, host)
  sockets.push({ socket, pod: await ask(socket) })
}
console.log('open')
for await (const _ of createInterface({ input: process.stdin })) {
  const again = await Promise.all(sockets.map(async ({ socket, pod }) => pod !== undefined && pod === (await ask(socket))))
  console.log(again.filter(Boolean).length + ' answered by the pod that answered before')
}
`

interface Outcome {
  code: number
  stdout: string
  stderr: string
}

/** Runs the command line; a failure is an outcome like any other. */
async function cli(...words: string[]): Promise<Outcome> {
  return run(plumb, words, { env: environment, maxBuffer: 1 << 24 }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: Outcome) => error,
  )
}

async function kubectl(...words: string[]): Promise<string> {
  return (await run('kubectl', ['--kubeconfig', kubeconfig, ...words], { maxBuffer: 1 << 24 })).stdout.trim()
}

interface Line {
  address: string
  node?: string
  why?: string
  answeredBy: string[]
}

async function addresses(): Promise<Line[]> {
  return JSON.parse((await cli('addresses', '-o', 'json')).stdout) as Line[]
}

/** Until each address has one holder that answers on the wire, and the lines satisfy the condition. */
async function settled(what: string, condition: (lines: Line[]) => boolean = () => true): Promise<Line[]> {
  const end = Date.now() + 60_000
  for (;;) {
    const lines = await addresses()
    const sound =
      lines.length === 2 && lines.every(({ node, answeredBy }) => node !== undefined && answeredBy.join() === node)
    if (sound && condition(lines)) return lines
    if (Date.now() > end) throw new Error(`not within 60 s: ${what}: ${JSON.stringify(lines)}`)
    await pause(100)
  }
}

async function fromOutside(address: string): Promise<string> {
  const host = address.includes(':') ? `[${address}]` : address
  return (await cli('exec', '--outside', '--', 'curl', '-sm', '5', `http://${host}/`)).stdout
}

/** The host's process id of a node's agent. */
function findAgent(node: string): number | undefined {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .find((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
        return (
          words.includes('agent') && words.includes(node) && words.some((word) => word.startsWith(dirname(kubeconfig)))
        )
      } catch {
        return false
      }
    })
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'external-'))
  writeFileSync(join(folder, 'web.yaml'), manifest)
  const up = await cli('up', '-f', join(folder, 'web.yaml'))
  assert.equal(up.code, 0, up.stderr)
  kubeconfig = (await cli('kubeconfig')).stdout.trim()
})
after(async () => {
  await cli('down')
  await rm(folder, { recursive: true, force: true })
})

test('a Service of type LoadBalancer gets addresses of both families and answers from outside', {
  timeout: 120_000,
}, async () => {
  const lines = await settled('both are held')
  assert.deepEqual(lines.map(({ address }) => address).sort(), ['172.30.0.200', 'fd00:30::200'])
  for (const { address } of lines) assert.match(await fromOutside(address), /^pod: web-/)
  const events = () => kubectl('get', 'events', '-o', 'custom-columns=R:.reason,M:.message')
  assert.match(await events(), /IPAllocated +Assigned IP \["172\.30\.0\.200","fd00:30::200"\]/)
  for (const { node } of lines) {
    while (!(await events()).includes(`announcing from node "${node}" with protocol "layer2"`)) await pause(100)
  }
  assert.match(await kubectl('get', 'ippool', 'default'), /Ready\s+1\s+50/)
})

test('when the holder’s agent is killed another holds the addresses, and it answers from outside', async (t) => {
  const [line] = await settled('held')
  const old = line?.node ?? ''
  const killedAt = Date.now()
  process.kill(findAgent(old) ?? Number.NaN, 'SIGKILL')
  const lines = await settled('another holds them', (all) => all.every(({ node }) => node !== old))
  t.diagnostic(`all addresses of ${old} held and answered elsewhere after at most ${Date.now() - killedAt} ms`)
  for (const { address } of lines) assert.match(await fromOutside(address), /^pod: web-/)
})

test('a move, a drain and its end; nobody who may not takes one', async () => {
  const [line] = await settled('held')
  const { address = '', node: from = '' } = line ?? {}
  const to = ['node-1', 'node-2', 'node-3'].find((node) => node !== from) ?? ''
  const moved = await cli('addresses', 'move', address, to)
  assert.equal(moved.code, 0, moved.stderr)
  const after = await settled('moved', (all) => all.some((one) => one.address === address && one.node === to))
  assert.equal(after.find((one) => one.address === address)?.why, `${from} handed it over`)
  assert.equal((await cli('node', 'drain', to)).code, 0)
  await settled('drained', (all) => all.every(({ node }) => node !== to))
  assert.equal((await cli('addresses', 'move', address, to)).code, 2, 'a drained node takes nothing')
  assert.equal((await cli('node', 'drain', to, '--undo')).code, 0)
  assert.match(await fromOutside(address), /^pod: web-/)
})

test('a planned move, and one more, break no TCP connection', { timeout: 120_000 }, async () => {
  writeFileSync(join(folder, 'clients.mjs'), clients)
  for (const { address } of await settled('held')) {
    const words = ['exec', '--outside', '--', process.execPath, join(folder, 'clients.mjs'), address, '100']
    const child = spawn(plumb, words, { env: environment, stdio: ['pipe', 'pipe', 'inherit'] })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    assert.equal((await lines.next()).value, 'open')
    for (let i = 0; i < 2; i++) {
      const from = (await settled('held')).find((one) => one.address === address)?.node
      const to = ['node-1', 'node-2', 'node-3'].find((node) => node !== from) ?? ''
      assert.equal((await cli('addresses', 'move', address, to)).code, 0)
      child.stdin.write('again\n')
      assert.equal((await lines.next()).value, '100 answered by the pod that answered before')
    }
    child.kill()
  }
})

test('with policy Local the address is where endpoints are; without endpoints nobody answers', async () => {
  await kubectl('patch', 'service', 'web', '--type', 'merge', '-p', '{"spec":{"externalTrafficPolicy":"Local"}}')
  await kubectl('scale', 'deployment', 'web', '--replicas', '1')
  const nodes = async () =>
    (await kubectl('get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[*].spec.nodeName}')).split(' ')
  while ((await nodes()).length > 1) await pause(100)
  const [node = ''] = await nodes()
  await settled('where the pod is', (all) => all.every((one) => one.node === node))
  assert.match(await fromOutside('172.30.0.200'), /client: 203\.0\.113\.10\n/, 'the source is kept')
  await kubectl('scale', 'deployment', 'web', '--replicas', '0')
  const end = Date.now() + 60_000
  while ((await addresses()).some(({ node, answeredBy }) => node !== undefined || answeredBy.length > 0)) {
    assert.ok(Date.now() < end, 'it still answers')
    await pause(100)
  }
})
