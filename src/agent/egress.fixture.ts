import { execFileSync } from 'node:child_process'
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { createServer, Socket } from 'node:net'
import { type Address, type Family, familyOf, hostPrefix, parseAddress, parsePrefix } from '../addr/index.ts'
import type { OwnershipSource } from '../cluster/index.ts'
import { indexAnnotation } from '../egress/index.ts'
import type { Namespace } from '../host/index.ts'
import type { Egress, Node, Pod } from '../objects/index.ts'
import type { CniResult } from './cni-server.ts'
import { type Agent, PodsModule, startAgent, UnderlayModule } from './index.ts'
import { host, Objects, quietLog, servicePrefixes } from './rig.fixture.ts'

/** A server beyond the router, at both families; it tells every client the source that it sees. */
export const outside: Readonly<Record<Family, Address>> = {
  4: parseAddress('203.0.113.10'),
  6: parseAddress('2001:db8:113::10'),
}
export const port = 7000
const anywhere = { 4: parsePrefix('0.0.0.0/0'), 6: parsePrefix('::/0') } as const

/** Who holds what, by decree; the router is told as an announcement would tell it. */
export class Owners implements OwnershipSource {
  readonly #owners = new Map<Address, string>()
  readonly #listeners = new Set<(changed: readonly Address[]) => void>()
  readonly #announce: (address: Address, node: string | undefined) => void

  constructor(announce: (address: Address, node: string | undefined) => void) {
    this.#announce = announce
  }

  owners(): ReadonlyMap<Address, string> {
    return new Map(this.#owners)
  }

  onChange(listener: (changed: readonly Address[]) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  move(address: Address, node: string | undefined): void {
    if (node === undefined) this.#owners.delete(address)
    else this.#owners.set(address, node)
    this.#announce(address, node)
    for (const listener of this.#listeners) listener([address])
  }
}

export interface EgressPod {
  readonly key: string
  readonly node: number
  readonly namespace: Namespace
  readonly addresses: readonly Address[]
}

/**
 * Three nodes, a router, and a server behind it: `pod → node → owner → router → server`. With more segments than one, node by node in turn, what
 * the router knows of an address is a route, as BGP would tell it.
 */
export class EgressRig {
  readonly objects = new Objects()
  readonly log = quietLog()
  readonly owners: Owners
  readonly router: Namespace
  readonly server: Namespace
  readonly nodes: Namespace[] = []
  readonly agents: Agent[] = []
  readonly #modules: PodsModule[] = []
  readonly #open: Namespace[] = []
  readonly #closing: { close(): unknown }[] = []
  /** Every source that the server saw, with the first bytes that it sent. */
  readonly seen: { readonly address: string; readonly port: number; readonly text: string }[] = []
  #containers = 0

  readonly #segments: number

  constructor(nodes = 3, segments = 1) {
    this.#segments = segments
    this.router = this.create()
    this.server = this.create()
    this.#build(nodes)
    this.owners = new Owners((address, node) => this.#announce(address, node))
  }

  create(): Namespace {
    const namespace = host.createNamespace()
    this.#open.push(namespace)
    namespace.network.setLink('lo', { up: true })
    namespace.network.setSysctl('net.ipv6.conf.all.accept_dad', 0)
    namespace.network.setSysctl('net.ipv6.conf.default.accept_dad', 0)
    return namespace
  }

  #build(count: number): void {
    const { network } = this.router
    network.setSysctl('net.ipv4.ip_forward', 1)
    network.setSysctl('net.ipv6.conf.all.forwarding', 1)
    for (let i = 0; i < this.#segments; i++) {
      network.addBridge(`br${i}`)
      network.setLink(`br${i}`, { up: true })
      network.addAddress(`br${i}`, onSegment(i, 1)[4], 24)
      network.addAddress(`br${i}`, onSegment(i, 1)[6], 64)
    }
    network.addVeth({ name: 'out', peerName: 'eth0', peerNamespace: this.server })
    network.setLink('out', { up: true })
    network.addAddress('out', parseAddress('203.0.113.1'), 24)
    network.addAddress('out', parseAddress('2001:db8:113::1'), 64)
    this.#join(this.server, outside, { 4: parseAddress('203.0.113.1'), 6: parseAddress('2001:db8:113::1') })
    this.server.network.addAddress('eth0', parseAddress('203.0.113.11'), 24)
    this.server.network.addAddress('eth0', parseAddress('2001:db8:113::11'), 64)
    for (let i = 1; i <= count; i++) {
      const node = this.create()
      network.addVeth({ name: `node-${i}`, peerName: 'eth0', peerNamespace: node })
      const segment = (i - 1) % this.#segments
      network.setLink(`node-${i}`, { up: true, master: `br${segment}` })
      this.#join(node, onSegment(segment, 10 + i), onSegment(segment, 1))
      this.nodes.push(node)
      this.objects.put(nodeObject(i, i - 1, onSegment(segment, 10 + i)))
    }
    this.objects.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels: { team: 'a' } } })
  }

  #join(namespace: Namespace, own: Record<Family, Address>, gateways: Record<Family, Address>): void {
    namespace.network.setLink('eth0', { up: true })
    for (const family of [4, 6] as const) {
      namespace.network.addAddress('eth0', own[family], family === 4 ? 24 : 64)
      namespace.network.setRoute({
        destination: anywhere[family],
        gateway: gateways[family],
        link: 'eth0',
        // RTPROT_STATIC: an operator's, which the agent leaves alone.
        protocol: 4,
      })
    }
  }

  /** The addresses of a node. */
  addressesOf(number: number): Readonly<Record<Family, Address>> {
    return onSegment((number - 1) % this.#segments, 10 + number)
  }

  /** The router's neighbour entry, as a gratuitous announcement leaves it; with several segments its route. */
  #announce(address: Address, node: string | undefined): void {
    const { network } = this.router
    if (this.#segments > 1) {
      const gateway = node && this.addressesOf(Number(node.replace('node-', '')))[familyOf(address)]
      const route = { destination: hostPrefix(address), protocol: 4 }
      if (gateway !== undefined && gateway !== '') network.setRoute({ ...route, gateway })
      else if (network.lookupRoute(address)?.gateway !== undefined) network.deleteRoute(route)
      return
    }
    const mac = node === undefined ? undefined : this.node(node).network.findLink('eth0')?.mac
    if (mac === undefined) network.deleteNeighbour(address, 'br0')
    else network.setNeighbour({ address, link: 'br0', mac, state: 'permanent' })
  }

  node(name: string): Namespace {
    const found = this.nodes[Number(name.replace('node-', '')) - 1]
    if (found === undefined) throw new Error(`there is no ${name}`)
    return found
  }

  async start(policies: 'strict' | 'off' = 'strict', fastPath = false): Promise<void> {
    for (const [i] of this.nodes.entries()) await this.startNode(i + 1, policies, this.owners, fastPath)
  }

  async startNode(
    number: number,
    policies: 'strict' | 'off' = 'strict',
    ownership: OwnershipSource = this.owners,
    fastPath = false,
  ): Promise<void> {
    const namespace = this.node(`node-${number}`)
    const pods = new PodsModule(host, namespace)
    const underlay = new UnderlayModule({ client: this.objects.client, network: namespace.network, log: this.log })
    const agent = await startAgent({
      client: this.objects.client,
      host,
      namespace,
      nodeName: `node-${number}`,
      options: {
        servicePrefixes,
        log: this.log,
        policies,
        modules: [underlay, pods],
        egress: true,
        ownership,
        fastPath,
      },
    })
    await agent.ready
    this.agents[number - 1] = agent
    this.#modules[number - 1] = pods
  }

  async settled(): Promise<void> {
    for (const agent of this.agents) await agent.settled()
  }

  /** A pod as the kubelet starts it: the object, the network by CNI, and then its status. `begun` runs when ADD has returned. */
  async addPod(
    name: string,
    node: number,
    labels: Record<string, string>,
    begun: (pod: EgressPod) => void = () => undefined,
  ): Promise<EgressPod> {
    const key = `shop/${name}`
    const object: Pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'shop', labels },
      spec: { nodeName: `node-${node}`, containers: [{ name: 'main' }] },
      status: { phase: 'Pending' },
    }
    this.objects.put(object)
    const namespace = this.create()
    const agent = this.agents[node - 1]
    const module = this.#modules[node - 1]
    if (agent === undefined || module === undefined) throw new Error(`node-${node} has no agent`)
    const result = (await module.answer((of, addresses) => agent.admit(of, addresses))({
      command: 'ADD',
      containerId: `c${this.#containers++}`,
      ifname: 'eth0',
      netns: namespace.path,
      pod: { namespace: 'shop', name },
    })) as CniResult
    if (result.ips === undefined) throw new Error(JSON.stringify(result))
    const addresses = result.ips.map(({ address }) => parseAddress(address.slice(0, address.indexOf('/'))))
    const pod = { key, node, namespace, addresses }
    begun(pod)
    const running: Pod = { ...object, status: { phase: 'Running', podIPs: addresses.map((ip) => ({ ip })) } }
    this.objects.put(running)
    await this.settled()
    return pod
  }

  async removePod({ key, node, namespace }: EgressPod): Promise<void> {
    this.objects.delete('Pod', key)
    namespace.network.deleteLink('eth0')
    this.#open.splice(this.#open.indexOf(namespace), 1)
    namespace.close()
    await this.agents[node - 1]?.settled()
  }

  /** Cuts a node off the segment, or joins it again. */
  cable(node: number, connected: boolean): void {
    this.router.network.setLink(`node-${node}`, { up: connected })
  }

  /** Answers at TCP and UDP with the source that is seen; TCP goes on as an echo. */
  serve(): void {
    for (const family of [4, 6] as const) {
      const server = createServer((socket) => {
        socket.on('error', () => undefined)
        this.#closing.push({ close: () => socket.destroy() })
        socket.write(`${socket.remoteAddress} ${socket.remotePort}\n`)
        this.seen.push({ address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0, text: '' })
        socket.pipe(socket)
      })
      const anywhereHere = parseAddress(family === 4 ? '0.0.0.0' : '::')
      server.listen({ fd: host.listenTcp(this.server, anywhereHere, port).fd })
      const udp = createSocket(family === 4 ? 'udp4' : 'udp6')
      udp.on('message', (text, from) => {
        this.seen.push({ address: from.address, port: from.port, text: text.toString() })
        udp.send(`${from.address} ${from.port}`, from.port, from.address)
      })
      udp.on('error', () => undefined)
      udp.bind({ fd: host.bindUdp(this.server, outside[family], port).fd })
      this.#closing.push({ close: () => server.close() }, udp)
    }
  }

  /** An echo connection from a pod, with the source that the server said. */
  async connect(pod: EgressPod, family: Family = 4, timeoutMs = 20_000): Promise<{ socket: Socket; source: string }> {
    const socket = new Socket({ fd: host.connectTcp(pod.namespace, outside[family], port).fd })
    socket.on('error', () => undefined)
    this.#closing.push({ close: () => socket.destroy() })
    try {
      return { socket, source: await firstLine(socket, timeoutMs) }
    } catch (error) {
      // Otherwise it would go on trying.
      socket.destroy()
      throw error
    }
  }

  /** A datagram socket in a pod. */
  datagrams(pod: EgressPod, family: Family = 4): UdpSocket {
    const { fd } = host.bindUdp(pod.namespace, parseAddress(family === 4 ? '0.0.0.0' : '::'), 0)
    const socket = createSocket(family === 4 ? 'udp4' : 'udp6')
    socket.on('error', () => undefined)
    socket.bind({ fd })
    this.#closing.push({ close: () => tryClose(socket) })
    return socket
  }

  /** What `nft` prints in a namespace. */
  nft(namespace: Namespace, ...words: string[]): string {
    return namespace.run(() => execFileSync('nft', words, { encoding: 'utf8' }))
  }

  /** Counts at the router what comes from the segment for the server under anything but these addresses. */
  watchLeaks(allowed: readonly Address[]): () => number {
    const of = (family: Family) => allowed.filter((address) => address.includes(':') === (family === 6)).join(', ')
    const [v4, v6] = [of(4), of(6)]
    const rules = [
      ...(v4 === '' ? [] : [`ip daddr ${outside[4]} ip saddr != { ${v4} } counter name leaks`]),
      ...(v6 === '' ? [] : [`ip6 daddr ${outside[6]} ip6 saddr != { ${v6} } counter name leaks`]),
    ]
    const text = `table inet watch
delete table inet watch
table inet watch { counter leaks { }
chain forward { type filter hook forward priority 0; policy accept;
${rules.join('\n')}
}
}
`
    this.router.run(() => execFileSync('nft', ['-f', '-'], { input: text }))
    return () => Number(/packets (\d+)/.exec(this.nft(this.router, 'list', 'counter', 'inet', 'watch', 'leaks'))?.[1])
  }

  async close(): Promise<void> {
    for (const agent of this.agents) await agent.stop()
    for (const one of this.#closing) one.close()
    for (const namespace of this.#open) namespace.close()
  }
}

function tryClose(socket: UdpSocket): void {
  try {
    socket.close()
  } catch {
    // It was closed by the test.
  }
}

/** What comes next; rejects when nothing does, or the connection breaks. */
export function firstLine(socket: Socket, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      clearTimeout(timer)
      socket.off('data', take)
      socket.off('error', fail)
      settle()
    }
    const take = (data: Buffer) => end(() => resolve(data.toString().trim()))
    const fail = (error: Error) => end(() => reject(error))
    const timer = setTimeout(() => fail(new Error('no answer')), timeoutMs)
    socket.once('data', take)
    socket.once('error', fail)
  })
}

function onSegment(segment: number, host: number): Record<Family, Address> {
  return { 4: parseAddress(`172.30.${segment}.${host}`), 6: parseAddress(`fd00:30:0:${segment}::${host}`) }
}

export function nodeObject(
  number: number,
  index: number | 'none' = number - 1,
  addresses: Readonly<Record<Family, Address>> = onSegment(0, 10 + number),
): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: `node-${number}`,
      ...(index === 'none' ? {} : { annotations: { [indexAnnotation]: String(index) } }),
    },
    spec: { podCIDRs: [`10.244.${number}.0/24`, `fd00:244:0:${number}::/64`] },
    status: { addresses: Object.values(addresses).map((address) => ({ type: 'InternalIP', address })) },
  }
}

export function egressObject(name: string, spec: Partial<Egress['spec']>, created = '2026-01-01T00:00:00Z'): Egress {
  return {
    apiVersion: 'plumb.network/v1alpha1',
    kind: 'Egress',
    metadata: { name, creationTimestamp: created },
    spec: { appliedTo: { podSelector: { matchLabels: { egress: name } } }, ...spec },
  }
}
