import { type Address, findAddress } from '../addr/index.ts'
import { type Ingress, type IngressClass, ingressStatus } from '../gateways/index.ts'
import { IngressClasses, Ingresses, type Node, Nodes } from '../objects/index.ts'
import { managesBalancer } from './balancer-status.ts'
import type { Context } from './context.ts'
import { findCondition } from './pod-state.ts'
import { writeStatus } from './status-write.ts'

/** By which `managedFields` tells our entries from those of other ingress controllers. */
const fieldManager = 'plumb-ingress-status'

const excludeLabel = 'node.kubernetes.io/exclude-from-external-load-balancers'

/** Tells in `status.loadBalancer` of each Ingress of ours where gateways answer, and takes it back when the Ingress is ours no longer. */
export function ingressStatusController(context: Context): void {
  const ingresses = context.informer<Ingress>(Ingresses)
  const classes = context.informer<IngressClass>(IngressClasses)
  const nodes = context.informer<Node>(Nodes)
  let addresses: readonly Address[] | undefined
  const queue = context.queue({
    name: 'ingress-status',
    async work(key) {
      const ingress = ingresses.get(key)
      if (ingress === undefined || ingress.metadata.deletionTimestamp !== undefined) return
      addresses ??= gatewayAddresses(nodes.values())
      const wanted = ingressStatus(ingress, [...classes.values()], addresses)
      if (wanted !== undefined) await writeStatus(context, Ingresses, ingress, wanted, fieldManager)
      else if (await managesBalancer(context, Ingresses, ingress, fieldManager))
        await writeStatus(context, Ingresses, ingress, { loadBalancer: {} }, fieldManager)
    },
  })
  const addAll = (): void => {
    for (const { metadata } of ingresses.values()) queue.add(`${metadata.namespace}/${metadata.name}`)
  }
  context.onClose(ingresses.onChange((_, __, key) => queue.add(key)))
  context.onClose(classes.onChange(addAll))
  context.onClose(
    nodes.onChange((old, node) => {
      if (String(old && nodeAddresses(old)) === String(node && nodeAddresses(node))) return
      addresses = undefined
      addAll()
    }),
  )
}

/** Where the gateways of these nodes answer for clients outside, in a stable order. */
function gatewayAddresses(nodes: Iterable<Node>): Address[] {
  return [...new Set([...nodes].flatMap(nodeAddresses))].sort()
}

/** The ExternalIPs of a Ready node, its InternalIPs when it has none. */
function nodeAddresses({ metadata, status }: Node): Address[] {
  if (findCondition(status?.conditions, 'Ready')?.status !== 'True') return []
  if (metadata.deletionTimestamp !== undefined || metadata.labels?.[excludeLabel] !== undefined) return []
  const all = status?.addresses ?? []
  const external = all.filter(({ type }) => type === 'ExternalIP')
  const chosen = external.length > 0 ? external : all.filter(({ type }) => type === 'InternalIP')
  return chosen.flatMap(({ address }) => findAddress(address) ?? [])
}
