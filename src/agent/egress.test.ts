import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createServer, Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { type Address, parseAddress } from '../addr/index.ts'
import type { EndpointSlice, KubeObject, Service } from '../objects/index.ts'
import { cleanUpNode } from './clean-up.ts'
import { type EgressPod, EgressRig, egressObject, firstLine, outside, port } from './egress.fixture.ts'
import { host } from './rig.fixture.ts'

const red: readonly Address[] = ['172.30.0.200', 'fd00:30::200'].map(parseAddress)
const blue: readonly Address[] = ['172.30.0.210', 'fd00:30::210'].map(parseAddress)
/** How often what must never happen is tried. */
const starts = Number(process.env.PLUMB_RUNS ?? 100)
let rig: EgressRig

before(async () => {
  rig = new EgressRig()
  rig.serve()
  rig.objects.put(egressObject('red', { egressIPs: [...red] }))
  for (const address of red) rig.owners.move(address, 'node-2')
  await rig.start()
})
after(() => rig.close())

const addressOf = (source: string) => source.split(' ')[0]
const portOf = (source: string) => Number(source.split(' ')[1])

test('pods of every node leave under the address, through its owner, each node with ports of its own', async () => {
  for (const [node, first] of [
    [1, 1024],
    [2, 2048],
    [3, 3072],
  ] as const) {
    const pod = await rig.addPod(`all-${node}`, node, { egress: 'red' })
    for (const family of [4, 6] as const) {
      const { source } = await rig.connect(pod, family)
      assert.equal(addressOf(source), red[family === 4 ? 0 : 1], rig.log.lines.join('\n'))
      assert.ok(portOf(source) >= first && portOf(source) < first + 1024, source)
    }
  }
  const other = await rig.addPod('other', 1, {})
  assert.equal(addressOf((await rig.connect(other)).source), '172.30.0.11')
  assert.equal(addressOf((await rig.connect(other, 6)).source), 'fd00:30::11')
})

test('nft lists the tables and loads what it listed', () => {
  for (const node of rig.nodes) {
    for (const family of ['ip', 'ip6']) {
      const listed = rig.nft(node, 'list', 'table', family, 'plumb-egress')
      assert.match(listed, /chain steer-red_/)
      rig.nft(node, '-c', listed)
    }
  }
})

test('a selected pod’s first packet leaves under its address, whatever it sends from its first moment on', async () => {
  const leaks = rig.watchLeaks([...red, ...blue])
  const sockets: { close(): void }[] = []
  const begun = (pod: EgressPod): void => {
    for (const family of [4, 6] as const) {
      const udp = rig.datagrams(pod, family)
      for (let i = 0; i < 5; i++) udp.send(pod.key, port, outside[family])
      const tcp = new Socket({ fd: host.connectTcp(pod.namespace, outside[family], port).fd })
      tcp.on('error', () => undefined)
      sockets.push({ close: () => tcp.destroy() }, { close: () => udp.close() })
    }
  }
  const before = rig.seen.length
  for (let i = 0; i < starts; i++) {
    const pod = await rig.addPod(`start-${i}`, (i % 3) + 1, { egress: 'red' }, begun)
    await rig.removePod(pod)
    for (const one of sockets.splice(0)) one.close()
  }
  const seen = rig.seen.slice(before)
  assert.ok(seen.length >= starts, `the server saw ${seen.length}`)
  assert.deepEqual([...new Set(seen.map(({ address }) => address))].sort(), [...red].sort())
  assert.equal(leaks(), 0)
})

test('a hundred moves under load: no packet under another address, no connection broken, none reset', async () => {
  const leaks = rig.watchLeaks([...red])
  const pods = await Promise.all([1, 2, 3].map((node) => rig.addPod(`moving-${node}`, node, { egress: 'red' })))
  const flows = await Promise.all(pods.flatMap((pod) => ([4, 6] as const).map((family) => rig.connect(pod, family))))
  const sources = flows.map(({ source }) => source)
  for (let i = 0; i < 100; i++) {
    for (const address of red) rig.owners.move(address, `node-${(i % 3) + 1}`)
    const answers = flows.map(({ socket }) => firstLine(socket, 20_000))
    for (const [at, { socket }] of flows.entries()) socket.write(`${i} ${sources[at]}\n`)
    assert.deepEqual(
      await Promise.all(answers),
      sources.map((source) => `${i} ${source}`),
    )
  }
  assert.equal(leaks(), 0)
})

test('an owner that dies: a thousand connections wait and go on, and nothing leaves meanwhile under another address', async () => {
  for (const address of red) rig.owners.move(address, 'node-2')
  const leaks = rig.watchLeaks([...red])
  const pods = await Promise.all([1, 3].map((node) => rig.addPod(`many-${node}`, node, { egress: 'red' })))
  const flows = await Promise.all(
    Array.from({ length: 1000 }, (_, i) => rig.connect(pods[i % 2] ?? assert.fail(), i % 4 < 2 ? 4 : 6, 60_000)),
  )
  rig.cable(2, false)
  const answers = flows.map(({ socket }) => firstLine(socket, 60_000).catch((error: Error) => error.message))
  for (const { socket } of flows) socket.write('still there?\n')
  await new Promise((resolve) => setTimeout(resolve, 300))
  const begun = performance.now()
  for (const address of red) rig.owners.move(address, 'node-3')
  const said = await Promise.all(answers)
  console.log(`1000 connections went on ${Math.round(performance.now() - begun)} ms after the address had a new owner`)
  assert.equal(
    said.filter((text) => text !== 'still there?').length,
    0,
    said.find((text) => text !== 'still there?'),
  )
  assert.equal(leaks(), 0)
  for (const { socket } of flows) socket.destroy()
  rig.cable(2, true)
})

test('between owners packets drop; with onUnavailable Node they leave under the node’s address', async () => {
  rig.objects.put(egressObject('blue', { egressIPs: [...blue] }))
  const pod = await rig.addPod('between', 1, { egress: 'blue' })
  const leaks = rig.watchLeaks([...blue])
  await assert.rejects(rig.connect(pod, 4, 500), /no answer/)
  await assert.rejects(rig.connect(pod, 6, 500), /no answer/)
  assert.equal(leaks(), 0)
  rig.objects.put(egressObject('blue', { egressIPs: [...blue], onUnavailable: 'Node' }))
  await rig.settled()
  assert.equal(addressOf((await rig.connect(pod)).source), '172.30.0.11')
  for (const address of blue) rig.owners.move(address, 'node-1')
  await rig.settled()
  assert.equal(addressOf((await rig.connect(pod)).source), blue[0])
  assert.equal(addressOf((await rig.connect(pod, 6)).source), blue[1])
})

test('an Egress that comes ends what left under the node’s address; one that goes ends what left under its own', async () => {
  const pod = await rig.addPod('later', 3, { egress: 'later' })
  const old = await rig.connect(pod)
  assert.equal(addressOf(old.source), '172.30.0.13')
  rig.objects.put(egressObject('later', { egressIPs: [...blue] }))
  await rig.settled()
  const leaks = rig.watchLeaks([...red, ...blue])
  old.socket.write('more\n')
  const fresh = await rig.connect(pod)
  assert.equal(addressOf(fresh.source), blue[0])
  await assert.rejects(firstLine(old.socket, 500), /no answer|ECONNRESET/)
  assert.equal(leaks(), 0)
  rig.objects.delete('Egress', 'later')
  await rig.settled()
  const after = rig.watchLeaks(['172.30.0.13', 'fd00:30::13'].map(parseAddress))
  fresh.socket.write('more\n')
  assert.equal(addressOf((await rig.connect(pod)).source), '172.30.0.13')
  await assert.rejects(firstLine(fresh.socket, 500), /no answer|ECONNRESET/)
  assert.equal(after(), 0)
})

test('echoes, and errors about a pod’s packets, find their way back to the pod', async () => {
  for (const address of red) rig.owners.move(address, 'node-2')
  const pod = await rig.addPod('icmp', 3, { egress: 'red' })
  for (const address of Object.values(outside)) assert.equal(echo(pod, address), 'answered', address)
  for (const family of [4, 6] as const) {
    const udp = rig.datagrams(pod, family)
    const refused = new Promise<string>((resolve) =>
      udp.once('error', (error) => resolve((error as NodeJS.ErrnoException).code ?? '')),
    )
    await new Promise<void>((resolve) => udp.connect(9, outside[family], resolve))
    udp.send('nobody listens')
    assert.equal(await refused, 'ECONNREFUSED', `IPv${family}`)
  }
})

test('NetworkPolicies judge the pod’s own address, before it leaves', async () => {
  const pod = await rig.addPod('policed', 1, { egress: 'red', policed: 'yes' })
  assert.equal(addressOf((await rig.connect(pod)).source), red[0])
  rig.objects.put({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'closed', namespace: 'shop' },
    spec: {
      podSelector: { matchLabels: { policed: 'yes' } },
      policyTypes: ['Egress'],
      egress: [{ to: [{ ipBlock: { cidr: `${outside[6]}/128` } }] }],
    },
  } as KubeObject)
  await rig.settled()
  await assert.rejects(rig.connect(pod, 4, 500), /no answer/)
  assert.equal(addressOf((await rig.connect(pod, 6)).source), red[1])
})

test('Services: a ClusterIP whose endpoint is outside is reached under the egress address, a node port answers as ever', async () => {
  const pod = await rig.addPod('served', 3, { egress: 'red' })
  const service = (name: string, clusterIP: string, spec: object = {}): Service => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'shop' },
    spec: { clusterIP, clusterIPs: [clusterIP], ports: [{ port: 80, protocol: 'TCP', nodePort: 30080 }], ...spec },
  })
  const slice = (name: string, address: string, to: number): EndpointSlice => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace: 'shop', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [address], nodeName: 'node-3', conditions: { ready: true } }],
    ports: [{ port: to, protocol: 'TCP' }],
  })
  rig.objects.put(service('away', '10.96.0.20', { ports: [{ port: 80, protocol: 'TCP' }] }))
  rig.objects.put(slice('away', outside[4], port))
  // What the API server's Service leads to sees the node, so that pods reach it whoever owns what.
  const api: EndpointSlice = { ...slice('kubernetes', '203.0.113.11', port) }
  api.metadata = { ...api.metadata, namespace: 'default' }
  rig.objects.put(api)
  rig.objects.put(service('here', '10.96.0.21', { type: 'NodePort', externalTrafficPolicy: 'Local' }))
  rig.objects.put(slice('here', pod.addresses[0] ?? '', 8080))
  await rig.settled()
  const away = new Socket({ fd: host.connectTcp(pod.namespace, parseAddress('10.96.0.20'), 80).fd })
  assert.equal(addressOf(await firstLine(away, 20_000)), red[0])
  away.destroy()
  const direct = new Socket({ fd: host.connectTcp(pod.namespace, parseAddress('203.0.113.11'), port).fd })
  assert.equal(addressOf(await firstLine(direct, 20_000)), '172.30.0.13')
  direct.destroy()
  const { fd } = host.listenTcp(pod.namespace, pod.addresses[0] ?? assert.fail(), 8080)
  const server = createServer((socket) => socket.end(`${socket.remoteAddress} here\n`)).listen({ fd })
  const client = new Socket({ fd: host.connectTcp(rig.server, parseAddress('172.30.0.13'), 30080).fd })
  assert.equal(await firstLine(client, 20_000), `${outside[4]} here`)
  client.destroy()
  server.close()
})

test('ports run out: what finds none is dropped, and another pod’s ports stay its own', async () => {
  rig.objects.put(egressObject('few', { egressIP: blue[0] ?? '', ports: { perNode: 64, perPod: 16 } }))
  rig.objects.delete('Egress', 'blue')
  await rig.settled()
  const leaks = rig.watchLeaks([...red, ...blue])
  const greedy = await rig.addPod('greedy', 1, { egress: 'few' })
  const modest = await rig.addPod('modest', 1, { egress: 'few' })
  const tries = await Promise.allSettled(Array.from({ length: 30 }, () => rig.connect(greedy, 4, 1500)))
  const ports = tries.flatMap((one) => (one.status === 'fulfilled' ? [portOf(one.value.source)] : []))
  assert.ok(ports.length <= 16 && ports.length >= 8, `${ports.length} connections`)
  assert.ok(Math.max(...ports) - Math.min(...ports) < 16, ports.join())
  const { source } = await rig.connect(modest)
  assert.equal(addressOf(source), blue[0])
  assert.ok(!ports.includes(portOf(source)))
  assert.equal(leaks(), 0)
})

test('bandwidth: what is above the rate of an address is dropped at its nodes, and nobody else’s', async () => {
  const slow = parseAddress('172.30.0.220')
  rig.objects.put(egressObject('slow', { egressIP: slow, bandwidth: { rate: '800k', burst: '160k' } }))
  rig.owners.move(slow, 'node-2')
  const pods = [await rig.addPod('slow', 1, { egress: 'slow' }), await rig.addPod('fast', 1, { egress: 'red' })]
  const packet = Buffer.alloc(1000, 'x')
  const received = (address: Address | undefined) =>
    rig.seen.filter((one) => one.address === address && one.text.length === 1000)
  const begun = performance.now()
  for (const pod of pods) {
    const udp = rig.datagrams(pod)
    for (let i = 0; i < 600; i++) {
      udp.send(packet, port, outside[4])
      // Few at a time: sockets drop what they cannot hold.
      if (i % 10 === 9) await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }
  await until(() => received(red[0]).length >= 570)
  const seconds = (performance.now() - begun) / 1000
  const bytes = received(slow).length * 1028
  // nft's bucket holds a second's worth beside the burst (nft_limit_init).
  assert.ok(bytes >= 15_000 && bytes <= 125_000 + 100_000 * seconds, `${bytes} bytes in ${seconds} s`)
})

test('an agent that starts anew under load opens no window and breaks nothing', async () => {
  for (const address of red) rig.owners.move(address, 'node-2')
  const leaks = rig.watchLeaks([...red])
  const pod = await rig.addPod('steady', 1, { egress: 'red' })
  const { socket, source } = await rig.connect(pod)
  const udp = rig.datagrams(pod)
  const timer = setInterval(() => udp.send('tick', port, outside[4]), 2)
  try {
    for (let i = 0; i < 3; i++) {
      await rig.agents[0]?.stop()
      await rig.startNode(1)
      const answer = firstLine(socket, 20_000)
      socket.write(`${i} ${source}\n`)
      assert.equal(await answer, `${i} ${source}`)
    }
  } finally {
    clearInterval(timer)
  }
  assert.equal(leaks(), 0)
})

test('an agent that has heard of no owner yet goes by what Egresses say, and lets connections go on', async () => {
  for (const address of red) rig.owners.move(address, 'node-2')
  const pod = await rig.addPod('early', 1, { egress: 'red' })
  const { socket } = await rig.connect(pod)
  const status = { addresses: red.map((address) => ({ address, node: 'node-2' })) }
  rig.objects.put({ ...egressObject('red', { egressIPs: [...red] }), status } as KubeObject)
  await rig.settled()
  const leaks = rig.watchLeaks([...red])
  await rig.agents[0]?.stop()
  await rig.startNode(1, 'strict', { owners: () => new Map(), onChange: () => () => undefined })
  const answer = firstLine(socket, 4000)
  socket.write('still there?\n')
  assert.equal(await answer, 'still there?')
  assert.equal(leaks(), 0)
})

test('a node that is cleaned up has neither tables nor rules of egress', async () => {
  const [node] = rig.nodes
  assert.ok(node !== undefined)
  assert.equal(node.network.rules().filter(({ priority }) => priority === 20560).length, 4, 'two nodes, two families')
  await rig.agents[0]?.stop()
  await cleanUpNode(node)
  assert.equal(node.network.rules().filter(({ priority }) => priority === 20560).length, 0)
  assert.deepEqual(
    (await node.network.tables()).filter(({ name }) => name.startsWith('plumb')),
    [],
  )
})

/** One ICMP echo from a pod, by perl because nothing that comes with Node has raw sockets. */
function echo(pod: EgressPod, address: Address): string {
  const script = `use Socket; my ($to, $six) = @ARGV;
    socket(my $s, $six ? AF_INET6 : AF_INET, SOCK_RAW, $six ? 58 : 1) or die $!;
    my $body = pack('C2n3', $six ? 128 : 8, 0, 0, 4711, 1) . 'plumb!';
    my $sum = 0; $sum += $_ for unpack('n*', $body); $sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
    substr($body, 2, 2) = pack('n', ~$sum & 0xffff) unless $six;
    send($s, $body, 0, $six ? pack_sockaddr_in6(0, Socket::inet_pton(AF_INET6, $to)) : pack_sockaddr_in(0, inet_aton($to))) or die $!;
    $SIG{ALRM} = sub { print 'silence'; exit }; alarm 10;
    while (recv($s, my $got, 1500, 0)) { last if unpack('C', $six ? $got : substr($got, 20)) == ($six ? 129 : 0) } print 'answered'`
  const words = [address, ...(address.includes(':') ? ['6'] : [])]
  return pod.namespace.run(() => execFileSync('perl', ['-e', script, ...words], { encoding: 'utf8' }))
}

async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + 20_000
  while (!holds() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 10))
  assert.ok(holds())
}
