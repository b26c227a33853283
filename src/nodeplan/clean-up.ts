import type { Family } from '../addr/index.ts'
import { egressTableName } from '../egress/index.ts'
import type { Operation, Transaction } from '../nft/index.ts'
import { policyTableName } from '../policies/index.ts'
import { tableName, tableOf } from '../services/index.ts'

/** Takes the tables away, also those that are not there. */
export function cleanUp(families: readonly Family[] = [4, 6]): Transaction {
  return families.flatMap((family) =>
    [tableName, 'plumb-pods', policyTableName, egressTableName].flatMap((table): Operation[] => {
      const at = { ...tableOf(family), table }
      return [
        // Deleting what is not there is an error, adding what is there is none (and destroy needs Linux 6.3).
        { kind: 'add-table', ...at },
        { kind: 'delete-table', ...at },
      ]
    }),
  )
}
