import { errors, type KubeObject } from '../objects/index.ts'
import { reasonToAllow, refuseEscalation, refuseMissing } from './authorization.ts'
import { rulesOf } from './policy-rules.ts'
import { Refusal } from './refusal.ts'
import type { Scope } from './scope.ts'
import type { Transaction } from './store.ts'

interface Binding extends KubeObject {
  readonly roleRef?: { readonly kind: string; readonly name: string }
}

/** Refuses roles and bindings that grant more than their writer has, and bindings that change their role. */
export function admitRole(
  scope: Scope,
  object: KubeObject,
  old: KubeObject | undefined,
  transaction: Transaction,
): void {
  if (scope.kind.group !== 'rbac.authorization.k8s.io') return
  const { kind, user } = scope
  if (kind.kind === 'Role' || kind.kind === 'ClusterRole') {
    refuseEscalation(transaction, user, kind, object)
    return
  }
  const { roleRef } = object as Binding
  if (roleRef === undefined) return
  const before = (old as Binding | undefined)?.roleRef
  if (before !== undefined && (before.kind !== roleRef.kind || before.name !== roleRef.name)) {
    const message = `Invalid value: ${JSON.stringify(roleRef)}: cannot change roleRef`
    const cause = { reason: 'FieldValueInvalid' as const, field: 'roleRef', message }
    throw new Refusal(errors.invalid(kind, object.metadata.name, [cause]))
  }
  if (user.groups.includes('system:masters')) return
  const { namespace } = object.metadata
  const resource = roleRef.kind === 'ClusterRole' ? 'clusterroles' : 'roles'
  const bind = { verb: 'bind', group: kind.group, resource, namespace, name: roleRef.name }
  if (reasonToAllow(transaction, user, bind) !== undefined) return
  refuseMissing(transaction, user, kind, object, rulesOf(transaction, roleRef, namespace))
}
