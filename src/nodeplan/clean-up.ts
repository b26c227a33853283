import type { Family } from '../addr/index.ts'
import { egressTableName } from '../egress/index.ts'
import { fastPathTable } from '../fastpath/index.ts'
import { hostPortTableName } from '../hostports/index.ts'
import type { Operation, Transaction } from '../nft/index.ts'
import { policyTableName } from '../policies/index.ts'
import { tableName, tableOf } from '../services/index.ts'

/** Takes everything away that an agent makes, also what is not there. */
export function cleanUp(): Transaction {
  return [...clearTables(), { kind: 'destroy-table', ...fastPathTable }]
}

/** Takes the tables away that rounds make, also those that are not there. */
export function clearTables(families: readonly Family[] = [4, 6]): Transaction {
  return families.flatMap((family) =>
    [tableName, 'plumb-pods', hostPortTableName, policyTableName, egressTableName].map(
      (table): Operation => ({ kind: 'destroy-table', ...tableOf(family), table }),
    ),
  )
}
