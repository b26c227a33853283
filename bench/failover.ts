import { bench as egress } from './egress.ts'
import { connections } from './failover/connections.ts'
import { exits } from './failover/exits.ts'
import { gaps } from './failover/gaps.ts'
import { leaks } from './failover/leaks.ts'
import { loss } from './failover/loss.ts'
import { ownership } from './failover/ownership.ts'
import { replication } from './failover/replication.ts'
import type { Row } from './row.ts'

const parts = { gaps, loss, connections, exits, leaks, ownership, replication, egress }

/** What becomes of an external address, and of connections with it, when its holder fails or hands it over. `only`: these parts of it. */
export async function* bench(only: readonly string[]): AsyncIterable<Row> {
  const unknown = only.find((name) => !Object.hasOwn(parts, name))
  if (unknown !== undefined)
    throw new Error(`no part is called ${unknown}; there are: ${Object.keys(parts).join(', ')}`)
  for (const [name, part] of Object.entries(parts)) if (only.length === 0 || only.includes(name)) yield* await part()
}
