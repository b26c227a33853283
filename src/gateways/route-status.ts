import { keyOf, type ObjectKey, splitKey } from '../cluster/index.ts'
import type { PolicyState } from './backend-tls.ts'
import type { BackendTLSPolicy, PolicyAncestorStatus, RouteParentStatus } from './gateway-api.ts'
import { gatewayGroup } from './gateway-api.ts'
import type { WantedStatus } from './gateway-status.ts'
import { type GatewayApiState, gatewayControllerName } from './gateways.ts'
import { condition } from './verdict.ts'

/** The statuses of routes at Gateways of ours. What other controllers wrote stays. */
export function routeStatuses({ routes }: Pick<GatewayApiState, 'routes'>): WantedStatus[] {
  return routes.map(({ route, kind, parents }) => {
    const generation = route.metadata.generation ?? 0
    const ours = parents.map(
      ({ parentRef, accepted, resolved }): RouteParentStatus => ({
        parentRef,
        controllerName: gatewayControllerName,
        conditions: [condition('Accepted', accepted, generation), condition('ResolvedRefs', resolved, generation)],
      }),
    )
    return { kind, object: route, status: { parents: [...othersOf(route.status?.parents), ...ours] } }
  })
}

/** Whether a route or policy tells something of ours; where it does and nothing is ours any more, that is taken back. */
export function othersOf<T extends { readonly controllerName: string }>(entries: readonly T[] | undefined): T[] {
  return (entries ?? []).filter(({ controllerName }) => controllerName !== gatewayControllerName)
}

/** At most as many Gateways as a status can name. */
const mostAncestors = 16

/** The statuses of policies, by the Gateways whose routes lead to what they are for. */
export function policyStatuses({ policies, routes }: Pick<GatewayApiState, 'policies' | 'routes'>): WantedStatus[] {
  const gateways = new Map<PolicyState, Set<ObjectKey>>(policies.states.map((state) => [state, new Set()]))
  for (const { parents } of routes)
    for (const { gateway, policies: own } of parents)
      for (const one of own) gateways.get(one)?.add(keyOf(gateway.gateway))
  return [...gateways].flatMap(([{ policy, accepted, resolved }, keys]) => {
    const generation = policy.metadata.generation ?? 0
    const ours = [...keys].sort().map((key): PolicyAncestorStatus => {
      const { namespace, name } = splitKey(key)
      return {
        ancestorRef: { group: gatewayGroup, kind: 'Gateway', namespace, name },
        controllerName: gatewayControllerName,
        conditions: [condition('Accepted', accepted, generation), condition('ResolvedRefs', resolved, generation)],
      }
    })
    const before = (policy as BackendTLSPolicy).status?.ancestors ?? []
    const others = othersOf(before)
    if (ours.length === 0 && others.length === before.length) return []
    const ancestors = [...others, ...ours].slice(0, mostAncestors)
    return { kind: 'BackendTLSPolicy', object: policy, status: { ancestors } }
  })
}
