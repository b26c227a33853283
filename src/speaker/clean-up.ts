import type { Network } from '../host/index.ts'
import { standbyTable } from '../standby/index.ts'
import { routeProtocol, rulePriority } from './former-holders.ts'
import { movedTable } from './moved-table.ts'

/** Takes away what a speaker put into the kernel (`--cleanup`): its tables, and the ways to former holders. */
export async function cleanUpSpeaker(network: Network): Promise<void> {
  const own = (await network.tables()).filter(({ name }) => name === movedTable || name === standbyTable)
  await network.commit(own.map(({ family, name }) => ({ kind: 'delete-table', family, table: name })))
  for (const rule of network.rules()) if (rule.priority === rulePriority) network.deleteRule(rule)
  for (const route of network.routes({ protocol: routeProtocol })) network.deleteRoute(route)
}
