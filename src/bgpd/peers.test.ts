import assert from 'node:assert/strict'
import { type ChildProcess, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Address, parseAddress } from '../addr/index.ts'
import { Objects, quietLog } from '../agent/rig.fixture.ts'
import type { BGPSession } from '../bgp/index.ts'
import type { Client, Resource } from '../client/index.ts'
import { ChangeFeed, keyOf, LiveSnapshot, type OwnershipSource } from '../cluster/index.ts'
import { type Namespace, openHost, spawnIn } from '../host/index.ts'
import type { Egress, EndpointSlice, KubeObject, Node, Service } from '../objects/index.ts'
import { lingerMs } from './held-addresses.ts'
import { BgpModule } from './index.ts'

// What a router of BIRD's own kind has learnt of a node over every kind of session, and what the node says where there is none.

const host = openHost()
const folder = mkdtempSync(join(tmpdir(), 'plumb-peers-'))
const open: Namespace[] = []
const objects = new Objects()
const feed = new ChangeFeed()
const snapshot = new LiveSnapshot(feed)
const log = quietLog()
const sessions = new Map<string, BGPSession>()
const owners = new Map<Address, string>()
const listeners = new Set<(changed: readonly Address[]) => void>()
const ownership: OwnershipSource = {
  owners: () => new Map(owners),
  onChange(listener) {
    listeners.add(listener)
    return () => listeners.delete(listener)
  },
}
let router: Namespace
let node: Namespace
let bird: ChildProcess
let speaker: BgpModule

const plumb = (kind: string, name: string, spec: object): KubeObject =>
  ({ apiVersion: 'plumb.network/v1alpha1', kind, metadata: { name, generation: 1 }, spec }) as KubeObject
const service = (name: string, ips: readonly string[]): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'shop' },
  spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
  status: { loadBalancer: { ingress: ips.map((ip) => ({ ip })) } },
})
const slice = (addressType: 'IPv4' | 'IPv6'): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: `web-${addressType}`, namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
  addressType,
  endpoints: [
    { addresses: [addressType === 'IPv4' ? '10.0.0.1' : 'fd00::1'], nodeName: 'node-1', conditions: { ready: true } },
  ],
})

function start(): BgpModule {
  const patch = async (_: Resource, _namespace: undefined, name: string, _type: string, body: KubeObject) => {
    const [session] = (body as { status?: { sessions?: BGPSession[] } }).status?.sessions ?? []
    if (session === undefined) sessions.delete(name)
    else sessions.set(name, session)
    return body
  }
  const client = Object.assign(objects.client, { patch }) as unknown as Client
  return new BgpModule({ client, namespace: node, nodeName: 'node-1', directory: folder, log, ownership, pollMs: 20 })
}

async function tell(): Promise<void> {
  speaker.update(snapshot, undefined, feed.take())
  await speaker.settled()
}

async function until(what: string, condition: () => boolean): Promise<number> {
  const begun = performance.now()
  while (!condition()) {
    const known = [...sessions].map(([name, { state, lastError }]) => `${name} ${state} ${lastError ?? ''}`).join('; ')
    assert.ok(
      performance.now() - begun < 30_000,
      `not within 30 s: ${what}; ${known}; ${learnt()}; ${log.lines.slice(-3).join('\n')}`,
    )
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return performance.now() - begun
}

function ask(...words: string[]): string {
  const control = join(folder, 'router.ctl')
  return router.run(() =>
    spawnSync('birdc', ['-s', control, ...words], {
      encoding: 'utf8',
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
    }),
  ).stdout
}

/** What the router has learnt over a session, with attributes. */
const learnt = (protocol?: string): string =>
  ask('show', 'route', ...(protocol === undefined ? [] : ['protocol', protocol]), 'all')

before(async () => {
  const create = (): Namespace => {
    const namespace = host.createNamespace()
    open.push(namespace)
    namespace.network.setLink('lo', { up: true })
    namespace.network.setSysctl('net.ipv6.conf.default.accept_dad', 0)
    return namespace
  }
  router = create()
  node = create()
  for (const [link, peerLink] of [
    ['eth0', 'eth0'],
    ['eth1', 'eth1'],
  ] as const) {
    router.network.addVeth({ name: link, peerName: peerLink, peerNamespace: node })
    for (const namespace of [router, node]) namespace.network.setLink(link, { up: true })
  }
  for (const number of [1, 2, 3, 4, 5]) router.network.addAddress('eth0', parseAddress(`172.30.0.${number}`), 24)
  router.network.addAddress('eth0', parseAddress('fd00:30::1'), 64)
  router.network.addAddress('lo', parseAddress('10.99.0.1'), 32)
  // BIRD tells several sessions with one neighbour apart by the neighbour's address alone.
  for (const number of [11, 12, 13, 14, 15, 16]) node.network.addAddress('eth0', parseAddress(`172.30.0.${number}`), 24)
  node.network.addAddress('eth0', parseAddress('fd00:30::11'), 64)
  node.network.setRoute({ destination: '10.99.0.0/24' as never, gateway: parseAddress('172.30.0.1') })
  const linkLocal = node.network.addresses().find(({ link, address }) => link === 'eth1' && address.startsWith('fe80'))
  writeFileSync(
    join(folder, 'router.conf'),
    `log stderr all; router id 172.30.0.1; protocol device { }
     template bgp peer { connect delay time 1; error wait time 1, 2; ipv4 { import all; export none; import table on; }; ipv6 { import all; export none; }; }
     protocol bgp outer from peer { local 172.30.0.1 as 64513; neighbor 172.30.0.11 as 64512; direct; graceful restart on; }
     protocol bgp inner from peer { local 172.30.0.2 as 64512; neighbor 172.30.0.12 as 64512; direct; }
     protocol bgp another from peer { local 172.30.0.3 as 64513; neighbor 172.30.0.13 as 64999; direct; }
     protocol bgp secret from peer { local 172.30.0.4 as 64513; neighbor 172.30.0.14 as 64512; direct; password "theirs"; }
     protocol bgp hops from peer { local 10.99.0.1 as 64513; neighbor 172.30.0.15 as 64512; multihop; }
     protocol bgp dual from peer { local fd00:30::1 as 64513; neighbor fd00:30::11 as 64512; direct; }
     protocol bgp unnumbered from peer { local as 64513; neighbor ${linkLocal?.address}%eth1 as 64512; direct; ipv4 { import all; export none; extended next hop yes; }; }`,
  )
  bird = spawnIn(router, 'bird', ['-f', '-c', join(folder, 'router.conf'), '-s', join(folder, 'router.ctl')], {
    stdio: 'ignore',
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
  })
  const addresses = ['172.30.0.11', 'fd00:30::11'].map((address) => ({ type: 'InternalIP', address }))
  const own = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-1' }, status: { addresses } } as Node
  snapshot.put('nodes', 'node-1', own)
  snapshot.put('services', 'shop/web', service('web', ['192.0.2.80', '192.0.2.81', '2001:db8::80']))
  for (const one of [slice('IPv4'), slice('IPv6')]) snapshot.put('slices', keyOf(one), one)
  const egress = { ...plumb('Egress', 'red', { egressIPs: ['198.51.100.7'], appliedTo: {} }) } as unknown as Egress
  snapshot.put('egresses', 'red', egress)
  objects.put(plumb('IPAddressPool', 'front', { addresses: ['192.0.2.0/24', '2001:db8::/64'] }))
  objects.put(plumb('IPAddressPool', 'exits', { addresses: ['198.51.100.0/24'] }))
  const peer = (name: string, spec: object): void =>
    objects.put(plumb('BGPPeer', name, { myASN: 64512, peerASN: 64513, connectTime: '1s', ...spec }))
  peer('outer', { peerAddress: '172.30.0.1', enableGracefulRestart: true })
  peer('inner', { peerAddress: '172.30.0.2', peerASN: 64512, sourceAddress: '172.30.0.12' })
  peer('wrong-asn', { peerAddress: '172.30.0.3', sourceAddress: '172.30.0.13' })
  peer('wrong-password', { peerAddress: '172.30.0.4', password: 'ours', sourceAddress: '172.30.0.14' })
  peer('refusing', { peerAddress: '172.30.0.1', peerPort: 1790 })
  // The router has no neighbour at this address.
  peer('stranger', { peerAddress: '172.30.0.5', sourceAddress: '172.30.0.16' })
  peer('hops', { peerAddress: '10.99.0.1', ebgpMultiHop: true, sourceAddress: '172.30.0.15' })
  peer('dual', { peerAddress: 'fd00:30::1', dualStackAddressFamily: true })
  peer('unnumbered', { interface: 'eth1' })
  objects.put(plumb('Community', 'names', { communities: [{ name: 'fast', value: '64512:300' }] }))
  objects.put(
    plumb('BGPAdvertisement', 'front', {
      ipAddressPools: ['front'],
      localPref: 150,
      communities: ['64512:100', 'fast', 'no-advertise', 'large:64512:1:2'],
    }),
  )
  objects.put(
    plumb('BGPAdvertisement', 'whole', { ipAddressPools: ['front'], aggregationLength: 24, peers: ['inner'] }),
  )
  objects.put(plumb('BGPAdvertisement', 'exits', { ipAddressPools: ['exits'], peers: ['outer'] }))
  speaker = start()
  await tell()
})

after(async () => {
  await speaker.close()
  bird.kill()
  for (const namespace of open) namespace.close()
  rmSync(folder, { recursive: true, force: true })
})

test('another AS learns addresses with their communities, plain and large, and no local preference', async () => {
  await until('outer', () => learnt('outer').includes('192.0.2.80/32'))
  const routes = learnt('outer')
  assert.match(routes, /192\.0\.2\.81\/32/)
  assert.match(routes, /BGP\.as_path: 64512/)
  assert.match(routes, /BGP\.next_hop: 172\.30\.0\.11/)
  assert.match(routes, /BGP\.community: \(64512,100\) \(64512,300\) \(65535,65282\)/)
  assert.match(routes, /BGP\.large_community: \(64512, 1, 2\)/)
  assert.match(routes, /BGP\.local_pref: 100/)
  assert.doesNotMatch(routes, /192\.0\.2\.0\/24|198\.51\.100/)
})

test('the own AS learns the preference, and the aggregate that is for it alone', async () => {
  await until('the aggregate', () => learnt('inner').includes('192.0.2.0/24'))
  await until('the preference', () => /192\.0\.2\.80\/32[\s\S]*BGP\.local_pref: 150/.test(learnt('inner')))
  assert.match(learnt('inner'), /BGP\.as_path: \n/)
})

test('both families over one session; over several hops; over a link without addresses', async () => {
  for (const protocol of ['dual', 'unnumbered'])
    await until(protocol, () => {
      const routes = learnt(protocol)
      return routes.includes('192.0.2.80/32') && routes.includes('2001:db8::80/128')
    })
  assert.match(learnt('unnumbered'), /via fe80::\S+ on eth1/)
  await until('hops', () => learnt('hops').includes('192.0.2.80/32'))
})

test('where there is no session the status says why', async () => {
  const says = (peer: string) => sessions.get(peer)?.lastError ?? ''
  await until('the AS number', () => /Bad peer AS/.test(says('wrong-asn')))
  await until('refused', () => /Connection refused/.test(says('refusing')))
  await until('the password', () => /No answer: .* has another password/.test(says('wrong-password')))
  await until('no such neighbour', () => says('stranger') !== '')
  for (const peer of ['wrong-asn', 'refusing', 'wrong-password', 'stranger']) {
    assert.notEqual(sessions.get(peer)?.state, 'Established')
    assert.match(speaker.metrics, new RegExp(`metallb_bgp_session_up\\{peer="${peer}"\\} 0`))
  }
})

test('BIRD killed: where the peer restarts gracefully its routes stay until BIRD is back', async (t) => {
  const isUp = () => /Established/.test(ask('show', 'protocols', 'outer'))
  await until('outer knows it', () => isUp() && learnt('outer').includes('192.0.2.80/32'))
  const killed = speaker.pid
  process.kill(killed ?? Number.NaN, 'SIGKILL')
  await until('outer is down', () => !isUp())
  let looks = 0
  const isBack = (): boolean => {
    const isThere = learnt('outer').includes('192.0.2.80/32')
    // Only what was seen while the session was down counts.
    if (isUp()) return true
    looks++
    assert.ok(isThere, 'outer went on forwarding')
    return false
  }
  t.diagnostic(`the session is back after ${Math.round(await until('it is back', isBack))} ms, in ${looks} looks`)
  assert.notEqual(speaker.pid, killed)
  for (const protocol of ['outer', 'inner'])
    await until(`${protocol} again`, () => learnt(protocol).includes('192.0.2.80/32'))
})

test('an egress address is told by its holder, and for a while still when another has taken it', async () => {
  const address = parseAddress('198.51.100.7')
  const move = (to: string | undefined): void => {
    if (to === undefined) owners.delete(address)
    else owners.set(address, to)
    for (const listener of listeners) listener([address])
  }
  const isTold = () => learnt('outer').includes('198.51.100.7/32')
  move('node-1')
  await until('told', isTold)
  assert.doesNotMatch(learnt('inner'), /198\.51/)
  move('node-2')
  await speaker.settled()
  assert.ok(isTold(), 'the next holder may not be heard of yet')
  const after = await until('withdrawn', () => !isTold())
  assert.ok(after < lingerMs * 3, `${after}`)
  move('node-1')
  await until('told again', isTold)
  // Nobody has it: this node is cut off, or was fenced.
  move(undefined)
  await until('withdrawn at once', () => !isTold())
})

test('an agent that ends leaves its routes where the peer restarts gracefully, and takes them from the others', async () => {
  for (const protocol of ['outer', 'inner'])
    await until(`${protocol} knows it`, () => learnt(protocol).includes('192.0.2.80/32'))
  await speaker.close()
  await until('inner has forgotten', () => !learnt('inner').includes('192.0.2.80/32'))
  assert.match(learnt('outer'), /192\.0\.2\.80\/32/)
  speaker = start()
  speaker.update(snapshot, undefined, { ...feed.take(), services: new Set(['shop/web']) })
  await until('inner again', () => learnt('inner').includes('192.0.2.80/32'))
  assert.match(learnt('outer'), /192\.0\.2\.80\/32/)
})
