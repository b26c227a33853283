import type { Address } from '../addr/index.ts'

/** Record types by name, as the wire numbers them (IANA DNS parameters). */
export const typeNumbers = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
} as const

/** One resource record. Names have no trailing dot; `ttl` is in seconds. */
export type ResourceRecord = { readonly name: string; readonly ttl: number } & RecordData

export type RecordData =
  | { readonly type: 'A' | 'AAAA'; readonly address: Address }
  | { readonly type: 'CNAME' | 'NS' | 'PTR'; readonly target: string }
  | {
      readonly type: 'SRV'
      readonly priority: number
      readonly weight: number
      readonly port: number
      readonly target: string
    }
  | { readonly type: 'TXT'; readonly texts: readonly string[] }
  | {
      readonly type: 'SOA'
      readonly primary: string
      readonly mailbox: string
      readonly serial: number
      readonly refresh: number
      readonly retry: number
      readonly expire: number
      /** How long a negative answer may be kept, in seconds (RFC 2308). */
      readonly minimum: number
    }

/** Response codes by name (RFC 1035, RFC 6891). */
export const responseCodes = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
} as const

export type ResponseCode = keyof typeof responseCodes
