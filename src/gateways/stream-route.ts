import { keyOf } from '../cluster/index.ts'
import type { Backends, Referring } from './backend-reference.ts'
import type { StreamRouteObject } from './gateway-api.ts'
import type { WeightedTarget } from './model.ts'
import type { Verdict } from './verdict.ts'

/** Where a TLSRoute, TCPRoute or UDPRoute leads; the API allows one rule. */
export function compileStreamRoute(
  route: StreamRouteObject,
  backends: Backends,
  from: Referring,
): { readonly targets: readonly WeightedTarget[]; readonly refused?: Verdict } {
  const object = `${from.kind.toLowerCase()}/${keyOf(route)}`
  let refused: Verdict | undefined
  const targets = (route.spec?.rules ?? []).slice(0, 1).flatMap(({ backendRefs = [] }) =>
    backendRefs.map((reference, at): WeightedTarget => {
      const because = { object, field: `spec.rules[0].backendRefs[${at}]`, value: reference.name }
      const found = backends.resolve(reference, from, because)
      refused ??= found.refused
      return { weight: Math.max(0, reference.weight ?? 1), target: found.target, filters: [] }
    }),
  )
  return { targets: targets.filter(({ weight }) => weight > 0), ...(refused && { refused }) }
}
