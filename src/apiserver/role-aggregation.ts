import { isDeepStrictEqual } from 'node:util'
import { matches } from '../cluster/index.ts'
import { getKind } from '../objects/index.ts'
import type { Core } from './core.ts'
import type { PolicyRule, Role } from './policy-rules.ts'
import { collectionOf, type Scope } from './scope.ts'
import { systemUser } from './seed.ts'
import type { Transaction } from './store.ts'
import { copyOf } from './value.ts'
import { updateObject } from './write.ts'

const kind = getKind('ClusterRole')
const roles = collectionOf(kind)

/** Keeps the `rules` of aggregated ClusterRoles what their selectors gather, as upstream's controller does. Runs for the life of the store. */
export function startAggregation(core: Core): void {
  let queued = false
  const gather = () => {
    if (queued) return
    queued = true
    const work = (transaction: Transaction) => {
      queued = false
      for (const { value } of [...transaction.range(roles, '')]) gatherRole(core, value as Role, transaction)
    }
    core.store.write(work).catch((error) => console.error(error))
  }
  core.store.subscribe(roles, gather)
  gather()
}

/** A role that gathers from gathered ones settles with the events of their changes. */
function gatherRole(core: Core, role: Role, transaction: Transaction): void {
  const selectors = role.aggregationRule?.clusterRoleSelectors
  if (selectors === undefined || role.metadata.deletionTimestamp !== undefined) return
  const rules = new Map<string, PolicyRule>()
  for (const { value } of transaction.range(roles, '')) {
    const { name, labels = {} } = value.metadata
    if (name === role.metadata.name || !selectors.some((selector) => matches(selector, labels))) continue
    for (const rule of (value as Role).rules ?? []) rules.set(JSON.stringify(rule), rule)
  }
  const gathered = [...rules.values()]
  if (isDeepStrictEqual(gathered, role.rules ?? [])) return
  const { name } = role.metadata
  const scope: Scope = { kind, collection: roles, namespace: undefined, name, subresource: undefined, user: systemUser }
  updateObject(scope, (entry) => ({ ...copyOf(entry.value), rules: gathered }) as Role, core.allocator, transaction)
}
