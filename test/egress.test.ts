import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { copyFileSync, readdirSync, readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { parseAddress } from '../src/addr/index.ts'
import { type Namespace, openHost } from '../src/host/index.ts'
import { findPlace } from '../src/lab/index.ts'

const run = promisify(execFile)
const plumb = resolve(import.meta.dirname, '..', 'plumb')
const lab = 'egress'
const environment: NodeJS.ProcessEnv = { ...process.env, PLUMB_LAB: lab }
const host = openHost()
const outside = parseAddress('203.0.113.10')
const request = `GET / HTTP/1.1\r\nHost: ${outside}\r\n\r\n`
const open: { destroy(): void }[] = []
let kubeconfig = ''

async function cli(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return run(plumb, words, { env: environment, maxBuffer: 1 << 24 }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  )
}

async function kubectl(...words: string[]): Promise<string> {
  return (await run('kubectl', ['--kubeconfig', kubeconfig, ...words], { maxBuffer: 1 << 24 })).stdout.trim()
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000
  while (!(await holds())) {
    assert.ok(performance.now() < end, what)
    await pause(50)
  }
}

const podsOf = async (namespace: string): Promise<string[]> =>
  (await kubectl('-n', namespace, 'get', 'pods', '-o', 'jsonpath={.items[*].metadata.name}')).split(' ')
const ownerOf = (name: string): Promise<string> => kubectl('get', 'egress', name, '-o', 'jsonpath={.status.egressNode}')
const curl = async (namespace: string, pod: string, url = `http://${outside}/`): Promise<string> =>
  (await cli('exec', '-n', namespace, pod, '--', 'curl', '-s', '-m', '20', url)).stdout.trim()

async function podNamespace(namespace: string, pod: string): Promise<Namespace> {
  const place = await findPlace(lab, { kind: 'pod', namespace, pod })
  const init = readFileSync(join(dirname(kubeconfig), 'init.pid'), 'utf8').trim()
  return host.openNamespace(`/proc/${init}/root${place}`)
}

/** The host's process id of a node's agent. */
function findAgent(node: string): number | undefined {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .find((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
        const ours = words.some((word) => word.startsWith(dirname(kubeconfig)))
        return words.includes('agent') && words.includes(node) && ours
      } catch {
        return false
      }
    })
}

/** A connection that asks again and again, and the source that the server saw last. */
class Caller {
  readonly socket: Socket
  source = ''
  failure: Error | undefined
  #heard: (() => void) | undefined

  constructor(pod: Namespace) {
    this.socket = new Socket({ fd: host.connectTcp(pod, outside, 80).fd })
    open.push(this.socket)
    this.socket.on('data', (data: Buffer) => {
      this.source = /\r\n\r\n(\S+ \d+)/.exec(data.toString())?.[1] ?? this.source
      this.#heard?.()
    })
    this.socket.on('error', (error) => this.#fail(error))
    this.socket.on('close', () => this.#fail(new Error('closed')))
  }

  ask(): Promise<void> {
    return new Promise((resolve) => {
      this.#heard = resolve
      if (this.failure !== undefined) resolve()
      else this.socket.write(request)
    })
  }

  #fail(error: Error): void {
    this.failure ??= error
    this.#heard?.()
  }
}

before(async () => {
  const up = await cli('up', '-f', join(import.meta.dirname, '..', 'examples', 'egress'))
  assert.equal(up.code, 0, up.stderr)
  kubeconfig = (await cli('kubeconfig')).stdout.trim()
  for (const name of ['red', 'blue']) await until(`${name} has an owner`, async () => (await ownerOf(name)) !== '')
})
after(async () => {
  for (const one of open) one.destroy()
  await cli('down')
})

test('each team leaves under its own addresses from every node, others under their node’s', async () => {
  for (const [namespace, addresses] of [
    ['red', ['172.30.0.100']],
    ['blue', ['172.30.0.110', '172.30.0.111']],
  ] as const) {
    const pods = await podsOf(namespace)
    const seen = await Promise.all(pods.map((pod) => curl(namespace, pod)))
    for (const source of seen) assert.ok((addresses as readonly string[]).includes(source.split(' ')[0] ?? ''), source)
    const who = await cli('egress', 'who', (seen[0] ?? '').replace(' ', ':'))
    assert.equal(who.code, 0, who.stderr)
    assert.match(who.stdout, new RegExp(`^pod/${namespace}/${pods[0]} on node-\\d, by egress/${namespace}: `, 'm'))
  }
  const [red = ''] = await podsOf('red')
  assert.match(await curl('red', red, 'http://[2001:db8:113::10]/'), /^fd00:30::10\d \d+$/)
  const [dns = ''] = await podsOf('kube-system')
  assert.match(await curl('kube-system', dns), /^172\.30\.0\.1[123] /)
  const why = await cli('why', '-n', 'red', `pod/${red}`, `${outside}:80`)
  assert.match(why.stdout, /egress\/red selects pod\/red\//)
  assert.match(why.stdout, /under 172\.30\.0\.100 and a port of \d+-\d+/)
})

test('an Egress on one screen: its addresses with their owners, and how each pod leaves; a cluster is asked to move one', async () => {
  const owner = await ownerOf('red')
  const shown = await cli('show', 'egress/red')
  assert.equal(shown.code, 0, shown.stderr)
  assert.match(shown.stdout, /^✓ egress\/red: 3 pods leave under 2 addresses\n/)
  assert.match(shown.stdout, new RegExp(`172\\.30\\.0\\.100 {2}held by ${owner} since 20\\S+Z\\n`))
  for (const pod of await podsOf('red'))
    assert.match(
      shown.stdout,
      new RegExp(`✓ red/${pod} on node-\\d: under 172\\.30\\.0\\.100, ports .* through ${owner}\\n`),
    )
  const elsewhere = join(dirname(kubeconfig), 'elsewhere')
  copyFileSync(kubeconfig, elsewhere)
  const next = ['node-1', 'node-2', 'node-3'].find((node) => node !== owner) ?? ''
  const moved = await cli('egress', 'move', '172.30.0.100', next, '--kubeconfig', elsewhere)
  assert.deepEqual([moved.code, moved.stderr], [0, `${next} holds 172.30.0.100\n`])
  await until('the new owner says so', async () => (await ownerOf('red')) === next)
  assert.match((await cli('show', 'egress/red')).stdout, new RegExp(`172\\.30\\.0\\.100 {2}held by ${next} since`))
  const listed = await cli('addresses', '172.30.0.100', '--kubeconfig', elsewhere)
  assert.match(listed.stdout, new RegExp(`^✓ 172\\.30\\.0\\.100 \\(Egress\\) of egress/red\\n[^]*✓ ${next} since 20`))
  const unknown = await cli('show', 'egress/rde')
  assert.deepEqual([unknown.code, unknown.stderr], [3, 'plumb show: there is no Egress rde; did you mean red?\n'])
})

test('who had an address is known when it is no Egress’ any more', async () => {
  const [pod = ''] = await podsOf('blue')
  const seen = (await curl('blue', pod)).replace(' ', ':')
  const at = new Date().toISOString()
  await kubectl('delete', 'egress', 'blue')
  const now = await cli('egress', 'who', seen)
  assert.deepEqual([now.code, now.stdout], [1, ''])
  assert.match(now.stderr, /is the address of no Egress; --at TIME asks for what was then/)
  const then = await cli('egress', 'who', seen, '--at', at)
  assert.equal(then.code, 0, then.stderr)
  const was = `^pod/blue/${pod} on node-\\d, by an Egress that has the address no longer: ports `
  assert.match(then.stdout, new RegExp(was, 'm'))
})

test('a move and the death of the owner: of 300 connections none breaks, and the gap is told', async () => {
  const pods = await Promise.all((await podsOf('red')).map((pod) => podNamespace('red', pod)))
  const callers = Array.from({ length: 300 }, (_, i) => new Caller(pods[i % pods.length] ?? assert.fail()))
  await Promise.all(callers.map((caller) => caller.ask()))
  const sources = callers.map(({ source }) => source)
  assert.deepEqual([...new Set(sources.map((source) => source.split(' ')[0]))], ['172.30.0.100'])
  const former = await ownerOf('red')
  const next = ['node-1', 'node-2', 'node-3'].find((node) => node !== former) ?? ''
  const pulse = startPulse(pods[0] ?? assert.fail())
  const moved = await cli('egress', 'move', '172.30.0.100', next)
  assert.equal(moved.code, 0, moved.stderr)
  await Promise.all(callers.map((caller) => caller.ask()))
  const moveGap = pulse.longestGapMs()
  await until('the new owner says so', async () => (await ownerOf('red')) === next)

  process.kill(findAgent(next) ?? assert.fail('the owner has no agent'), 'SIGKILL')
  await until('another owns it', async () => !['', next].includes(await ownerOf('red')))
  await Promise.all(callers.map((caller) => caller.ask()))
  console.log(
    `longest silence of a connection: ${moveGap} ms in a move, ${pulse.longestGapMs()} ms when the owner's agent died`,
  )
  pulse.stop()
  assert.deepEqual(
    callers.filter(({ failure }) => failure !== undefined).map(({ failure }) => String(failure)),
    [],
  )
  assert.deepEqual(
    callers.map(({ source }) => source),
    sources,
  )
})

test('the owner’s link goes down: connections of the other nodes’ pods go on through the next one', async () => {
  const former = await ownerOf('red')
  const names = await podsOf('red')
  const nodes = await Promise.all(
    names.map((pod) => kubectl('-n', 'red', 'get', 'pod', pod, '-o', 'jsonpath={.spec.nodeName}')),
  )
  const others = names.filter((_, i) => nodes[i] !== former)
  assert.ok(others.length > 0, 'no pod is on another node')
  const pods = await Promise.all(others.map((pod) => podNamespace('red', pod)))
  const callers = Array.from({ length: 100 }, (_, i) => new Caller(pods[i % pods.length] ?? assert.fail()))
  await Promise.all(callers.map((caller) => caller.ask()))
  const pulse = startPulse(pods[0] ?? assert.fail())
  await pause(50)
  pulse.longestGapMs()
  await cli('exec', '--node', former, '--', 'ip', 'link', 'set', 'eth0', 'down')
  await Promise.all(callers.map((caller) => caller.ask()))
  await until('another owns it', async () => !['', former].includes(await ownerOf('red')))
  await Promise.all(callers.map((caller) => caller.ask()))
  console.log(`longest silence of a connection: ${pulse.longestGapMs()} ms when the owner’s link went down`)
  pulse.stop()
  assert.deepEqual(
    callers.filter(({ failure }) => failure !== undefined).map(({ failure }) => String(failure)),
    [],
  )
})

/** A connection that asks every few milliseconds. */
function startPulse(pod: Namespace): { longestGapMs(): number; stop(): void } {
  const caller = new Caller(pod)
  let running = true
  let longest = 0
  const beat = async (): Promise<void> => {
    while (running && caller.failure === undefined) {
      const begun = performance.now()
      await caller.ask()
      longest = Math.max(longest, performance.now() - begun)
      await pause(2)
    }
  }
  void beat()
  return {
    longestGapMs() {
      const gap = Math.round(longest)
      longest = 0
      return gap
    },
    stop: () => {
      running = false
    },
  }
}
