import { type Address, findAddress } from '../addr/index.ts'

/** A virtual server of IPVS and where it leads to. */
export interface VirtualServer {
  readonly protocol: 'tcp' | 'udp' | 'sctp'
  readonly address: Address
  readonly port: number
  readonly scheduler: string
  /** Seconds for which a client returns to its server. */
  readonly persistentSeconds?: number
  readonly servers: readonly RealServer[]
}

interface RealServer {
  readonly address: Address
  readonly port: number
  /** 0: keeps its connections and gets no new ones. */
  readonly weight: number
}

const protocols = { '-t': 'tcp', '-u': 'udp', '--sctp-service': 'sctp' } as const
const maxServers = 200_000

/** What `ipvsadm -Sn` printed (ipvsadm(8)). Total: lines that are something else, firewall marks among them, are left out. */
export function parseIpvs(text: string): readonly VirtualServer[] {
  const found = new Map<
    string,
    { -readonly [K in keyof VirtualServer]: VirtualServer[K] } & { servers: RealServer[] }
  >()
  for (const line of text.split('\n').slice(0, maxServers)) {
    const [command = '', type = '', service = '', ...options] = line.trim().split(/\s+/)
    const protocol = Object.hasOwn(protocols, type) ? protocols[type as '-t'] : undefined
    const at = findTarget(service)
    if (protocol === undefined || at === undefined) continue
    const id = `${type} ${service}`
    const option = (name: string): string | undefined =>
      options.includes(name) ? options[options.indexOf(name) + 1] : undefined
    if (command === '-A') {
      const persistent = option('-p')
      const seconds = persistent === undefined ? {} : { persistentSeconds: Number(persistent) }
      found.set(id, { protocol, ...at, scheduler: option('-s') ?? '', ...seconds, servers: [] })
    } else if (command === '-a') {
      const server = findTarget(option('-r') ?? '')
      if (server !== undefined) found.get(id)?.servers.push({ ...server, weight: Number(option('-w') ?? 1) })
    }
  }
  return [...found.values()]
}

/** `10.96.0.1:443`, `[fd00::1]:443` */
function findTarget(text: string): { address: Address; port: number } | undefined {
  const [, long, short, port] = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? []
  const address = findAddress(long ?? short ?? '')
  return address === undefined ? undefined : { address, port: Number(port) }
}
