/** Who a stand-in is. */
export interface Identity {
  readonly pod: string
  readonly namespace: string
  readonly node: string
  readonly container: string
  readonly image: string
  /** The pod's addresses. */
  readonly addresses: readonly string[]
}

/** What one connection looks like from the stand-in. */
export interface Seen {
  readonly address: string
  readonly port: number
  readonly clientAddress: string
  readonly clientPort: number
}

/** The line that non-HTTP clients get. */
export function renderIdentity(identity: Identity, seen: Seen): string {
  const { pod, namespace, node, container, image } = identity
  const at = hostPort(seen.address, seen.port)
  const client = hostPort(seen.clientAddress, seen.clientPort)
  return `pod ${namespace}/${pod} node ${node} container ${container} image ${image} address ${at} client ${client}\n`
}

/** `1.2.3.4:80`, `[fd00::1]:80`. */
export function hostPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

/** Node reports IPv4 clients of dual-stack sockets as `::ffff:…`. */
export function plainAddress(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:(?=\d+\.)/, '')
}
