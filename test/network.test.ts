import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { type Address, parseAddress } from '../src/addr/index.ts'
import { type Namespace, openHost } from '../src/host/index.ts'
import { findPlace } from '../src/lab/index.ts'
import { TestLab } from './lab.fixture.ts'

const lab = new TestLab('network')
const host = openHost()
const cli = (...words: string[]): ReturnType<TestLab['cli']> => lab.cli(...words)
const kubectl = (...words: string[]): Promise<string> => lab.kubectl(...words)

/** The network namespace of a pod, opened by this process. */
async function podNamespace(pod: string): Promise<Namespace> {
  const place = await findPlace(lab.name, { kind: 'pod', namespace: 'default', pod })
  const init = readFileSync(join(lab.folder, 'init.pid'), 'utf8').trim()
  return host.openNamespace(`/proc/${init}/root${place}`)
}

before(() => lab.start('-f', join(import.meta.dirname, '..', 'examples', 'shop')))
after(() => lab.stop())

test('a pod leaves the cluster under its node’s address, and keeps its own towards nodes', async () => {
  const serve =
    'require("net").createServer((s) => s.end(s.remoteAddress + "\\n")).listen(9000, "::", () => console.log("up"))'
  const node = (await kubectl('get', 'pod', 'client', '-o', 'jsonpath={.spec.nodeName} {.status.podIPs[*].ip}')).split(
    ' ',
  )
  const addresses = (
    await kubectl('get', 'node', node[0] ?? '', '-o', 'jsonpath={.status.addresses[*].address}')
  ).split(' ')
  const other = node[0] === 'node-1' ? 'node-2' : 'node-1'
  const otherAddress = (await kubectl('get', 'node', other, '-o', 'jsonpath={.status.addresses[0].address}')).trim()
  const cases = [
    { words: ['--outside'], to: '203.0.113.10', seen: addresses[0] },
    { words: ['--outside'], to: '[2001:db8:113::10]', seen: addresses[1] },
    { words: ['--node', other], to: otherAddress, seen: node[1] },
  ]
  for (const { words, to, seen } of cases) {
    const server = lab.spawn(['exec', ...words, '--', process.execPath, '-e', serve], ['ignore', 'pipe', 'inherit'])
    try {
      await once(server.stdout!, 'data', { signal: AbortSignal.timeout(10_000) })
      const { stdout } = await cli('exec', 'client', '--', 'curl', '--http0.9', '-gsm', '5', `http://${to}:9000`)
      assert.equal(stdout.trim().replace('::ffff:', ''), seen, to)
    } finally {
      server.kill()
      await once(server, 'exit')
    }
  }
})

test('why says what packets do: answered, refused and dropped', async () => {
  const vip = await kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}')
  const questions: { from: 'client' | 'node-2'; to: string; url: string; outcome: 'answers' | 'refused' | 'silent' }[] =
    [
      { from: 'client', to: 'svc/web:80', url: 'http://web', outcome: 'answers' },
      { from: 'node-2', to: 'svc/web:80', url: `http://${vip}`, outcome: 'answers' },
      { from: 'client', to: 'svc/cart-db:5432', url: 'http://cart-db:5432', outcome: 'answers' },
      { from: 'client', to: 'pod/cart-db-0:5432', url: 'http://cart-db-0.cart-db:5432', outcome: 'answers' },
      { from: 'client', to: 'svc/web:81', url: 'http://web:81', outcome: 'refused' },
      { from: 'client', to: '10.96.255.77:80', url: 'http://10.96.255.77', outcome: 'silent' },
    ]
  for (const { from, to, url, outcome } of questions) {
    const why = await cli('why', from === 'client' ? 'pod/client' : `node/${from}`, to)
    assert.equal(why.code, outcome === 'answers' ? 0 : 1, why.stdout + why.stderr)
    const where = from === 'client' ? ['client'] : ['--node', from]
    const packet = await cli('exec', ...where, '--', 'curl', '-so', '/dev/null', '-m', '3', url)
    // curl: 7 refused, 28 timed out.
    const codes = { answers: [0], refused: [7], silent: [28] }[outcome]
    assert.ok(
      codes.includes(packet.code),
      `${url}: curl exits with ${packet.code}, why says ${why.stdout.split('\n')[0]}`,
    )
  }
})

test('why tells the kernel’s word on policy Local, the way back, and the entry of a connection that was made', async () => {
  const spec = {
    type: 'NodePort',
    externalTrafficPolicy: 'Local',
    selector: { app: 'web' },
    ports: [{ port: 80, targetPort: 8080, nodePort: 30077, protocol: 'TCP' }],
  }
  const made = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web-local' }, spec }
  const port = await kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.ports[0].targetPort}')
  made.spec.ports[0]!.targetPort = /^\d+$/.test(port) ? Number(port) : (port as never)
  await lab.apply(made)
  try {
    const client = (await kubectl('get', 'pod', 'client', '-o', 'jsonpath={.spec.nodeName}')).trim()
    const address = await kubectl('get', 'node', client, '-o', 'jsonpath={.status.addresses[0].address}')
    const url = `http://${address}:30077`
    const codes = new Set<number>()
    // A round of the agents lies between the Service and its first answer.
    for (let left = 50; !codes.has(0) && left > 0; left--) {
      codes.add((await cli('exec', 'client', '--', 'curl', '-so', '/dev/null', '-m', '3', url)).code)
    }
    assert.ok(codes.has(0), [...codes].join())
    const why = await cli('why', 'pod/client', `${address}:30077`)
    assert.equal(why.code, 0, why.stdout)
    assert.match(why.stdout, /kernel: \d+ endpoints in the maps/)
    assert.match(
      why.stdout,
      /kernel: [0-9.]+:\d+ is answered by [0-9.]+:\d+, under its own address, [A-Z_]+, \d+ s left/,
    )
    assert.doesNotMatch(why.stdout, /disagree/)
    assert.match(why.stdout, /reply +answers go to .*\n.*\n +✓ kernel: /)
  } finally {
    await kubectl('delete', 'service', 'web-local')
  }
})

test('a pod cannot send under another pod’s address, in either family', async () => {
  const web = JSON.parse(await kubectl('get', 'pods', '-l', 'app=web', '-o', 'json')) as {
    items: { metadata: { name: string }; status: { podIPs: { ip: string }[] } }[]
  }
  const [target, victim] = web.items.map(({ status }) => status.podIPs.map(({ ip }) => parseAddress(ip)))
  const own = (await kubectl('get', 'pod', 'client', '-o', 'jsonpath={.status.podIPs[*].ip}'))
    .split(' ')
    .map(parseAddress)
  using client = disposable(await podNamespace('client'))
  using server = disposable(await podNamespace(web.items[0]?.metadata.name ?? ''))
  for (const [i, type] of (['udp4', 'udp6'] as const).entries()) {
    const { fd, port } = host.bindUdp(server.namespace, target![i]!, 0)
    const receiver = createSocket(type).bind({ fd })
    const seen: string[] = []
    const arrived = once(
      receiver.on('message', (bytes) => seen.push(String(bytes))),
      'message',
    )
    client.namespace.network.addAddress('eth0', victim![i]!, i === 0 ? 32 : 128)
    // In this order on one path: when the honest one is there, the forged one was dropped.
    for (const [word, source] of [
      ['forged', victim![i]!],
      ['honest', own[i]!],
    ] as const) {
      const sender = createSocket(type).bind({ fd: host.bindUdp(client.namespace, source, 0).fd })
      await new Promise((resolve) => sender.send(word, port, target![i]!, resolve))
      sender.close()
    }
    await arrived
    receiver.close()
    client.namespace.network.deleteAddress('eth0', victim![i]!, i === 0 ? 32 : 128)
    assert.deepEqual(seen, ['honest'])
  }
})

test('what a node has in nftables lists, and loads again as it is listed', async () => {
  for (const node of ['node-1', 'node-2', 'node-3']) {
    const { code, stderr } = await cli(
      'exec',
      '--node',
      node,
      '--',
      'sh',
      '-c',
      'nft list ruleset | unshare -n nft -f /dev/stdin',
    )
    assert.equal(code, 0, stderr)
    const listed = await cli('exec', '--node', node, '--', 'nft', 'list', 'ruleset')
    for (const table of ['ip plumb-services', 'ip6 plumb-services', 'ip plumb-pods', 'ip6 plumb-pods']) {
      assert.match(listed.stdout, new RegExp(`table ${table} `))
    }
    assert.match(listed.stdout, /comment "default\/web:http"/)
  }
})

test('a killed agent leaves the node forwarding; its restart breaks no open connection and refuses no new one', async (t) => {
  const node = await kubectl('get', 'pod', 'client', '-o', 'jsonpath={.spec.nodeName}')
  const vip = parseAddress(await kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}'))
  using client = disposable(await podNamespace('client'))
  const open = new KeepAlive(client.namespace, vip)
  await open.ask()
  const agent = lab.findAgent(node)
  assert.ok(agent !== undefined)
  const killedAt = performance.now()
  process.kill(agent, 'SIGKILL')
  let asked = 0
  let returned: number | undefined
  // Until the new agent has answered, and a while longer, for its first round.
  for (let end = Number.POSITIVE_INFINITY; performance.now() < end; asked++) {
    await open.ask()
    const fresh = new KeepAlive(client.namespace, vip)
    await fresh.ask()
    fresh.close()
    if (returned === undefined && (await serves(node))) {
      returned = performance.now()
      end = returned + 1000
    }
    assert.ok(performance.now() < killedAt + 30_000, 'the agent does not come back')
    await pause(5)
  }
  open.close()
  assert.notEqual(lab.findAgent(node), agent)
  t.diagnostic(
    `the agent was back after ${Math.round((returned ?? 0) - killedAt)} ms; ${asked} new connections and one open one never failed`,
  )
})

/** Whether the node's agent has its first round in the kernel. */
async function serves(node: string): Promise<boolean> {
  const { code } = await cli(
    'exec',
    '--node',
    node,
    '--',
    'curl',
    '-sfo',
    '/dev/null',
    '-m',
    '1',
    'http://127.0.0.1:10256/healthz',
  )
  return code === 0
}

function disposable(namespace: Namespace): { namespace: Namespace } & Disposable {
  return { namespace, [Symbol.dispose]: () => namespace.close() }
}

/** One HTTP connection that stays open over many requests. */
class KeepAlive {
  readonly #socket: Socket
  #failure: Error | undefined

  constructor(from: Namespace, to: Address) {
    this.#socket = new Socket({ fd: host.connectTcp(from, to, 80).fd })
    this.#socket.on('error', (error) => {
      this.#failure = error
    })
    this.#socket.on('close', () => {
      this.#failure ??= new Error('the connection was closed')
    })
  }

  async ask(): Promise<void> {
    this.#socket.write('GET /healthz HTTP/1.1\r\nhost: web\r\n\r\n')
    const timeout = AbortSignal.timeout(5000)
    const [chunk] = (await once(this.#socket, 'data', { signal: timeout }).catch((error) => {
      throw this.#failure ?? error
    })) as [Buffer]
    assert.match(chunk.toString(), /^HTTP\/1\.1 200/)
  }

  close(): void {
    this.#socket.destroy()
  }
}
