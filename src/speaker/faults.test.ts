import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { type Address, parseAddress } from '../addr/index.ts'
import { defaultTiming } from '../announce/index.ts'
import { spawnIn } from '../host/index.ts'
import { type ArpFrame, decodeArp, decodeNeighbourFrame, encodeArp, type NeighbourFrame } from '../netlink/index.ts'
import { Observer } from './observer.fixture.ts'
import { type Machine, makeSegment, type Segment, until, virtual } from './segment.fixture.ts'
import { SpeakerProcess } from './speaker-process.fixture.ts'

const broadcast = 'ff:ff:ff:ff:ff:ff'

function run({ namespace }: Pick<Machine, 'namespace'>, command: string, words: readonly string[], input = ''): string {
  const done = namespace.run(() => spawnSync(command, words, { input, encoding: 'utf8' }))
  assert.equal(done.status, 0, `${command}: ${done.error ?? done.stderr}`)
  return done.stdout
}

/** Three engines that hold the addresses, and who holds one. */
async function begin(t: TestContext, addresses: readonly Address[]): Promise<Segment | undefined> {
  const segment = makeSegment(t, 3)
  if (segment === undefined) return undefined
  segment.claim(addresses)
  for (const machine of segment.machines) segment.start(machine)
  for (const address of addresses) await until(`${address} is held`, () => holder(segment, address))
  return segment
}

function holder({ machines }: Segment, address: Address): Machine | undefined {
  return machines.find(({ events, engine }) => {
    const last = events.findLast((event) => 'address' in event && event.address === address && event.kind !== 'foreign')
    return engine !== undefined && last?.kind === 'taken'
  })
}

/** Sends a datagram to the address, so that the machine's kernel asks for it as it needs to. */
async function talk({ host, client }: Segment, address: Address): Promise<void> {
  const { createSocket } = await import('node:dgram')
  const isIPv6 = address.includes(':')
  const socket = createSocket(isIPv6 ? 'udp6' : 'udp4')
  socket.on('error', () => undefined)
  const { fd } = host.bindUdp(client.namespace, client.addresses[isIPv6 ? 1 : 0]!, 0)
  socket.bind({ fd }, () => socket.send('x', 9, address, () => socket.close()))
}

test('a router that takes in no gratuitous ARP, and keeps what it knows for four hours, has the next holder at once', {
  timeout: 60_000,
}, async (t) => {
  const [address] = [virtual[4]]
  const segment = await begin(t, [address])
  if (segment === undefined) return
  const { client } = segment
  for (const [name, value] of [
    ['base_reachable_time_ms', 14_400_000],
    ['gc_stale_time', 14_400],
  ] as const)
    client.namespace.network.setSysctl(`net.ipv4.neigh.eth0.${name}`, value)
  // Gratuitous ones ask for, or answer to, the address itself; whoever asks for this machine's is still heard.
  const rules = `table arp deaf {\nchain in {\ntype filter hook input priority 0;\narp daddr ip ${address} drop\n}\n}`
  run(client, 'nft', ['-f', '-'], rules)
  const old = holder(segment, address)!
  await talk(segment, address)
  await until('the router knows the holder', () => segment.seenByClient(address) === old.name)
  await segment.crash(old)
  const crashed = performance.now()
  const next = await until('the router knows the next', () => {
    const seen = segment.seenByClient(address)
    return seen !== old.name && seen
  })
  t.diagnostic(`the router has ${next} ${Math.round(performance.now() - crashed)} ms after the crash of ${old.name}`)
})

test('a switch that forgets sooner than a router, and floods nothing, still brings the address’ frames to its holder', {
  timeout: 60_000,
}, async (t) => {
  const [address] = [virtual[4]]
  const segment = await begin(t, [address])
  if (segment === undefined) return
  const { wire, client, machines } = segment
  const old = holder(segment, address)!
  await talk(segment, address)
  await until('the client knows the holder', () => segment.seenByClient(address) === old.name)
  // In hundredths of a second.
  run({ namespace: wire }, 'ip', ['link', 'set', 'switch', 'type', 'bridge', 'ageing_time', '100'])
  for (const { name } of machines) run({ namespace: wire }, 'bridge', ['link', 'set', 'dev', name, 'flood', 'off'])
  client.namespace.network.setNeighbour({ address, link: 'eth0', mac: old.mac, state: 'permanent' })
  const rules = `table ip count {\nchain in {\ntype filter hook prerouting priority -300;\nip daddr ${address} counter\n}\n}`
  run(old, 'nft', ['-f', '-'], rules)
  // Beyond the announcements of the first seconds.
  await pause(7000)
  const arrived = () => Number(/packets (\d+)/.exec(run(old, 'nft', ['list', 'table', 'ip', 'count']))?.[1])
  const before = arrived()
  await talk(segment, address)
  await until('it arrives', () => arrived() > before)
})

test('what the wire is told when the holder changes: both gratuitous forms, a question to each neighbour, an advertisement that overrides', {
  timeout: 60_000,
}, async (t) => {
  const segment = await begin(t, [virtual[4], virtual[6]])
  if (segment === undefined) return
  const { client } = segment
  for (const address of [virtual[4], virtual[6]]) await talk(segment, address)
  const arp: ArpFrame[] = []
  const neighbours: NeighbourFrame[] = []
  const { network } = client.namespace
  const link = network.findLink('eth0')!
  const put = <T>(list: T[], frame: T | undefined): void => void (frame !== undefined && list.push(frame))
  const sockets = [
    network.openFrames(link, 'arp', (bytes) => put(arp, decodeArp(bytes)), assert.fail),
    network.openFrames(
      link,
      'neighbour-discovery',
      (bytes) => put(neighbours, decodeNeighbourFrame(bytes)),
      assert.fail,
    ),
  ]
  for (const socket of sockets) t.after(() => socket.close())
  for (const address of [virtual[4], virtual[6]]) {
    const old = holder(segment, address)!
    await segment.crash(old)
    const next = await until(`another has ${address}`, () => holder(segment, address))
    const { mac } = next
    if (address === virtual[4]) {
      const own = () => arp.filter(({ sender, senderMac }) => sender === address && senderMac === mac)
      await until('a gratuitous request', () =>
        own().some(
          (one) => one.operation === 'request' && one.target === address && one.etherDestination === broadcast,
        ),
      )
      await until('a gratuitous reply whose target MAC address is the sender’s', () =>
        own().some(
          (one) =>
            one.operation === 'reply' &&
            one.target === address &&
            one.targetMac === mac &&
            one.etherDestination === broadcast,
        ),
      )
      await until('a question to the client', () =>
        own().some((one) => one.target === client.addresses[0] && one.etherDestination === client.mac),
      )
    } else
      await until('an advertisement to all nodes', () =>
        neighbours.some(
          ({ message, target, destination }) =>
            message.kind === 'advertisement' &&
            target === address &&
            destination === 'ff02::1' &&
            message.override &&
            !message.solicited &&
            message.targetMac === mac,
        ),
      )
    segment.start(old)
    await until('it hears the others', () => old.events.some(({ kind }) => kind === 'owners'))
    old.events.length = 0
    await pause(1200)
  }
})

test('a machine that checks for duplicates does not get the address', { timeout: 60_000 }, async (t) => {
  const segment = await begin(t, [virtual[4], virtual[6]])
  if (segment === undefined) return
  const { client } = segment
  for (const address of [virtual[4], virtual[6]])
    while ((await segment.whoAnswers(address)).length !== 1) await pause(10)
  client.namespace.network.setSysctl('net.ipv6.conf.eth0.accept_dad', 1)
  client.namespace.network.addAddress('eth0', virtual[6], 64, { detectDuplicates: true })
  await until('the kernel says so', () => /2001:db8::100\/64 .*dadfailed/.test(run(client, 'ip', ['-6', 'addr'])))
  // RFC 5227, section 2.1.1: a probe comes from nobody, and its answer goes to whoever sent it.
  const answers: ArpFrame[] = []
  const link = client.namespace.network.findLink('eth0')!
  const hear = (bytes: Uint8Array): void => {
    const frame = decodeArp(bytes)
    if (frame?.operation === 'reply' && frame.sender === virtual[4]) answers.push(frame)
  }
  const socket = client.namespace.network.openFrames(link, 'arp', hear, assert.fail)
  t.after(() => socket.close())
  const nobody = { sender: parseAddress('0.0.0.0'), targetMac: '00:00:00:00:00:00', senderMac: client.mac }
  const ether = { etherSource: client.mac, etherDestination: broadcast }
  const probe = encodeArp({ operation: 'request', target: virtual[4], ...nobody, ...ether })
  const answered = () => answers.find(({ etherDestination }) => etherDestination === client.mac)
  socket.send(probe)
  const { senderMac, targetMac, target } = await until('the probe is answered', answered)
  assert.deepEqual(
    { senderMac, targetMac, target },
    { senderMac: holder(segment, virtual[4])?.mac, targetMac: client.mac, target: '0.0.0.0' },
  )
  const arping = spawnSync('arping', ['-V']).error === undefined
  if (!arping) t.diagnostic('arping is not installed')
  else {
    const words = ['-D', '-I', 'eth0', '-c', '2', '-w', '3', virtual[4]]
    // The engines run in this thread, which must not wait.
    const child = spawnIn(client.namespace, 'arping', words, { stdio: 'ignore' })
    const [code] = await once(child, 'exit')
    assert.equal(code, 1, 'arping has had an answer')
  }
})

test('a holder that is killed and starts again each second never answers beside another, and gets nothing back', {
  timeout: 60_000,
}, async (t) => {
  const segment = makeSegment(t, 3)
  if (segment === undefined) return
  const [address] = [virtual[4]]
  const start = (machine: Machine) => new SpeakerProcess(segment, machine, [address], defaultTiming)
  const speakers = segment.machines.map(start)
  t.after(() => Promise.all(speakers.map((one) => one.end())))
  const observer = new Observer(segment, defaultTiming.leaseMs)
  try {
    await observer.untilAnswered()
    const first = speakers.findIndex(({ machine }) => machine.mac === observer.last)
    const seen = new Set<string | undefined>()
    for (let i = 0; i < 6; i++) {
      await speakers[first]?.end()
      await pause(200)
      speakers[first] = start(segment.machines[first]!)
      await pause(800)
      if (i > 0) seen.add(observer.last)
    }
    const silence = Math.round(observer.longestMs)
    t.diagnostic(`six times killed: ${observer.changes - 1} changes, silence of ${silence} ms at most`)
    assert.equal(observer.dualMs, 0)
    assert.ok(seen.size === 1 && !seen.has(segment.machines[first]!.mac), 'the first other node keeps it')
  } finally {
    observer.close()
  }
})
