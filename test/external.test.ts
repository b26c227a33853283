import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { another, nodes, WebLab } from './web-lab.fixture.ts'

const lab = new WebLab('external')
const cli = (...words: string[]): ReturnType<WebLab['cli']> => lab.cli(...words)
const kubectl = (...words: string[]): Promise<string> => lab.kubectl(...words)

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

before(() =>
  lab.startWeb({
    ipFamilyPolicy: 'RequireDualStack',
    ports: [
      { name: 'http', port: 80 },
      { name: 'who', port: 5353, protocol: 'UDP' },
    ],
  }),
)
after(() => lab.stop())

test('a Service of type LoadBalancer gets addresses of both families and answers from outside', {
  timeout: 120_000,
}, async () => {
  const lines = await settled('both are held')
  assert.deepEqual(lines.map(({ address }) => address).sort(), ['172.30.0.200', 'fd00:30::200'])
  for (const { address } of lines) assert.match(await lab.fromOutside(address), /^pod: web-/)
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
  process.kill(lab.findAgent(old) ?? Number.NaN, 'SIGKILL')
  const lines = await settled('another holds them', (all) => all.every(({ node }) => node !== old))
  t.diagnostic(`all addresses of ${old} held and answered elsewhere after at most ${Date.now() - killedAt} ms`)
  for (const { address } of lines) assert.match(await lab.fromOutside(address), /^pod: web-/)
})

test('a move, a drain and its end; nobody who may not takes one', async () => {
  const [line] = await settled('held')
  const { address = '', node: from = '' } = line ?? {}
  const to = another(from)
  const moved = await cli('addresses', 'move', address, to)
  assert.equal(moved.code, 0, moved.stderr)
  const after = await settled('moved', (all) => all.some((one) => one.address === address && one.node === to))
  assert.equal(after.find((one) => one.address === address)?.why, `${from} handed it over`)
  assert.equal((await cli('node', 'drain', to)).code, 0)
  await settled('drained', (all) => all.every(({ node }) => node !== to))
  assert.equal((await cli('addresses', 'move', address, to)).code, 2, 'a drained node takes nothing')
  const undone = await cli('node', 'drain', to, '--undo', '--kubeconfig', (await cli('kubeconfig')).stdout.trim())
  assert.equal(undone.code, 0, undone.stderr)
  assert.match(await lab.fromOutside(address), /^pod: web-/)
})

const others = (node: string): string[] => nodes.filter((one) => one !== node)

test('planned moves in a circle break no TCP connection', { timeout: 120_000 }, async () => {
  for (const { address, node = '' } of await settled('held')) {
    const opened = await lab.openClients(address, 100)
    for (const to of [...others(node), node]) {
      const moved = await cli('addresses', 'move', address, to)
      assert.equal(moved.code, 0, moved.stderr)
      assert.deepEqual(await opened.count(), { all: 100, alive: 100 })
    }
    opened.close()
  }
})

test('when the holder’s agent is killed, or stopped, every connection and flow of datagrams goes on', {
  timeout: 120_000,
}, async (t) => {
  for (const signal of ['SIGKILL', 'SIGSTOP'] as const) {
    const [{ address = '', node = '' } = {}] = await settled('held')
    const clients = await openBoth(address)
    // A copy of what has just begun is a moment away from the standbys.
    await pause(200)
    const agent = lab.findAgent(node) ?? Number.NaN
    process.kill(agent, signal)
    for (const [what, opened] of clients) {
      const { all, alive } = await opened.count()
      t.diagnostic(`${signal}: ${alive} of ${all} ${what} go on`)
      assert.equal(alive, all, what)
      opened.close()
    }
    if (signal === 'SIGSTOP') process.kill(agent, 'SIGCONT')
  }
})

const openBoth = async (address: string) =>
  [
    ['connections', await lab.openClients(address, 200)],
    ['flows of datagrams', await lab.openClients(address, 40, 'udp')],
  ] as const

test('when the holder is cut off, as by a loss of power, what is with pods of other nodes goes on', {
  timeout: 180_000,
}, async (t) => {
  const [{ address = '', node = '' } = {}] = await settled('held')
  const clients = await openBoth(address)
  await pause(200)
  const mend = await lab.cutOff(node)
  const counted = await Promise.all(clients.map(([, opened]) => opened.count(others(node))))
  await mend()
  for (const [at, [what, opened]] of clients.entries()) {
    const { all = 0, alive = 0 } = counted[at] ?? {}
    opened.close()
    t.diagnostic(`${alive} of ${all} ${what} with pods of other nodes go on`)
    assert.ok(all > 10, `only ${all} ${what} were with pods of other nodes`)
    assert.ok(alive >= all * 0.99, `${alive} of ${all} ${what} go on`)
  }
  await settled('held again')
})

test('a pool that shrinks under its user gives it other addresses, one that goes takes them along; the former ones fall silent', {
  timeout: 180_000,
}, async (t) => {
  const { apiVersion, spec } = JSON.parse(await kubectl('get', 'ippool', 'default', '-o', 'json'))
  const isOn = (end: string) => (all: Line[]) => all.every(({ address }) => address.endsWith(end))
  const restOnly = { spec: { addresses: ['172.30.0.240-172.30.0.249', 'fd00:30::240-fd00:30::249'] } }
  const begun = Date.now()
  await kubectl('patch', 'ippool', 'default', '--type', 'merge', '-p', JSON.stringify(restOnly))
  for (const { address } of await settled('other addresses', isOn('240')))
    while (!/^pod: web-/.test(await lab.fromOutside(address))) await pause(100)
  t.diagnostic(`the Service answers at other addresses ${Date.now() - begun} ms after its pool shrank`)
  assert.equal(await lab.fromOutside('172.30.0.200'), '')
  await kubectl('delete', 'ippool', 'default')
  while ((await addresses()).some(({ node, answeredBy }) => node !== undefined || answeredBy.length > 0))
    await pause(100)
  assert.equal(await lab.fromOutside('172.30.0.240'), '')
  await lab.apply({ apiVersion, kind: 'IPAddressPool', metadata: { name: 'default' }, spec })
  await settled('addresses of the pool that is back', isOn('200'))
})

test('with policy Local the address is where endpoints are, and the source is kept; without endpoints nobody answers', {
  timeout: 120_000,
}, async () => {
  await kubectl('patch', 'service', 'web', '--type', 'merge', '-p', '{"spec":{"externalTrafficPolicy":"Local"}}')
  await kubectl('scale', 'deployment', 'web', '--replicas', '1')
  const nodes = async () =>
    (await kubectl('get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[*].spec.nodeName}')).split(' ')
  while ((await nodes()).length > 1) await pause(100)
  const [node = ''] = await nodes()
  await settled('where the pod is', (all) => all.every((one) => one.node === node))
  // The node may have been cut off a moment ago, and has to hear of the policy.
  while (!/client: 203\.0\.113\.10\n/.test(await lab.fromOutside('172.30.0.200'))) await pause(100)
  await kubectl('scale', 'deployment', 'web', '--replicas', '0')
  const end = Date.now() + 60_000
  while ((await addresses()).some(({ node, answeredBy }) => node !== undefined || answeredBy.length > 0)) {
    assert.ok(Date.now() < end, 'it still answers')
    await pause(100)
  }
})
