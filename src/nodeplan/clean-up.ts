import type { Family } from '../addr/index.ts'
import { egressTableName } from '../egress/index.ts'
import { fastPathTable } from '../fastpath/index.ts'
import type { Operation, Transaction } from '../nft/index.ts'
import { policyTableName } from '../policies/index.ts'
import { tableName, tableOf } from '../services/index.ts'

/** Takes the tables away, also those that are not there. */
export function cleanUp(families: readonly Family[] = [4, 6]): Transaction {
  const own = families.flatMap((family) =>
    [tableName, 'plumb-pods', policyTableName, egressTableName].map((table) => ({ ...tableOf(family), table })),
  )
  return [...own, fastPathTable].map((at): Operation => ({ kind: 'destroy-table', ...at }))
}
