/** The parts of `ADDRESS`, `ADDRESS:PORT`, `[ADDRESS]:PORT` or `ADDRESS . PORT`. */
export function parseNatTarget(text: string): { address: string; port?: string } {
  const match = /^(.+) \. (\d+)$/.exec(text) ?? /^\[(.+)\]:(\d+)$/.exec(text) ?? /^([\d.]+):(\d+)$/.exec(text)
  if (match === null) return { address: text }
  return { address: match[1] ?? '', port: match[2] ?? '' }
}

/** The inverse of `parseNatTarget`, as nft prints it. */
export function renderNatTarget(target: { address: string; port?: string }): string {
  if (target.port === undefined) return target.address
  return target.address.includes(':') ? `[${target.address}]:${target.port}` : `${target.address}:${target.port}`
}
