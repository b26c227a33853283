import { ApiError, type Resource } from '../client/index.ts'
import { internalAddresses, keyOf } from '../cluster/index.ts'
import {
  type GatewayApiState,
  type GatewayNode,
  gatewayNameLabel,
  gatewayServiceName,
  planInfrastructure,
  TargetPorts,
} from '../gateways/index.ts'
import { EndpointSlices, type KubeObject, type Node, Nodes, Services } from '../objects/index.ts'
import type { Context } from './context.ts'
import { type GatewayCaches, isForGateway } from './gateway-objects.ts'
import { findCondition } from './pod-state.ts'

const fieldManager = 'plumb-gateway'

/** Keeps Services and slices of Gateways as they should be. */
export function gatewayInfrastructure(context: Context, caches: GatewayCaches, onChange: () => void) {
  const nodes = context.informer<Node>(Nodes)
  context.onClose(
    nodes.onChange((old, node) => {
      if (JSON.stringify(old && gatewayNode(old)) !== JSON.stringify(node && gatewayNode(node))) onChange()
    }),
  )
  const targets = new TargetPorts()
  const written = new Map<string, string>()
  let learned = false
  return {
    async apply(state: Pick<GatewayApiState, 'gateways'>): Promise<void> {
      const gateways = new Map(state.gateways.map((one) => [keyOf(one.gateway), one]))
      const own = [...caches.services.values()].filter(isOurs)
      if (!learned) {
        learned = true
        for (const service of own) targets.learn(gatewayOf(service), service)
      }
      targets.keepOnly(new Set(gateways.keys()))
      const here = [...nodes.values()].flatMap((node) => gatewayNode(node) ?? [])
      const wanted = state.gateways.flatMap((one) => {
        const key = `${one.gateway.metadata.namespace}/${gatewayServiceName(one.gateway)}`
        const plan = planInfrastructure(one, caches.services.get(key), targets, here)
        return plan === undefined ? [] : [plan]
      })
      const services = wanted.map(({ service }) => service)
      const slices = wanted.flatMap((plan) => plan.slices)
      await Promise.all([
        ...services.map((one) => put(context, Services, one, caches.services.get(keyOf(one)), written)),
        ...slices.map((one) => put(context, EndpointSlices, one, caches.slices.get(keyOf(one)), written)),
      ])
      const kept = new Set([...services, ...slices].map((one) => `${one.kind} ${keyOf(one)}`))
      const gone = [...own, ...[...caches.slices.values()].filter(isOurs)].filter(
        (one) => !kept.has(`${kindOf(one)} ${keyOf(one)}`),
      )
      await Promise.all(gone.map((one) => remove(context, one, written)))
    },
  }
}

/** Made by us for a Gateway, which owns it. */
function isOurs(object: KubeObject): boolean {
  const { labels = {}, ownerReferences = [] } = object.metadata
  return (
    isForGateway(object) &&
    labels['app.kubernetes.io/managed-by'] === 'plumb' &&
    ownerReferences.some(({ kind }) => kind === 'Gateway')
  )
}

function gatewayOf({ metadata }: KubeObject): string {
  return `${metadata.namespace}/${metadata.labels?.[gatewayNameLabel]}`
}

/** Objects out of lists may come without their kind. */
function kindOf(object: KubeObject): 'Service' | 'EndpointSlice' {
  return 'addressType' in object ? 'EndpointSlice' : 'Service'
}

/** A node that can answer: it is Ready, and nobody takes it out of balancers. */
function gatewayNode(node: Node): GatewayNode | undefined {
  const { metadata, status } = node
  if (findCondition(status?.conditions, 'Ready')?.status !== 'True') return undefined
  if (metadata.deletionTimestamp !== undefined) return undefined
  return { name: metadata.name, addresses: internalAddresses(node) }
}

async function put<T extends KubeObject>(
  { client }: Context,
  resource: Resource,
  wanted: T,
  existing: T | undefined,
  written: Map<string, string>,
): Promise<void> {
  const { namespace, name } = wanted.metadata
  const key = `${wanted.kind} ${keyOf(wanted)}`
  const text = JSON.stringify(wanted)
  if (existing !== undefined && written.get(key) === text && holds(existing, wanted)) return
  try {
    await client.patch(resource, namespace, name, 'apply', wanted, { fieldManager, force: true })
    written.set(key, text)
  } catch (error) {
    // A namespace that ends takes nothing new, and the Gateway goes with it.
    if (!(error instanceof ApiError && (error.code === 404 || error.code === 403))) throw error
  }
}

/** Whether an object says all that is wanted; what else it says is somebody else's. */
function holds(existing: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted))
    return (
      Array.isArray(existing) &&
      existing.length === wanted.length &&
      wanted.every((entry, at) => holds(existing[at], entry))
    )
  if (typeof wanted !== 'object' || wanted === null) return existing === wanted
  if (typeof existing !== 'object' || existing === null) return false
  return Object.entries(wanted).every(
    ([key, value]) =>
      key === 'kind' || key === 'apiVersion' || holds((existing as Record<string, unknown>)[key], value),
  )
}

async function remove({ client }: Context, object: KubeObject, written: Map<string, string>): Promise<void> {
  const { namespace, name, uid } = object.metadata
  const kind = kindOf(object)
  written.delete(`${kind} ${keyOf(object)}`)
  try {
    const resource = kind === 'Service' ? Services : EndpointSlices
    await client.delete(resource, namespace, name, uid ? { preconditions: { uid } } : {})
  } catch (error) {
    if (!(error instanceof ApiError && error.code === 404)) throw error
  }
}
