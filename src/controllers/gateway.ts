import { findAddress } from '../addr/index.ts'
import {
  GatewayApiStates,
  type GivenAddresses,
  gatewayServiceName,
  gatewayStatuses,
  keepTimes,
  othersOf,
  policyStatuses,
  readRefusals,
  refusedAnnotation,
  routeStatuses,
  type WantedStatus,
  withRefusals,
} from '../gateways/index.ts'
import { type Condition, type KubeObject, type Node, Nodes, type Service } from '../objects/index.ts'
import type { Context } from './context.ts'
import { gatewayInfrastructure } from './gateway-infrastructure.ts'
import { type GatewayCaches, type GatewayKind, gatewayResources, openGatewayCaches } from './gateway-objects.ts'
import { writeStatus } from './status-write.ts'

/** Tells everything of the Gateway API that is ours its status, and gives each Gateway the Service by which it gets its address. */
export function gatewayController(context: Context): void {
  const states = new GatewayApiStates()
  const caches = openGatewayCaches(context, states, () => queue.add('all'))
  const told = new WeakSet<WantedStatus>()
  const tell = async (wanted: WantedStatus): Promise<void> => {
    if (told.has(wanted)) return
    await write(context, wanted)
    told.add(wanted)
  }
  const infrastructure = gatewayInfrastructure(context, caches, () => queue.add('all'))
  const nodes = context.informer<Node>(Nodes)
  const refusedAt = (node: Node | undefined): string | undefined => node?.metadata.annotations?.[refusedAnnotation]
  context.onClose(
    nodes.onChange((old, node) => {
      if (refusedAt(old) !== refusedAt(node)) queue.add('all')
    }),
  )
  const queue = context.queue({
    name: 'gateway',
    workers: 1,
    async work() {
      const state = states.compile(caches.sources())
      const refused = readRefusals(nodes.values())
      const results = await Promise.allSettled([
        infrastructure.apply(state),
        ...[
          ...gatewayStatuses(state, (key) => givenAddresses(key, caches)),
          ...routeStatuses(state),
          ...policyStatuses(state),
          ...abandoned(caches, new Set(state.routes.map(({ route }) => route))),
        ].map((wanted) => tell(withRefusals(wanted, refused))),
      ])
      for (const result of results) if (result.status === 'rejected') throw result.reason
    },
  })
}

/** The addresses of a Gateway's Service: those that pools gave it. */
function givenAddresses(key: string, { byKind, services }: GatewayCaches): GivenAddresses {
  const gateway = byKind.Gateway.get(key)
  const service: Service | undefined =
    gateway && services.get(`${gateway.metadata.namespace}/${gatewayServiceName(gateway)}`)
  const ingress = service?.status?.loadBalancer?.ingress ?? []
  const addresses = ingress.flatMap(({ ip = '' }) => findAddress(ip) ?? [])
  const asked = service?.metadata.annotations?.['plumb.network/loadBalancerIPs']
  const refused = asked && (service?.status?.conditions ?? []).find(isRefusal)
  return refused ? { addresses, refusal: refused.message ?? `${asked} cannot be given` } : { addresses }
}

function isRefusal({ type, status }: Condition): boolean {
  return type === 'plumb.network/AddressesAssigned' && status === 'False'
}

/** Routes that tell something of ours although no parent is ours any more. */
function abandoned({ byKind }: GatewayCaches, served: ReadonlySet<KubeObject>): WantedStatus[] {
  const kinds = ['HTTPRoute', 'GRPCRoute', 'TLSRoute', 'TCPRoute', 'UDPRoute'] as const
  return kinds.flatMap((kind) =>
    [...byKind[kind].values()].flatMap((object) => {
      if (served.has(object)) return []
      const parents = (object as RouteWithStatus).status?.parents ?? []
      const others = othersOf(parents)
      if (others.length === parents.length) return []
      return [{ kind, object, status: { parents: others } }]
    }),
  )
}

type RouteWithStatus = KubeObject & { status?: { parents?: { controllerName: string; conditions: Condition[] }[] } }

async function write(context: Context, { kind, object, status }: WantedStatus): Promise<void> {
  if (object.metadata.deletionTimestamp !== undefined) return
  const now = new Date(context.now()).toISOString().replace(/\.\d+Z$/, 'Z')
  const timed = withTimes((object as { status?: unknown }).status, status, now)
  await writeStatus(context, gatewayResources[kind as GatewayKind], object as KubeObject & { status?: object }, timed)
}

/** Conditions wherever they are in a status get the times of those that they repeat; lists are compared by what names their entries. */
function withTimes(old: unknown, next: object, now: string): object {
  return Object.fromEntries(
    Object.entries(next).map(([key, value]) => {
      const before = (old as Record<string, unknown> | undefined)?.[key]
      if (key === 'conditions') return [key, keepTimes(before as Condition[] | undefined, value, now)]
      if (!Array.isArray(value)) return [key, value]
      const known = Array.isArray(before) ? before : []
      return [key, value.map((entry) => withEntryTimes(known, entry, now))]
    }),
  )
}

function withEntryTimes(known: readonly object[], entry: unknown, now: string): unknown {
  if (typeof entry !== 'object' || entry === null || !('conditions' in entry)) return entry
  return withTimes(
    known.find((one) => nameOf(one) === nameOf(entry)),
    entry,
    now,
  )
}

function nameOf(entry: object): string {
  const { name, parentRef, ancestorRef, controllerName } = entry as Readonly<Record<string, unknown>>
  return JSON.stringify([name, parentRef ?? ancestorRef, controllerName])
}
