import { type Address, families, familyOf, prefixAddress, prefixFamily } from '../addr/index.ts'
import { type Host, HostError, type Namespace, type Network } from '../host/index.ts'
import {
  AddressPool,
  type Attachment,
  nodeLinkName,
  type PodNetwork,
  parseAlias,
  routeProtocol,
  type Wiring,
  wire,
} from '../pods/index.ts'

/** A request that named an interface, as CNI does: the container's ID and the interface name are its identity. */
export interface AttachmentRequest {
  readonly containerId: string
  readonly interfaceName: string
  readonly namespace: string
  readonly pod: string
}

/**
 * The pod links of one node. The kernel is the only memory: a link's alias says whose it is and its routes say which
 * addresses it has, so a restarted agent knows everything again and a link that vanished frees its addresses.
 */
export class PodWiring {
  readonly #host: Host
  readonly #network: Network
  readonly #mtu: number
  #pools: AddressPool[] = []
  #node: PodNetwork | undefined
  readonly #attachments = new Map<string, Attachment>()

  /** `node` is the namespace that forwards for the pods; `mtu` in bytes, where the model does not say. */
  constructor(host: Host, node: Namespace, mtu: number) {
    this.#host = host
    this.#network = node.network
    this.#mtu = mtu
  }

  /** Whether the node has prefixes to give addresses from. */
  get ready(): boolean {
    return this.#pools.length > 0
  }

  get attachments(): Iterable<Attachment> {
    return this.#attachments.values()
  }

  /** Takes the node's prefixes; existing links keep their addresses even when a prefix changed. */
  setNode(node: PodNetwork): void {
    const same = this.#pools.map((pool) => pool.prefix).join() === node.prefixes.join()
    this.#node = node
    if (same) return
    this.#pools = node.prefixes.map((prefix) => new AddressPool(prefix))
    this.restore()
  }

  /** Reads the links back from the kernel and forgets those that are gone. */
  restore(): void {
    const addresses = new Map<string, Address[]>()
    for (const route of this.#network.routes({ protocol: routeProtocol })) {
      if (route.link === undefined || route.gateway !== undefined) continue
      const held = addresses.get(route.link) ?? []
      held.push(prefixAddress(route.destination))
      addresses.set(route.link, held)
    }
    const before = new Map(this.#attachments)
    this.#attachments.clear()
    for (const link of this.#network.links()) {
      const known = link.alias === undefined ? undefined : parseAlias(link.alias)
      if (known === undefined) continue
      const attachment = { ...known, addresses: byFamily(addresses.get(link.name) ?? []) }
      this.#attachments.set(link.name, attachment)
      before.delete(link.name)
      for (const address of attachment.addresses) for (const pool of this.#pools) pool.reserve(address)
    }
    for (const gone of before.values()) this.#release(gone.addresses)
  }

  /** CNI ADD: wires the pod; the link, its addresses and routes are in the kernel when it returns. Throws `HostError`. */
  add(request: AttachmentRequest, netnsPath: string): { attachment: Attachment; wiring: Wiring } {
    const name = nodeLinkName(request.containerId, request.interfaceName)
    const step = `add interface ${request.interfaceName} to pod ${request.namespace}/${request.pod}`
    if (this.#attachments.has(name) && this.#network.findLink(name) !== undefined) {
      throw new HostError('exists', step, 'EEXIST', 'this container already has that interface')
    }
    const node = this.#node
    if (node === undefined) throw new HostError('busy', step, 'EAGAIN', 'the node is not known yet')
    const attachment = { ...request, addresses: this.#take(step) }
    const wiring = wire(attachment, { addresses: node.addresses, mtu: node.mtu ?? this.#mtu })
    const namespace = this.#open(netnsPath, step)
    try {
      this.#build(wiring, namespace)
      this.#attachments.set(name, attachment)
      return { attachment, wiring }
    } catch (error) {
      this.#remove(name)
      this.#release(attachment.addresses)
      throw error
    } finally {
      namespace.close()
    }
  }

  /** CNI DEL: idempotent, and needs no namespace: the node's end of the link takes the rest with it. */
  delete(containerId: string, interfaceName: string): void {
    const name = nodeLinkName(containerId, interfaceName)
    this.#remove(name)
    const attachment = this.#attachments.get(name)
    if (attachment === undefined) return
    this.#attachments.delete(name)
    this.#release(attachment.addresses)
  }

  /** CNI CHECK: what is not as it was wired, in words; empty when all is well. */
  check(containerId: string, interfaceName: string): string[] {
    const name = nodeLinkName(containerId, interfaceName)
    const attachment = this.#attachments.get(name)
    const link = this.#network.findLink(name)
    if (attachment === undefined || link === undefined) return [`no link ${name} on the node`]
    const wrong = link.up ? [] : [`link ${name} is down`]
    const routed = new Set(
      this.#network
        .routes({ protocol: routeProtocol })
        .flatMap((r) => (r.link === name ? [prefixAddress(r.destination)] : [])),
    )
    return [...wrong, ...attachment.addresses.filter((a) => !routed.has(a)).map((a) => `no route to ${a} on ${name}`)]
  }

  /** CNI GC: removes every link that is not among `valid`. */
  collect(valid: readonly { containerId: string; interfaceName: string }[]): void {
    const keep = new Set(valid.map(({ containerId, interfaceName }) => nodeLinkName(containerId, interfaceName)))
    this.restore()
    for (const [name, { containerId, interfaceName }] of [...this.#attachments]) {
      if (!keep.has(name)) this.delete(containerId, interfaceName)
    }
  }

  /** One address out of a pool of each family; reads the kernel again before it says that none is left. */
  #take(step: string): Address[] {
    const taken: Address[] = []
    for (const family of families) {
      const pools = this.#pools.filter((pool) => prefixFamily(pool.prefix) === family)
      if (pools.length === 0) continue
      let address = firstFree(pools)
      if (address === undefined) {
        this.restore()
        address = firstFree(pools)
      }
      if (address === undefined) {
        this.#release(taken)
        const prefixes = pools.map((pool) => pool.prefix).join(', ')
        throw new HostError(
          'busy',
          step,
          'EADDRNOTAVAIL',
          `no free address in ${prefixes}; remove pods or give the node a wider podCIDR`,
        )
      }
      taken.push(address)
    }
    if (taken.length === 0) throw new HostError('busy', step, 'EAGAIN', 'the node has no podCIDR yet')
    return taken
  }

  #release(addresses: readonly Address[]): void {
    for (const address of addresses) for (const pool of this.#pools) pool.release(address)
  }

  #open(path: string, step: string): Namespace {
    try {
      return this.#host.openNamespace(path)
    } catch (error) {
      throw new HostError('missing', step, 'ENOENT', `no network namespace at ${path}: ${String(error)}`)
    }
  }

  #remove(name: string): void {
    try {
      this.#network.deleteLink(name)
    } catch (error) {
      if (!(error instanceof HostError) || error.code !== 'missing') throw error
    }
  }

  #build(wiring: Wiring, pod: Namespace): void {
    const { nodeLink, podLink } = wiring
    this.#network.addVeth({
      name: nodeLink,
      peerName: podLink,
      peerNamespace: pod,
      mtu: wiring.mtu,
      mac: wiring.nodeMac,
      peerMac: wiring.podMac,
      alias: wiring.alias,
    })
    // Strict towards the pod: it may not send under an address that is not routed to it (RFC 3704).
    this.#network.setSysctl(`net.ipv4.conf.${nodeLink}.rp_filter`, 1)
    this.#network.setSysctl(`net.ipv6.conf.${nodeLink}.accept_ra`, 0)
    this.#network.setLink(nodeLink, { up: true })
    pod.network.setLink(podLink, { up: true })
    for (const { address, prefixLength } of wiring.podAddresses) pod.network.addAddress(podLink, address, prefixLength)
    for (const { address, mac } of wiring.podNeighbours) {
      pod.network.setNeighbour({ address, mac, link: podLink, state: 'permanent' })
    }
    for (const { destination, gateway } of wiring.podRoutes) {
      pod.network.setRoute({ destination, gateway, link: podLink, onlink: true })
    }
    for (const { address, mac } of wiring.nodeNeighbours) {
      this.#network.setNeighbour({ address, mac, link: nodeLink, state: 'permanent' })
    }
    for (const { destination, source } of wiring.nodeRoutes) {
      this.#network.setRoute({
        destination,
        link: nodeLink,
        scope: 'link',
        protocol: routeProtocol,
        ...(source === undefined ? {} : { source }),
      })
    }
  }
}

function firstFree(pools: readonly AddressPool[]): Address | undefined {
  for (const pool of pools) {
    const address = pool.take()
    if (address !== undefined) return address
  }
  return undefined
}

function byFamily(addresses: readonly Address[]): Address[] {
  return [...addresses].sort((a, b) => familyOf(a) - familyOf(b))
}
