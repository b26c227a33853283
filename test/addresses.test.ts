import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { parse, stringify } from 'yaml'
import { agreed, clientsOf, podsOf } from './seen-as.fixture.ts'
import { another, nodes, until, WebLab } from './web-lab.fixture.ts'

const lab = new WebLab('addresses')
const { address } = lab
const kubectl = (...words: string[]): Promise<string> => lab.kubectl(...words)
const held = (condition?: (node: string) => boolean): Promise<string> => lab.held(condition)
const toldIs = (node: string): Promise<true> => lab.toldIs(node)
/** The lab as a cluster that the command line knows nothing else of. */
let elsewhere = ''
const cluster = (...words: string[]) => lab.cli(...words, '--kubeconfig', elsewhere)

before(async () => {
  await lab.startWeb({ ports: [{ port: 80, nodePort: 30080 }] })
  elsewhere = join(lab.directory, 'kubeconfig')
  writeFileSync(elsewhere, readFileSync(join(lab.folder, 'kubeconfig')))
})
after(() => lab.stop())

test('the holder says in an object of the cluster that it announces the address, since when and on which links', async () => {
  const node = await held()
  await toldIs(node)
  const [heading = '', row = ''] = (await kubectl('get', 'servicel2statuses', '-A', '-o', 'wide')).split('\n')
  assert.match(heading, /^NAMESPACE +NAME +ADDRESS +ALLOCATED NODE +SERVICE NAME +SINCE +INTERFACES +WHY$/)
  assert.match(row, new RegExp(`^default +web-[0-9a-f]{10} +${address} +${node} +web +\\S+ +eth0 +nobody had it$`))
  const seen = await cluster('addresses')
  assert.equal(seen.code, 0, seen.stderr)
  assert.match(seen.stdout, new RegExp(`^${address} +LoadBalancer +service/default/web +${node} +20\\S+Z +`, 'm'))
  const one = await cluster('addresses', address)
  assert.match(one.stdout, new RegExp(`✓ ${node}: holds it, rank [123]`))
  assert.equal(one.stdout.match(/· node-\d: may hold it, rank [123]/g)?.length, 2, one.stdout)
  assert.match((await lab.cli('addresses', address)).stdout, new RegExp(`On the wire\n.*announced .*; ${node} answers`))
  const way = await cluster('show', 'svc/web')
  assert.match(way.stdout, new RegExp(`${address}:80/tcp +load balancer +held by ${node} since `))
})

test('whoever may create AddressMoves moves an address by kubeconfig alone; what cannot be done is told', async () => {
  const node = await held()
  const to = another(node)
  await kubectl('create', 'serviceaccount', 'operator')
  const role = parse((await lab.cli('access')).stdout) as { metadata: { name: string } }
  await lab.apply(role)
  await kubectl(
    'create',
    'clusterrolebinding',
    'reads',
    '--clusterrole',
    role.metadata.name,
    '--serviceaccount',
    'default:operator',
  )
  const token = await kubectl('create', 'token', 'operator')
  const config = parse(readFileSync(elsewhere, 'utf8')) as { users: { user: object }[] }
  for (const one of config.users) one.user = { token }
  const own = join(lab.directory, 'operator')
  writeFileSync(own, stringify(config))
  const move = (...words: string[]) => lab.cli('addresses', 'move', ...words, '--kubeconfig', own)
  const denied = await move(address, to)
  assert.equal(denied.code, 3)
  assert.match(denied.stderr, /needs the right to create addressmoves\.plumb\.network \(.*cannot create resource/)
  await kubectl('create', 'clusterrole', 'moves', '--verb=create,get', '--resource=addressmoves.plumb.network')
  await kubectl('create', 'clusterrolebinding', 'moves', '--clusterrole=moves', '--serviceaccount=default:operator')
  const moved = await move(address, to)
  assert.deepEqual([moved.code, moved.stderr], [0, `${to} holds ${address}\n`])
  assert.equal(await held(), to)
  await toldIs(to)
  const ended = await kubectl('get', 'addressmoves', '-o', 'jsonpath={.items[*].status.conditions[*].type}')
  assert.equal(ended, 'Complete')
  const refused: readonly [readonly string[], number, RegExp][] = [
    [[address, 'nodee-1'], 3, /there is no node nodee-1; did you mean node-1/],
    [['172.30.0.20', 'node-1'], 3, /172\.30\.0\.20 is no external address; did you mean 172\.30\.0\.200\?/],
    [['web', 'node-1'], 64, /"web" is not an IP address/],
    [[address, to], 0, new RegExp(`${to} holds it already`)],
  ]
  for (const [words, code, says] of refused) {
    const answer = await move(...words)
    assert.equal(answer.code, code, answer.stderr)
    assert.match(answer.stderr, says)
  }
})

test('a move that is asked for as the holder’s agent dies is carried out by whoever holds the address then', async () => {
  const node = await held()
  const to = another(node)
  process.kill(lab.findAgent(node) ?? Number.NaN, 'SIGKILL')
  await lab.apply({
    apiVersion: 'plumb.network/v1alpha1',
    kind: 'AddressMove',
    metadata: { name: 'in-time' },
    spec: { address, node: to },
  })
  await kubectl('wait', '--for=condition=Complete', 'addressmove/in-time', '--timeout=30s')
  assert.equal(await held(), to)
  await toldIs(to)
})

test('a drained node, and one with the label, hands its addresses over under 1,000 connections and gets none; a cordoned one keeps them', async () => {
  const node = await held()
  assert.match((await cluster('node', 'drain', 'node-9')).stderr, /there is no node node-9; did you mean node-1/)
  const opened = await lab.openClients(address, 1000)
  const drained = await cluster('node', 'drain', node)
  assert.deepEqual([drained.code, drained.stderr], [0, `${node} holds no external address\n`])
  const next = await held((one) => one !== node)
  assert.deepEqual(await opened.count(), { all: 1000, alive: 1000 })
  opened.close()
  const refused = await cluster('addresses', 'move', address, node)
  assert.match(refused.stderr, new RegExp(`${node} may not hold ${address}: it is being drained`))
  assert.equal((await cluster('node', 'drain', node, '--undo')).code, 0)
  await kubectl('cordon', next)
  assert.equal((await cluster('addresses', 'move', address, node)).code, 0)
  assert.equal((await cluster('addresses', 'move', address, next)).code, 0, 'a cordoned node takes addresses')
  await kubectl('uncordon', next)
  await kubectl('label', 'node', next, 'node.kubernetes.io/exclude-from-external-load-balancers=')
  await held((one) => one !== next)
  assert.match(
    (await cluster('addresses', address)).stdout,
    new RegExp(`✗ ${next}: it has the label node\\.kubernetes\\.io/`),
  )
  await kubectl('label', 'node', next, 'node.kubernetes.io/exclude-from-external-load-balancers-')
})

test('while the API server does not answer addresses move; then objects tell the last state alone', async (t) => {
  const node = await held()
  const [one, two] = nodes.filter((other) => other !== node) as [string, string]
  await toldIs(node)
  const server = lab.findProcess('apiserver') ?? Number.NaN
  process.kill(server, 'SIGSTOP')
  try {
    for (const to of [one, two]) {
      const moved = await lab.cli('addresses', 'move', address, to)
      assert.equal(moved.code, 0, moved.stderr)
    }
    assert.equal(await held(), two)
  } finally {
    process.kill(server, 'SIGCONT')
  }
  const begun = Date.now()
  await toldIs(two)
  t.diagnostic(`told ${Date.now() - begun} ms after the API server answers again`)
})

test('whom pods see, and which of them policies let answer, is what is explained: policies Cluster and Local', {
  timeout: 180_000,
}, async () => {
  const node = await held()
  await toldIs(node)
  const own = `172.30.0.1${nodes.indexOf(another(node)) + 1}`
  const policy = (ipBlock: string) =>
    lab.apply({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'web', namespace: 'default' },
      spec: { podSelector: { matchLabels: { app: 'web' } }, ingress: [{ from: [{ ipBlock: { cidr: ipBlock } }] }] },
    })
  assert.deepEqual(clientsOf(await agreed(lab, 'Cluster, load balancer', `${address}:80`)), [address])
  assert.deepEqual(clientsOf(await agreed(lab, 'Cluster, node port', `${own}:30080`)), [own])
  await policy('203.0.113.10/32')
  const near = podsOf(await agreed(lab, 'Cluster, the client alone is let in', `${address}:80`))
  const here = await kubectl(
    'get',
    'pods',
    '-l',
    'app=web',
    '-o',
    `jsonpath={.items[?(@.spec.nodeName=="${node}")].metadata.name}`,
  )
  assert.deepEqual(near, here.split(' ').sort(), 'only where packets come in do policies judge the client itself')
  await policy(`${address}/32`)
  const far = podsOf(await agreed(lab, 'Cluster, the address alone is let in', `${address}:80`))
  assert.equal(far.filter((pod) => near.includes(pod)).length, 0)
  assert.equal(far.length + near.length, 6)

  await kubectl('patch', 'service', 'web', '--type=merge', '-p', '{"spec":{"externalTrafficPolicy":"Local"}}')
  await policy('203.0.113.10/32')
  const local = await agreed(lab, 'Local, load balancer', `${address}:80`)
  assert.deepEqual(clientsOf(local), ['203.0.113.10'])
  assert.deepEqual(podsOf(local), near)
  assert.deepEqual(clientsOf(await agreed(lab, 'Local, node port', `${own}:30080`)), ['203.0.113.10'])
  await kubectl('delete', 'networkpolicy', 'web')
  await kubectl('patch', 'service', 'web', '--type=merge', '-p', '{"spec":{"externalTrafficPolicy":"Cluster"}}')
})

test('a node that is cut off takes its own node port with it; the load balancer’s address and other nodes’ ports answer', async (t) => {
  const node = await held()
  const ownAddress = (name: string): string => `172.30.0.1${nodes.indexOf(name) + 1}`
  const mend = await lab.cutOff(node)
  try {
    const begun = Date.now()
    // Its pods are endpoints until the cluster has noticed.
    for (const at of [address, `${ownAddress(another(node))}:30080`])
      await until(`${at} answers`, async () => (await lab.fromOutside(at)).startsWith('pod: web-'))
    t.diagnostic(`both answered within ${Date.now() - begun} ms`)
    assert.equal(await lab.fromOutside(`${ownAddress(node)}:30080`), '')
  } finally {
    await mend()
  }
  await toldIs(await held((one) => one !== node))
})

test('nodeSelectors and interfaces of an L2Advertisement decide who announces, and the answers follow', async () => {
  const node = await held()
  const to = another(node)
  const advertise = (spec: object) =>
    kubectl('patch', 'l2advertisement', 'default', '--type=merge', '-p', JSON.stringify({ spec }))
  await advertise({ nodeSelectors: [{ matchLabels: { 'kubernetes.io/hostname': to } }] })
  assert.equal(await held((one) => one === to), to)
  await toldIs(to)
  assert.match(
    (await lab.cli('why', '203.0.113.10', `${address}:80`)).stdout,
    new RegExp(`come in at ${to}, which holds`),
  )
  const one = await cluster('addresses', address)
  assert.match(one.stdout, new RegExp(`✗ ${node}: nodeSelectors of l2advertisement/default do not select it`))
  assert.match((await cluster('addresses', 'move', address, node)).stderr, /may not hold .*nodeSelectors/)
  await advertise({ nodeSelectors: [], interfaces: ['eth9'] })
  await until('nobody announces it', async () => (await lab.told()) === '')
  await until('nobody answers on the wire', async () =>
    /nobody answers$/m.test((await lab.cli('addresses', address)).stdout),
  )
  const silent = await cluster('addresses', address)
  assert.equal(silent.code, 2)
  assert.match(silent.stdout, /nobody says that it does/)
  await advertise({ interfaces: ['eth0'] })
  await held()
  assert.match(await lab.fromOutside(address), /^pod: web-/)
})

test('a Gateway on one screen: addresses with their holders, listeners, routes and the pods behind them', async () => {
  const gateway = (kind: string, spec: object) =>
    lab.apply({
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind,
      metadata: { name: 'shop', namespace: 'default' },
      spec,
    })
  await gateway('Gateway', {
    gatewayClassName: 'plumb',
    listeners: [{ name: 'http', port: 80, protocol: 'HTTP' }],
  })
  const backend = (name: string) => ({
    parentRefs: [{ name: 'shop' }],
    hostnames: ['shop.example'],
    rules: [{ matches: [{ path: { type: 'PathPrefix', value: '/cart' } }], backendRefs: [{ name, port: 80 }] }],
  })
  await gateway('HTTPRoute', backend('web'))
  const show = () => cluster('show', 'gateway/shop')
  const shown = await until('it serves, and holders say so', async () => {
    const now = await show()
    return now.code === 0 && (now.stdout.match(/held by node-\d since/g)?.length ?? 0) > 0 && now.stdout
  })
  assert.match(shown, /^✓ gateway\/default\/shop \(class plumb\)/)
  assert.match(shown, /\n {2}http: 80\/HTTP for \*\n/)
  assert.match(shown, /httproute\/default\/shop\n {4}shop\.example {2}prefix \/cart\n/)
  const behind = (await kubectl('get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[*].metadata.name}')).split(' ')
  for (const pod of behind.slice(0, 3)) assert.match(shown, new RegExp(`default/${pod}`))
  const external = /\n {2}(172\S+) {2}held/.exec(shown)?.[1] ?? ''
  const words = ['-sm', '5', '-H', 'Host: shop.example', `http://${external}/cart`]
  await until('it answers', async () =>
    (await lab.cli('exec', '--outside', '--', 'curl', ...words)).stdout.startsWith('pod: web-'),
  )
  await gateway('HTTPRoute', backend('wbe'))
  const broken = await until('the mistake is told', async () => {
    const now = await show()
    return now.code === 1 && now
  })
  assert.match(broken.stdout, /wbe/)
})
