import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Address } from '../addr/index.ts'
import { encodeArp } from '../netlink/index.ts'
import type { EngineEvent } from './engine.ts'
import { type Machine, makeSegment, type Segment, until, virtual } from './segment.fixture.ts'

const addresses = [virtual[4], virtual[6]]

function owner({ machines }: Segment, address: Address): Machine | undefined {
  return machines.find(({ events }) => lastOf(events, address) === 'taken')
}

function lastOf(events: Machine['events'], address: Address): string | undefined {
  return events.filter((event) => 'address' in event && event.address === address && event.kind !== 'foreign').at(-1)
    ?.kind
}

async function started(segment: Segment): Promise<Machine> {
  segment.claim(addresses)
  for (const machine of segment.machines) segment.start(machine)
  const holders = await until('both are taken', () => {
    const found = addresses.map((address) => owner(segment, address))
    return found.every((one) => one !== undefined) && found
  })
  for (const [i, address] of addresses.entries()) await answers(segment, address, holders[i]!)
  return holders[0]!
}

/** Until the machine answers for the address, and nobody else does. */
async function answers(segment: Segment, address: Address, machine: Machine): Promise<void> {
  let got: string[] = []
  for (let i = 0; i < 50; i++) {
    got = await segment.whoAnswers(address)
    if (got.join() === machine.name) return
  }
  assert.deepEqual(got, [machine.name], address)
}

/** Makes the client know the address, as it stands after it has talked to it. */
async function talk({ client, host }: Segment, address: Address): Promise<void> {
  const { Socket } = await import('node:net')
  const { fd } = host.connectTcp(client.namespace, address, 9)
  new Socket({ fd }).on('error', () => undefined).unref()
}

test('one of three answers for each address; a crash is told to the client at once by the next', {
  timeout: 60_000,
}, async (t) => {
  const segment = makeSegment(t, 3)
  if (segment === undefined) return
  await started(segment)
  for (const address of addresses) {
    const old = owner(segment, address)!
    await talk(segment, address)
    await until('the client knows it', () => segment.seenByClient(address) === old.name)
    await segment.crash(old)
    const crashed = performance.now()
    const next = await until('the client knows the next', () => {
      const seen = segment.seenByClient(address)
      return seen !== old.name && seen
    })
    t.diagnostic(
      `${address}: ${Math.round(performance.now() - crashed)} ms after the crash of ${old.name} the client has ${next}`,
    )
    await answers(segment, address, segment.machines.find(({ name }) => name === next)!)
    segment.start(old)
    await until('it hears the others', () =>
      old.events.some((event) => event.kind === 'owners' && event.owners.get(address) === next),
    )
    await answers(segment, address, segment.machines.find(({ name }) => name === next)!)
    old.events.length = 0
  }
})

test('a node that the others do not hear falls silent before another answers', { timeout: 60_000 }, async (t) => {
  const segment = makeSegment(t, 3)
  if (segment === undefined) return
  const old = await started(segment)
  const [address] = addresses as [Address]
  // Heartbeats alone are cut, one way: the segment goes on to carry ARP, which would show two that answer.
  await cutHeartbeats(old)
  await until('it is lost', () => lastOf(old.events, address) === 'lost')
  const next = await until('another takes it', () =>
    segment.machines.find((one) => one !== old && lastOf(one.events, address) === 'taken'),
  )
  const lostAt = old.events.length
  await answers(segment, address, next)
  assert.equal(old.events.slice(lostAt).filter(({ kind }) => kind === 'taken').length, 0)
})

async function cutHeartbeats(machine: Machine): Promise<void> {
  await nft(machine, 'table inet cut {\nchain out {\ntype filter hook output priority 0;\nudp dport 10261 drop\n}\n}')
}

async function nft({ namespace }: Machine, rules: string): Promise<void> {
  const { spawnSync } = await import('node:child_process')
  const done = namespace.run(() => spawnSync('nft', ['-f', '-'], { input: rules, encoding: 'utf8' }))
  assert.equal(done.status, 0, done.stderr)
}

test('a link that goes down is noticed by the others, and one that comes back is used again', {
  timeout: 60_000,
}, async (t) => {
  const segment = makeSegment(t, 3)
  if (segment === undefined) return
  const old = await started(segment)
  const [address] = addresses as [Address]
  segment.wire.network.setLink(old.name, { up: false })
  await until('it lets go', () => lastOf(old.events, address) === 'lost')
  const next = await until('another takes it', () =>
    segment.machines.find((one) => one !== old && lastOf(one.events, address) === 'taken'),
  )
  segment.wire.network.setLink(old.name, { up: true })
  await answers(segment, address, next)
  await next.engine?.ask()
  next.engine?.command({ kind: 'move', address, to: old.name })
  await until('asked to get ready', () => {
    next.engine?.command({ kind: 'move', address, to: old.name })
    return lastOf(old.events, address) === 'prepare'
  })
  old.engine?.command({ kind: 'prepared', address, from: next.name })
  await until('moved back', () => lastOf(old.events, address) === 'taken')
  await answers(segment, address, old)
})

test('a node that could send nothing for a while takes part again', { timeout: 60_000 }, async (t) => {
  const segment = makeSegment(t, 3)
  if (segment === undefined) return
  const old = await started(segment)
  const [address] = addresses as [Address]
  const chain = (name: string, hook: string) =>
    `chain ${name} {\ntype filter hook ${hook} device "eth0" priority 0; policy drop;\n}\n`
  await nft(old, `table netdev cut {\n${chain('in', 'ingress')}${chain('out', 'egress')}}`)
  await until('it is lost', () => lastOf(old.events, address) === 'lost')
  const taken = (one: Machine): boolean => one !== old && lastOf(one.events, address) === 'taken'
  const next = await until('another takes it', () => segment.machines.find(taken))
  await nft(old, 'delete table netdev cut')
  await until('it is handed back', () => {
    next.engine?.command({ kind: 'move', address, to: old.name })
    return lastOf(old.events, address) === 'prepare'
  })
  old.engine?.command({ kind: 'prepared', address, from: next.name })
  await answers(segment, address, old)
})

test('an address that another machine has is not taken, and its MAC address is told', {
  timeout: 60_000,
}, async (t) => {
  const segment = makeSegment(t, 2)
  if (segment === undefined) return
  const foreign = segment.client
  for (const address of addresses) foreign.namespace.network.addAddress('eth0', address, 32)
  segment.claim(addresses)
  for (const machine of segment.machines) segment.start(machine)
  for (const address of addresses) {
    const isTold = (event: EngineEvent): boolean =>
      event.kind === 'foreign' && event.address === address && event.mac === foreign.mac
    await until('it is told', () => segment.machines.some(({ events }) => events.some(isTold)))
  }
  await until('both have let go', () =>
    segment.machines.every(({ events }) => addresses.every((address) => lastOf(events, address) !== 'taken')),
  )
})

test('a held address that another machine claims is defended', { timeout: 60_000 }, async (t) => {
  const segment = makeSegment(t, 3)
  if (segment === undefined) return
  const old = await started(segment)
  const [address] = addresses as [Address]
  await talk(segment, address)
  await until('the client knows it', () => segment.seenByClient(address) === old.name)
  const other = segment.machines.find((one) => one !== old)!
  const socket = other.namespace.network.openFrames(
    other.namespace.network.findLink('eth0')!,
    'arp',
    () => undefined,
    () => undefined,
  )
  t.after(() => socket.close())
  const mac = '02:00:00:00:00:66'
  const gratuitous = {
    sender: address,
    target: address,
    etherSource: mac,
    senderMac: mac,
    etherDestination: 'ff:ff:ff:ff:ff:ff',
  }
  socket.send(encodeArp({ ...gratuitous, operation: 'request', targetMac: '00:00:00:00:00:00' }))
  await until('it is told', () => old.events.some((event) => event.kind === 'foreign' && event.mac === mac))
  await until('the client has the holder', () => segment.seenByClient(address) === old.name)
})
