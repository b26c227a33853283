import { keyOf, type ObjectKey, splitKey } from '../cluster/index.ts'
import type { PolicyState } from './backend-tls.ts'
import type { BackendTLSPolicy, PolicyAncestorStatus, RouteParentStatus } from './gateway-api.ts'
import { gatewayGroup } from './gateway-api.ts'
import type { WantedStatus } from './gateway-status.ts'
import { type GatewayApiState, gatewayControllerName } from './gateways.ts'
import { perObject, perObjectGiven } from './remember.ts'
import type { RouteState } from './routes.ts'
import { condition } from './verdict.ts'

/** The statuses of routes at Gateways of ours; what says the same is the same object as before. What other controllers wrote stays. */
export function routeStatuses({ routes }: Pick<GatewayApiState, 'routes'>): WantedStatus[] {
  return routes.map(ofRoute)
}

const ofRoute = perObject(({ route, kind, parents }: RouteState): WantedStatus => {
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
  return [...gateways].flatMap(([state, keys]) => {
    const ancestors = [...keys].sort()
    return ofPolicy(state, ancestors, () => statusOf(state, ancestors))
  })
}

const ofPolicy = perObjectGiven<PolicyState, readonly WantedStatus[]>()

function statusOf({ policy, accepted, resolved }: PolicyState, gateways: readonly ObjectKey[]): WantedStatus[] {
  const generation = policy.metadata.generation ?? 0
  const ours = gateways.map((key): PolicyAncestorStatus => {
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
  return [{ kind: 'BackendTLSPolicy', object: policy, status: { ancestors } }]
}
