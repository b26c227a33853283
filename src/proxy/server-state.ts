import { parseStat } from '../haproxy/index.ts'
import { askHaproxy } from './socket.ts'

/** One server of a backend, as the model calls them. */
export interface ServerRequest {
  readonly backend: string
  readonly address: string
  readonly port: number
}

/** HAProxy's word on a server; empty where it has none of that address. */
export interface ServerState {
  /** `UP`, `no check`, `MAINT`, … by `show stat`. */
  readonly status?: string
  /** Since it was told of the server. */
  readonly requests?: number
  /** Connections that could not be made, and answers that were none. */
  readonly errors?: number
}

/** Asks HAProxy of a node by its runtime socket; rejects when it does not answer. */
export async function askServer(socket: string, { backend, address, port }: ServerRequest): Promise<ServerState> {
  // 4: servers alone, of all proxies.
  const rows = parseStat(await askHaproxy(socket, 'show stat -1 4 -1'))
  const row = rows.find((one) => one.pxname === backend && one.svname === `${address}-${port}`)
  if (row === undefined) return {}
  const errors = Number(row.econ) + Number(row.eresp)
  return { status: row.status ?? '', requests: Number(row.stot), errors: Number.isNaN(errors) ? 0 : errors }
}
