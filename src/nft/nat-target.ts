/** What NAT translates to, as text; `lastPort` where any port from `port` on up to it will do. */
export interface NatTarget {
  readonly address: string
  readonly port?: string
  readonly lastPort?: string
}

/** The parts of `ADDRESS`, `ADDRESS:PORTS`, `[ADDRESS]:PORTS` or `ADDRESS . PORTS`, where PORTS is a port or `FIRST-LAST`. */
export function parseNatTarget(text: string): NatTarget {
  const ports = '(\\d+)(?:-(\\d+))?'
  const match =
    new RegExp(`^(.+) \\. ${ports}$`).exec(text) ??
    new RegExp(`^\\[(.+)\\]:${ports}$`).exec(text) ??
    new RegExp(`^([\\d.]+):${ports}$`).exec(text)
  if (match === null) return { address: text }
  const [, address = '', port = '', lastPort] = match
  return { address, port, ...(lastPort === undefined ? {} : { lastPort }) }
}

/** The inverse of `parseNatTarget`, as nft prints it. */
export function renderNatTarget({ address, port, lastPort }: NatTarget): string {
  if (port === undefined) return address
  const ports = lastPort === undefined ? port : `${port}-${lastPort}`
  return address.includes(':') ? `[${address}]:${ports}` : `${address}:${ports}`
}
