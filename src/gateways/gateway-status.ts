import type { Address } from '../addr/index.ts'
import { keyOf, type ObjectKey } from '../cluster/index.ts'
import type { Condition, KubeObject } from '../objects/index.ts'
import { supportedFeatures } from './features.ts'
import type { GatewayClass, GatewayStatus, ListenerSet, ListenerStatus } from './gateway-api.ts'
import { gatewayGroup } from './gateway-api.ts'
import type { GatewayApiState } from './gateways.ts'
import { type GatewayState, isServed, type ListenerState } from './listeners.ts'
import { perObject, perObjectGiven } from './remember.ts'
import type { RouteState } from './routes.ts'
import { condition, type Verdict, verdict } from './verdict.ts'

/** The addresses that a Gateway's Service has, or why it has none. */
export interface GivenAddresses {
  readonly addresses: readonly Address[]
  readonly refusal?: string
}

/** A status as it should be, without the times of its conditions. */
export interface WantedStatus {
  readonly kind: string
  readonly object: KubeObject
  readonly status: object
}

/** The statuses of the GatewayClasses, Gateways and ListenerSets that are ours; what says the same is the same object as before. */
export function gatewayStatuses(
  {
    classes,
    gateways,
    clientCertificates,
    routes,
  }: Pick<GatewayApiState, 'classes' | 'gateways' | 'clientCertificates' | 'routes'>,
  addressesOf: (gateway: ObjectKey) => GivenAddresses,
): WantedStatus[] {
  const attached = attachedTo(routes)
  return [
    ...classes.map(ofClass),
    ...gateways.flatMap((state) => {
      const key = keyOf(state.gateway)
      const found = clientCertificates.get(key)
      const shown = found === undefined || 'pem' in found ? undefined : found
      const { addresses, refusal } = addressesOf(key)
      const counts = state.listeners.map((one) => attached.get(one))
      return ofGateway(state, [shown, addresses.join(' '), refusal, ...counts], () =>
        statusesAt(state, { addresses, ...(refusal !== undefined && { refusal }) }, shown, attached),
      )
    }),
  ]
}

const ofClass = perObject(
  (object: GatewayClass): WantedStatus => ({
    kind: 'GatewayClass',
    object,
    status: classStatus(object.metadata.generation ?? 0),
  }),
)
const ofGateway = perObjectGiven<GatewayState, readonly WantedStatus[]>()

function statusesAt(
  state: GatewayState,
  given: GivenAddresses,
  unresolved: Verdict | undefined,
  attached: Attached,
): readonly WantedStatus[] {
  const sets = state.sets.map(({ set, allowed }) => ({ set, ...setStatus(state, set, allowed, attached) }))
  const asking = sets.filter(({ accepted }) => accepted).length
  const status = gatewayStatus(state, given, asking, unresolved, attached)
  return [
    { kind: 'Gateway', object: state.gateway, status },
    ...sets.map(({ set, status }) => ({ kind: 'ListenerSet', object: set, status })),
  ]
}

/** How many routes listeners have. */
type Attached = ReadonlyMap<ListenerState, number>

function attachedTo(routes: readonly RouteState[]): Attached {
  const counts = new Map<ListenerState, number>()
  for (const { parents } of routes)
    for (const listener of new Set(parents.flatMap(({ at }) => at.map((one) => one.listener))))
      counts.set(listener, (counts.get(listener) ?? 0) + 1)
  return counts
}

function classStatus(generation: number): object {
  const accepted = verdict(true, 'Accepted', 'Plumb serves Gateways of this class')
  const version = verdict(true, 'SupportedVersion', 'Gateway API v1.6')
  return {
    conditions: [condition('Accepted', accepted, generation), condition('SupportedVersion', version, generation)],
    supportedFeatures: supportedFeatures.map((name) => ({ name })),
  }
}

function gatewayStatus(
  { gateway, accepted, listeners }: GatewayState,
  given: GivenAddresses,
  attachedListenerSets: number,
  unresolved: Verdict | undefined,
  attached: Attached,
): GatewayStatus {
  const generation = gateway.metadata.generation ?? 0
  const conditions = [
    condition('Accepted', accepted, generation),
    condition('Programmed', programmedOf(accepted, given), generation),
    condition('ResolvedRefs', unresolved ?? verdict(true, 'ResolvedRefs', 'all references are resolved'), generation),
    ...insecureFallback(listeners, generation),
  ]
  return {
    addresses: given.addresses.map((value) => ({ type: 'IPAddress', value })),
    conditions,
    listeners: listeners
      .filter(({ owner }) => owner === gateway)
      .map((one) => listenerStatus(one, generation, attached)),
    attachedListenerSets,
  }
}

function programmedOf(accepted: Verdict, { addresses, refusal }: GivenAddresses): Verdict {
  if (!accepted.ok) return verdict(false, 'Invalid', accepted.message)
  if (refusal !== undefined) return verdict(false, 'AddressNotUsable', refusal)
  if (addresses.length > 0) return verdict(true, 'Programmed', 'nodes serve it')
  return verdict(false, 'AddressNotAssigned', 'its Service has no external address yet; an IPAddressPool gives one')
}

/** GEP-91: who lets clients without a valid certificate in is told so. */
function insecureFallback(listeners: readonly ListenerState[], generation: number): Condition[] {
  if (!listeners.some(({ validation }) => validation?.mode === 'optional')) return []
  const says = verdict(
    true,
    'ConfigurationChanged',
    'clients without a valid certificate are let in (AllowInsecureFallback)',
  )
  return [condition('InsecureFrontendValidationMode', says, generation)]
}

function listenerStatus(listener: ListenerState, generation: number, attached: Attached): ListenerStatus {
  const { spec, kinds, accepted, resolved, conflicted } = listener
  const programmed = isServed(listener)
    ? verdict(true, 'Programmed', 'nodes serve it')
    : verdict(false, conflicted.ok ? conflicted.reason : 'Invalid', accepted.ok ? resolved.message : accepted.message)
  return {
    name: spec.name,
    supportedKinds: kinds.map((kind) => ({ group: gatewayGroup, kind })),
    attachedRoutes: attached.get(listener) ?? 0,
    conditions: [
      condition('Accepted', accepted, generation),
      condition('Programmed', programmed, generation),
      condition('ResolvedRefs', resolved, generation),
      condition('Conflicted', conflicted, generation),
    ],
  }
}

function setStatus(
  state: GatewayState,
  set: ListenerSet,
  allowed: boolean,
  attached: Attached,
): { accepted: boolean; status: object } {
  const generation = set.metadata.generation ?? 0
  const own = state.listeners.filter(({ owner }) => owner === set)
  const [accepted, programmed] = setVerdicts(state, own, allowed)
  return {
    accepted: accepted.ok,
    status: {
      conditions: [condition('Accepted', accepted, generation), condition('Programmed', programmed, generation)],
      listeners: own.map((one) => listenerStatus(one, generation, attached)),
    },
  }
}

function setVerdicts(state: GatewayState, own: readonly ListenerState[], allowed: boolean): [Verdict, Verdict] {
  const refused = (reason: string, says: string): [Verdict, Verdict] => {
    const both = verdict(false, reason, says)
    return [both, both]
  }
  if (!allowed) return refused('NotAllowed', 'the Gateway takes no ListenerSets of this namespace')
  if (!state.accepted.ok) return refused('ParentNotAccepted', state.accepted.message)
  const good = own.filter(isServed)
  if (good.length === 0) return refused('ListenersNotValid', 'none of its listeners can be served')
  const isWhole = good.length === own.length
  return [
    verdict(
      true,
      isWhole ? 'Accepted' : 'ListenersNotValid',
      isWhole ? 'its listeners are served' : 'not all of its listeners are served',
    ),
    verdict(true, 'Programmed', 'nodes serve it'),
  ]
}
