import type { Node, Pod } from '../objects/index.ts'

export type Taint = NonNullable<NonNullable<Node['spec']>['taints']>[number] & { timeAdded?: string }
export type Toleration = NonNullable<Pod['spec']['tolerations']>[number]

/** Whether one of the tolerations lets the pod live with the taint (core/v1 `Toleration.ToleratesTaint`). */
export function tolerates(tolerations: readonly Toleration[] | undefined, taint: Taint): boolean {
  return findTolerations(tolerations, taint).length > 0
}

/** The tolerations that cover the taint. */
export function findTolerations(tolerations: readonly Toleration[] | undefined, taint: Taint): Toleration[] {
  return (tolerations ?? []).filter(({ key, operator, value, effect }) => {
    if (effect !== undefined && effect !== '' && effect !== taint.effect) return false
    if (key !== undefined && key !== '' && key !== taint.key) return false
    if (operator === 'Exists') return true
    // An empty key with another operator than Exists matches nothing.
    return key !== undefined && key !== '' && (value ?? '') === (taint.value ?? '')
  })
}
