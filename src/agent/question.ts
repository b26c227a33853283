import { type Address, findAddress } from '../addr/index.ts'
import type { Transport } from '../services/index.ts'

/** A question that cannot be answered, with the field and the value that are wrong. */
export class BadQuestion extends Error {
  readonly code: number
  constructor(message: string, code = 400) {
    super(message)
    this.name = 'BadQuestion'
    this.code = code
  }
}

/** An address, or a refusal that names the field. */
export function readAddress(field: string, value: unknown): Address {
  const address = typeof value === 'string' ? findAddress(value) : undefined
  if (address === undefined) throw new BadQuestion(`${field}: ${JSON.stringify(value)} is not an IP address`)
  return address
}

/** A port number, or a refusal that names the field. */
export function readPort(field: string, value: unknown): number {
  if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > 65535) {
    throw new BadQuestion(`${field}: ${JSON.stringify(value)} is not a port number from 1 to 65535`)
  }
  return value as number
}

/** A transport protocol; TCP when absent. */
export function readTransport(value: unknown): Transport {
  if (value === undefined) return 'tcp'
  if (value === 'tcp' || value === 'udp' || value === 'sctp') return value
  throw new BadQuestion(`protocol: ${JSON.stringify(value)} is not tcp, udp or sctp`)
}
