import assert from 'node:assert/strict'
import { createSocket, type Socket as DatagramSocket } from 'node:dgram'
import { createServer, Socket } from 'node:net'
import { after, before, test } from 'node:test'
import dnsPacket from 'dns-packet'
import type { Address, Family } from '../addr/index.ts'
import type { KubeObject, Pod } from '../objects/index.ts'
import { clusterPolicyObject, namespaceObject, policyObject } from '../policies/cluster.fixture.ts'
import { type Agent, startAgent } from './index.ts'
import {
  buildRig,
  host,
  nodeObject,
  Objects,
  quietLog,
  type Rig,
  type Station,
  serveTcp,
  serviceObject,
  servicePrefixes,
  sliceObject,
} from './rig.fixture.ts'

type Records = readonly (readonly [name: string, type: 'A' | 'AAAA' | 'CNAME', data: string, ttl: number])[]

const closing: { close(): void }[] = []
const dnsAddress = '10.96.0.10' as Address
let rig: Rig
let objects: Objects
let agent: Agent
let answers: Records = []
/** What the cluster's DNS answers from. */
let dnsSocket: DatagramSocket

const podOf = ({ name, addresses }: Station, labels: Record<string, string>): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'ns', labels, uid: name },
  spec: { nodeName: 'node-1', containers: [{ name: 'main' }] },
  status: { phase: 'Running', podIPs: [{ ip: addresses[4] }, { ip: addresses[6] }] },
})

function answer(question: Buffer): Buffer {
  const { id = 0, questions = [] } = dnsPacket.decode(question)
  return dnsPacket.encode({
    type: 'response',
    id,
    questions,
    answers: answers.map(([name, type, data, ttl]) => ({ name, type, data, ttl })),
  })
}

/** Answers whatever is asked with `answers`, over UDP and TCP. */
function serveDns(station: Station, port: number): DatagramSocket {
  const { fd } = host.bindUdp(station.namespace, station.addresses[4], port)
  const socket = createSocket('udp4')
  socket.on('message', (data, from) => socket.send(answer(data), from.port, from.address))
  socket.bind({ fd })
  const server = createServer((one) => {
    one.on('error', () => {})
    one.on('data', (data: Buffer) => {
      const message = answer(data.subarray(2))
      const length = Buffer.alloc(2)
      length.writeUInt16BE(message.length)
      one.end(Buffer.concat([length, message]))
    })
  })
  server.listen({ fd: host.listenTcp(station.namespace, station.addresses[4], port).fd })
  closing.push(socket, server)
  return socket
}

/** Asks for a name as a pod does, and waits for the answer. */
async function resolve(name: string, at: Address = dnsAddress, from: Station = rig.client): Promise<void> {
  const { fd } = host.bindUdp(from.namespace, from.addresses[4], 0)
  const socket = createSocket('udp4')
  await new Promise<void>((done) => socket.bind({ fd }, done))
  const question = dnsPacket.encode({ type: 'query', id: 7, questions: [{ type: 'A', name }] })
  await new Promise<void>((done) => {
    socket.once('message', () => done())
    socket.send(question, 53, at)
  })
  socket.close()
}

/** Whether a new connection comes about; `keep` leaves it open. */
async function reaches(family: Family, port = 8443, keep?: (socket: Socket) => void): Promise<boolean> {
  const socket = new Socket({ fd: host.connectTcp(rig.client.namespace, rig.outsider.addresses[family], port).fd })
  let timer: NodeJS.Timeout | undefined
  const connected = await new Promise<boolean>((done) => {
    timer = setTimeout(() => done(false), 700)
    socket.once('data', () => done(true))
    socket.on('error', () => done(false))
  })
  clearTimeout(timer)
  if (connected && keep !== undefined) keep(socket)
  else socket.destroy()
  return connected
}

/** Whether a byte comes back over a live connection. */
async function echoes(socket: Socket): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const echoed = await new Promise<boolean>((done) => {
    timer = setTimeout(() => done(false), 1500)
    socket.once('data', () => done(true))
    socket.write('x')
  })
  clearTimeout(timer)
  return echoed
}

async function becomes(wanted: boolean, family: Family = 4): Promise<void> {
  while ((await reaches(family)) !== wanted);
}

const byName = (domainNames: string[]): KubeObject =>
  clusterPolicyObject('names', {
    tier: 'Admin',
    priority: 1,
    subject: { pods: { namespaceSelector: {}, podSelector: { matchLabels: { app: 'client' } } } },
    egress: [
      { action: 'Accept', to: [{ namespaces: {} }] },
      { action: 'Accept', to: [{ domainNames }], protocols: [{ tcp: { destinationPort: { number: 8443 } } }] },
      { action: 'Deny', to: [{ networks: ['0.0.0.0/0', '::/0'] }] },
    ],
  })

/** A name of its own for each test: what one has learnt opens nothing for another. */
async function allow(...names: string[]): Promise<void> {
  objects.put(byName(names))
  await agent.settled()
}

const startOne = () =>
  startAgent({
    client: objects.client,
    host,
    namespace: rig.node,
    nodeName: 'node-1',
    options: { servicePrefixes, log: quietLog(), policies: 'strict' },
  })

before(async () => {
  rig = buildRig()
  objects = new Objects()
  const [dns, other] = rig.backends
  const ports = [
    { name: 'dns', port: 53, protocol: 'UDP' as const },
    { name: 'dns-tcp', port: 53, protocol: 'TCP' as const },
  ]
  const inSystem = <T extends KubeObject>(object: T): T => {
    return { ...object, metadata: { ...object.metadata, namespace: 'kube-system' } }
  }
  const slice = {
    ...sliceObject('kube-dns', 4, [dns.addresses[4]]),
    ports: ports.map((one) => ({ ...one, port: 5353 })),
  }
  for (const one of [
    nodeObject('node-1', rig),
    namespaceObject('ns'),
    podOf(rig.client, { app: 'client' }),
    podOf(dns, { app: 'dns' }),
    podOf(other, { app: 'other' }),
    inSystem(serviceObject('kube-dns', [dnsAddress], { ports })),
    inSystem(slice),
  ]) {
    objects.put(one)
  }
  dnsSocket = serveDns(dns, 5353)
  serveDns(other, 53)
  for (const family of [4, 6] as const) {
    for (const port of [8443, 8444]) closing.push(serveTcp(rig.outsider, family, port, true))
  }
  agent = await startOne()
  await agent.ready
})
after(async () => {
  await agent.stop()
  for (const one of closing) one.close()
  rig.close()
})

test('an address is allowed once DNS has told it for the name, in its family alone', { timeout: 60_000 }, async () => {
  await allow('api.example.com')
  answers = [['API.example.com', 'A', rig.outsider.addresses[4], 300]]
  assert.equal(await reaches(4), false, 'before anybody asked')
  await resolve('Api.Example.com')
  await becomes(true)
  assert.equal(await reaches(6), false)
  answers = [['api.example.com', 'AAAA', rig.outsider.addresses[6], 300]]
  await resolve('api.example.com')
  await becomes(true, 6)
  assert.equal(await reaches(4, 8444), false, 'the rule is for one port')
})

test('aliases are followed from the name that was asked, and a wildcard means what is below it', {
  timeout: 60_000,
}, async () => {
  const told = rig.outsider.addresses[4]
  await allow('*.wild.example.com')
  answers = [['wild.example.com', 'A', told, 300]]
  await resolve('wild.example.com')
  answers = [['other.example.com', 'A', told, 300]]
  await resolve('other.example.com')
  answers = [
    ['evil.example.com', 'CNAME', 'a.wild.example.com', 300],
    ['a.wild.example.com', 'A', told, 300],
  ]
  await resolve('evil.example.com')
  assert.equal(await reaches(4), false, 'neither the apex, nor another name, nor what another name is an alias of')
  answers = [
    ['a.b.wild.example.com', 'CNAME', 'edge.cdn.example', 300],
    ['edge.cdn.example', 'A', told, 300],
  ]
  await resolve('a.b.wild.example.com')
  await becomes(true)
})

test('an answer from elsewhere teaches nothing, and neither do the lookups of a pod without such a rule', {
  timeout: 60_000,
}, async () => {
  await allow('forged.example.com')
  answers = [['forged.example.com', 'A', rig.outsider.addresses[4], 300]]
  const [, other] = rig.backends
  await resolve('forged.example.com', other.addresses[4])
  await resolve('forged.example.com', dnsAddress, other)
  // Unasked, from the right address and port, to a pod that has asked nothing.
  const { fd } = host.bindUdp(rig.client.namespace, rig.client.addresses[4], 4000)
  const socket = createSocket('udp4')
  await new Promise<void>((done) => socket.bind({ fd }, done))
  const forged = dnsPacket.encode({
    type: 'response',
    questions: [{ type: 'A', name: 'forged.example.com' }],
    answers: [{ name: 'forged.example.com', type: 'A', data: rig.outsider.addresses[4], ttl: 300 }],
  })
  await new Promise<void>((done) => {
    socket.once('message', () => done())
    dnsSocket.send(forged, 4000, rig.client.addresses[4])
  })
  socket.close()
  assert.equal(await reaches(4), false)
  await resolve('forged.example.com')
  await becomes(true)
})

test('an address goes with its time; what is connected stays, also when policies change', {
  timeout: 60_000,
}, async () => {
  await allow('short.example.com')
  answers = [['short.example.com', 'A', rig.outsider.addresses[4], 1]]
  await resolve('short.example.com')
  let live: Socket | undefined
  const keep = (socket: Socket): void => {
    live = socket
  }
  while (!(await reaches(4, 8443, keep)));
  const begun = performance.now()
  await becomes(false)
  const seconds = (performance.now() - begun) / 1000
  console.log(`# closed ${seconds.toFixed(1)} s after a TTL of 1 s and the grace of 5 s began`)
  assert.ok(seconds > 3, `${seconds} s`)
  objects.put(policyObject('p', { podSelector: {}, policyTypes: ['Egress'], egress: [{}] }))
  await agent.settled()
  assert.equal(await echoes(live!), true, 'a connection outlives the address, also when its policies change')
  await allow('another.example.com')
  assert.equal(await echoes(live!), false, 'and not the rule')
  live!.destroy()
  objects.delete('NetworkPolicy', 'ns/p')
})

test('an answer over TCP teaches as well', { timeout: 60_000 }, async () => {
  await allow('tcp.example.com')
  answers = [['tcp.example.com', 'A', rig.outsider.addresses[4], 300]]
  const socket = new Socket({ fd: host.connectTcp(rig.client.namespace, dnsAddress, 53).fd })
  const question = dnsPacket.encode({ type: 'query', id: 7, questions: [{ type: 'A', name: 'tcp.example.com' }] })
  socket.on('error', () => {})
  socket.write(Buffer.concat([Buffer.from([0, question.length]), question]))
  await new Promise<void>((done) => socket.once('data', () => done()))
  socket.destroy()
  await becomes(true)
})

test('an agent that starts anew keeps what its predecessor has learnt', { timeout: 60_000 }, async () => {
  await allow('kept.example.com')
  answers = [['kept.example.com', 'A', rig.outsider.addresses[4], 300]]
  await resolve('kept.example.com')
  await becomes(true)
  await agent.stop()
  assert.equal(await reaches(4), true, 'while none runs')
  agent = await startOne()
  await agent.ready
  assert.equal(await reaches(4), true)
  objects.delete('ClusterNetworkPolicy', 'names')
  objects.put(byName(['another.example.com']))
  await agent.settled()
  assert.equal(await reaches(4), false)
})
