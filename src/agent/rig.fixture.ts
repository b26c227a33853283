import { createSocket, type RemoteInfo } from 'node:dgram'
import { createServer, Socket } from 'node:net'
import { type Address, type Family, familyOf, parseAddress, parsePrefix } from '../addr/index.ts'
import type { Client, Informer, Resource } from '../client/index.ts'
import { keyOf } from '../cluster/index.ts'
import { type Namespace, openHost } from '../host/index.ts'
import type { Endpoint, EndpointSlice, KubeObject, Node, Service } from '../objects/index.ts'
import { startAgent } from './agent.ts'
import type { Agent, AgentOptions, Log } from './contract.ts'

export const host = openHost()

/** The objects of an API server, and informers of them that tell changes at once. Of what is patched it takes annotations of Nodes. */
export class Objects {
  readonly #byPlural = new Map<string, Map<string, KubeObject>>()
  readonly #listeners = new Map<string, Set<(old?: KubeObject, current?: KubeObject, key?: string) => void>>()
  /** Informers wait for this before they are synced. */
  gate: Promise<void> = Promise.resolve()

  put(object: KubeObject): void {
    this.#change(pluralOf(object.kind), keyOf(object), object)
  }

  delete(kind: string, key: string): void {
    this.#change(pluralOf(kind), key, undefined)
  }

  get client(): Client {
    return {
      informer: (resource: Resource, options: { labelSelector?: string } = {}) =>
        this.#informer(resource, options.labelSelector),
      create: async (_: Resource, object: KubeObject) => object,
      delete: async ({ kind }: Resource, namespace: string | undefined, name: string) =>
        this.delete(kind, namespace === undefined ? name : `${namespace}/${name}`),
      patch: async ({ plural }: Resource, _: string | undefined, name: string, _kind: string, change: KubeObject) => {
        const node = plural === 'nodes' ? this.#of(plural).get(name) : undefined
        const annotations = { ...node?.metadata.annotations, ...change.metadata?.annotations }
        if (node !== undefined) this.put({ ...node, metadata: { ...node.metadata, annotations } })
        return {}
      },
      close() {},
    } as unknown as Client
  }

  #change(plural: string, key: string, object: KubeObject | undefined): void {
    const all = this.#of(plural)
    const old = all.get(key)
    if (object === undefined) all.delete(key)
    else all.set(key, object)
    for (const listener of this.#listeners.get(plural) ?? []) listener(old, object, key)
  }

  #of(plural: string): Map<string, KubeObject> {
    const all = this.#byPlural.get(plural) ?? new Map<string, KubeObject>()
    this.#byPlural.set(plural, all)
    return all
  }

  /** `selector`: `LABEL=VALUE`; everything when undefined. */
  #informer({ plural }: Resource, selector: string | undefined): Informer<never> {
    const all = this.#of(plural)
    const [label = '', value] = selector?.split('=') ?? []
    const isChosen = (object: KubeObject | undefined): boolean =>
      selector === undefined || object?.metadata.labels?.[label] === value
    const listeners = this.#listeners.get(plural) ?? new Set()
    this.#listeners.set(plural, listeners)
    const informer = {
      start: () => this.gate,
      synced: true,
      get: (key: string) => (isChosen(all.get(key)) ? all.get(key) : undefined),
      values: () => [...all.values()].filter(isChosen).values(),
      get size() {
        return all.size
      },
      onChange(listener: (old?: KubeObject, current?: KubeObject, key?: string) => void) {
        const chosen: typeof listener = (old, current, key) => {
          if (isChosen(current ?? old)) listener(old, current, key)
        }
        listeners.add(chosen)
        return () => listeners.delete(chosen)
      },
      close() {},
    }
    return informer as unknown as Informer<never>
  }
}

function pluralOf(kind: string): string {
  const word = kind.toLowerCase()
  if (word.endsWith('y')) return `${word.slice(0, -1)}ies`
  return word.endsWith('s') ? `${word}es` : `${word}s`
}

/** Keeps what is said, for a test that fails. */
export function quietLog(): Log & { readonly lines: string[] } {
  const lines: string[] = []
  const say = (fields: object, message: string): void => void lines.push(`${message} ${JSON.stringify(fields)}`)
  return { lines, info: say, warn: say, error: say }
}

/** A namespace with one link to the node. */
export interface Station {
  readonly name: string
  readonly namespace: Namespace
  readonly addresses: Readonly<Record<Family, Address>>
}

/** A node that routes between pods and an outsider, which is also its default gateway. */
export interface Rig {
  readonly node: Namespace
  readonly client: Station
  readonly backends: readonly [Station, Station]
  readonly outsider: Station
  readonly nodeAddresses: Readonly<Record<Family, Address>>
  close(): void
}

export const servicePrefixes = [parsePrefix('10.96.0.0/16'), parsePrefix('fd00:96::/112')]

export function buildRig(): Rig {
  const open: Namespace[] = []
  const create = (): Namespace => {
    const namespace = host.createNamespace()
    open.push(namespace)
    namespace.network.setLink('lo', { up: true })
    namespace.network.setSysctl('net.ipv6.conf.all.accept_dad', 0)
    namespace.network.setSysctl('net.ipv6.conf.default.accept_dad', 0)
    // The node sends packets back where they came from, and redirects share the rate limit of refusals.
    namespace.network.setSysctl('net.ipv4.conf.all.send_redirects', 0)
    namespace.network.setSysctl('net.ipv4.conf.default.send_redirects', 0)
    return namespace
  }
  const node = create()
  node.network.setSysctl('net.ipv4.ip_forward', 1)
  node.network.setSysctl('net.ipv6.conf.all.forwarding', 1)
  const attach = (name: string, v4: string, v6: string): Station => {
    const namespace = create()
    node.network.addVeth({ name, peerName: 'eth0', peerNamespace: namespace })
    const own = { 4: parseAddress(`${v4}.2`), 6: parseAddress(`${v6}::2`) }
    const gateway = { 4: parseAddress(`${v4}.1`), 6: parseAddress(`${v6}::1`) }
    node.network.setLink(name, { up: true })
    namespace.network.setLink('eth0', { up: true })
    for (const family of [4, 6] as const) {
      const length = family === 4 ? 24 : 64
      node.network.addAddress(name, gateway[family], length)
      namespace.network.addAddress('eth0', own[family], length)
      namespace.network.setRoute({ destination: anywhere[family], gateway: gateway[family], link: 'eth0' })
    }
    return { name, namespace, addresses: own }
  }
  const client = attach('client', '10.244.1', 'fd00:244:0:1')
  const backends = [
    attach('backend-1', '10.244.2', 'fd00:244:0:2'),
    attach('backend-2', '10.244.3', 'fd00:244:0:3'),
  ] as const
  const outsider = attach('outsider', '203.0.113', '2001:db8:113')
  for (const family of [4, 6] as const) {
    node.network.setRoute({ destination: anywhere[family], gateway: outsider.addresses[family], link: 'outsider' })
  }
  const nodeAddresses = { 4: parseAddress('203.0.113.1'), 6: parseAddress('2001:db8:113::1') }
  return {
    node,
    client,
    backends,
    outsider,
    nodeAddresses,
    close() {
      for (const namespace of open) namespace.close()
    },
  }
}

const anywhere = { 4: parsePrefix('0.0.0.0/0'), 6: parsePrefix('::/0') }

/** Answers each TCP connection with `NAME SOURCE` and closes, or keeps it open and echoes after the first line. */
export function serveTcp(station: Station, family: Family, port: number, echo = false): { close(): void } {
  const { fd } = host.listenTcp(station.namespace, station.addresses[family], port)
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => open.delete(socket))
    const line = `${station.name} ${socket.remoteAddress}\n`
    if (!echo) socket.end(line)
    else {
      socket.write(line)
      socket.pipe(socket)
    }
  })
  server.listen({ fd })
  return {
    close() {
      server.close()
      // The other end of a connection that was cut never closes it.
      for (const socket of open) socket.destroy()
    },
  }
}

/** Answers each datagram with `NAME SOURCE`. */
export function serveUdp(station: Station, family: Family, port: number): { close(): void } {
  const { fd } = host.bindUdp(station.namespace, station.addresses[family], port)
  const socket = createSocket(family === 4 ? 'udp4' : 'udp6')
  socket.on('error', () => {})
  socket.on('message', (_, from: RemoteInfo) => socket.send(`${station.name} ${from.address}`, from.port, from.address))
  socket.bind({ fd })
  return socket
}

/** A connection from a namespace; the first line that comes, or the errno name. */
export async function askTcp(from: Namespace, address: Address, port: number): Promise<string> {
  const socket = new Socket({ fd: host.connectTcp(from, address, port).fd })
  try {
    return await new Promise((resolve) => {
      socket.once('data', (data: Buffer) => resolve(data.toString().trim()))
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    })
  } finally {
    socket.destroy()
  }
}

/** A datagram socket of a namespace that keeps its port: asks, and waits for an answer or the errno name. */
export function openUdp(
  from: Station,
  family: Family,
): { ask(address: Address, port: number): Promise<string>; close(): void } {
  const { fd } = host.bindUdp(from.namespace, from.addresses[family], 0)
  const socket = createSocket(family === 4 ? 'udp4' : 'udp6')
  const bound = new Promise<void>((resolve) => socket.bind({ fd }, resolve))
  return {
    async ask(address, port) {
      await bound
      return new Promise((resolve) => {
        socket.removeAllListeners()
        socket.once('message', (data: Buffer) => resolve(data.toString()))
        socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
        socket.send('?', port, address)
      })
    },
    close: () => socket.close(),
  }
}

/** A Node with this name and the rig's addresses and prefixes. */
export function nodeObject(name: string, rig: Rig): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    spec: { podCIDRs: ['10.244.0.0/16', 'fd00:244::/56'] },
    status: {
      addresses: [4, 6].map((family) => ({ type: 'InternalIP', address: rig.nodeAddresses[family as Family] })),
    },
  }
}

export function serviceObject(
  name: string,
  clusterIPs: readonly string[],
  spec: Partial<Service['spec']> = {},
): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'ns', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: {
      clusterIP: clusterIPs[0]!,
      clusterIPs: [...clusterIPs],
      ports: [
        { name: 'tcp', port: 80, protocol: 'TCP' },
        { name: 'udp', port: 53, protocol: 'UDP' },
      ],
      ...spec,
    },
  }
}

/** A slice of a Service with ports 8080/TCP and 5353/UDP. */
export function sliceObject(
  service: string,
  family: Family,
  addresses: readonly Address[],
  options: { node?: string; conditions?: Endpoint['conditions'] } = {},
): EndpointSlice {
  const { node = 'node-1', conditions = { ready: true, serving: true, terminating: false } } = options
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${service}-${family}`, namespace: 'ns', labels: { 'kubernetes.io/service-name': service } },
    addressType: family === 4 ? 'IPv4' : 'IPv6',
    endpoints: addresses
      .filter((address) => familyOf(address) === family)
      .map((address) => ({ addresses: [address], nodeName: node, conditions })),
    ports: [
      { name: 'tcp', port: 8080, protocol: 'TCP' },
      { name: 'udp', port: 5353, protocol: 'UDP' },
    ],
  }
}

/** An agent on the rig's node, as node-1. */
export function startOnRig(
  rig: Rig,
  objects: Objects,
  log: Log,
  options: Partial<Omit<AgentOptions, 'log'>> = {},
): Promise<Agent> {
  return startAgent({
    client: objects.client,
    host,
    namespace: rig.node,
    nodeName: 'node-1',
    options: { servicePrefixes, log, ...options },
  })
}
