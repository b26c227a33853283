import { type Address, contains, type Prefix, parsePrefix } from '../addr/index.ts'
import type { Log } from '../agent/index.ts'
import { compileServers, type Entrance, type GatewayModel, type ServerModel, type Sources } from '../gateways/index.ts'
import type { Host, Namespace } from '../host/index.ts'
import { UdpForwarder } from './udp.ts'

const sweepMs = 10_000
/** Nobody is sent there from outside: the node's own, and those that are one per link. */
const never: readonly Prefix[] = ['127.0.0.0/8', '::1/128', 'fe80::/10', '169.254.0.0/16'].map(parsePrefix)

/** All UDP ports of the gateways of a node. */
export class UdpPorts {
  readonly #host: Host
  readonly #namespace: Namespace
  readonly #log: Log
  readonly #forwarders = new Map<string, UdpForwarder>()
  #servers: (backend: string) => readonly ServerModel[] = () => []
  #timer: NodeJS.Timeout | undefined

  constructor(host: Host, namespace: Namespace, log: Log) {
    this.#host = host
    this.#namespace = namespace
    this.#log = log
  }

  update({ entrances, backends }: GatewayModel, sources: Pick<Sources, 'services' | 'slicesOf'>): void {
    const byId = new Map(backends.filter(({ protocol }) => protocol === 'udp').map((one) => [one.id, one]))
    const known = new Map<string, readonly ServerModel[]>()
    this.#servers = (id) => {
      const backend = byId.get(id)
      const servers = known.get(id) ?? (backend === undefined ? [] : compileServers(backend, sources))
      known.set(id, servers)
      return servers
    }
    const wanted = new Map(entrances.flatMap((one) => (one.protocol === 'UDP' ? [[one.id, one] as const] : [])))
    for (const [id, forwarder] of this.#forwarders) {
      if (wanted.has(id)) continue
      forwarder.close()
      this.#forwarders.delete(id)
    }
    const addresses = wanted.size === 0 ? [] : this.#addresses()
    for (const [id, entrance] of wanted) this.#serve(id, entrance, addresses)
    if (wanted.size > 0) this.#timer ??= setInterval(() => this.#sweep(), sweepMs).unref()
  }

  close(): void {
    clearInterval(this.#timer)
    for (const forwarder of this.#forwarders.values()) forwarder.close()
    this.#forwarders.clear()
  }

  #serve(id: string, entrance: Entrance, addresses: readonly Address[]): void {
    const forwarder =
      this.#forwarders.get(id) ?? new UdpForwarder(this.#host, this.#namespace, (backend) => this.#servers(backend))
    this.#forwarders.set(id, forwarder)
    try {
      forwarder.update(entrance, addresses)
    } catch (error) {
      this.#log.error({ entrance: id, error: String(error) }, 'a UDP port of a gateway cannot be bound')
    }
  }

  #addresses(): Address[] {
    const all = this.#namespace.network.addresses().filter(({ tentative }) => tentative !== true)
    return all.map(({ address }) => address).filter((address) => !never.some((prefix) => contains(prefix, address)))
  }

  #sweep(): void {
    for (const forwarder of this.#forwarders.values()) forwarder.sweep(performance.now())
  }
}
