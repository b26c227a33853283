import { type Address, familyOf, findAddress } from '../addr/index.ts'
import { type Because, keyOf, type Snapshot } from '../cluster/index.ts'
import type { Node, Pod } from '../objects/index.ts'
import { decideExit } from './decide.ts'
import { EgressIndex } from './egress-index.ts'
import { inScope } from './grant.ts'
import type { EgressModel, EgressNode, Exit } from './model.ts'
import { readEgressNodes } from './node-index.ts'

/** How a pod's connection to a destination outside the cluster leaves, and why. */
export interface ExitAnswer {
  readonly kind: Exit['kind']
  /** Under which it leaves; undefined where it does not, or leaves under its node's address. */
  readonly address: Address | undefined
  readonly owner: string | undefined
  /** In the order of decision; the last one says what becomes of it. */
  readonly reasons: readonly { readonly says: string; readonly because: Because }[]
}

/** Who holds which address, as their owners wrote it down on the Egresses. */
export function ownersTold(snapshot: Pick<Snapshot, 'egresses'>): ReadonlyMap<Address, string> {
  const owners = new Map<Address, string>()
  for (const { status } of snapshot.egresses.values()) {
    const told: unknown = status?.addresses
    for (const one of Array.isArray(told) ? told : []) {
      const { address, node } = (one ?? {}) as { address?: unknown; node?: unknown }
      const parsed = typeof address === 'string' ? findAddress(address) : undefined
      if (parsed !== undefined && typeof node === 'string') owners.set(parsed, node)
    }
  }
  return owners
}

/** Which way out a pod has to `destination`, which nothing in the cluster has, by the same models that its node carries out. */
export function explainExit(
  snapshot: Snapshot,
  pod: Pod,
  destination: Address,
  world: {
    readonly addressesOf: (node: Node) => EgressNode['addresses']
    readonly owners: ReadonlyMap<Address, string>
    /** What in the cluster has an address, if anything. */
    readonly inCluster: (address: Address) => string | undefined
  },
): ExitAnswer {
  const key = keyOf(pod)
  const index = new EgressIndex()
  for (const [name, egress] of snapshot.egresses) index.put(name, egress)
  index.settle(world.inCluster)
  const [model, ...others] = index.selecting(candidate(snapshot, pod))
  const node = pod.spec.nodeName ?? ''
  if (model === undefined) {
    const because = { object: `pod/${key}`, field: 'metadata.labels', value: JSON.stringify(pod.metadata.labels ?? {}) }
    const says = `no Egress selects pod/${key}, so it leaves under the address of ${node}`
    return { kind: 'untouched', address: undefined, owner: undefined, reasons: [{ says, because }] }
  }
  const reasons = [selection(model, others, key)]
  if (!inScope(model.scope, destination)) {
    return {
      kind: 'untouched',
      address: undefined,
      owner: undefined,
      reasons: [...reasons, outOfScope(model, destination)],
    }
  }
  const { nodes } = readEgressNodes(snapshot.nodes.values(), world.addressesOf)
  const exit = decideExit(model, familyOf(destination), key, { node, nodes, owners: world.owners })
  if (exit.kind !== 'through') {
    const says = exit.kind === 'blocked' ? `dropped on ${node}: ${exit.says}` : exit.says
    return {
      kind: exit.kind,
      address: undefined,
      owner: undefined,
      reasons: [...reasons, { says, because: exit.because }],
    }
  }
  const { address, owner, ports } = exit
  const under = `under ${address} and a port of ${ports.first}-${ports.last}, which are those of ${node}`
  const onwards =
    owner === node ? `${node} answers for ${address} itself` : `through ${owner}, which answers for ${address}`
  const told = { object: model.object, field: 'status.addresses', value: `${address} ${owner}` }
  return {
    kind: 'through',
    address,
    owner,
    reasons: [...reasons, { says: under, because: exit.because }, { says: onwards, because: told }],
  }
}

/** A pod as selectors judge it. */
export function candidate(snapshot: Snapshot, { metadata }: Pod) {
  const namespace = metadata.namespace ?? ''
  const labels = snapshot.namespaces.get(namespace)?.metadata.labels
  return {
    namespace,
    labels: metadata.labels ?? {},
    namespaceLabels: { ...labels, 'kubernetes.io/metadata.name': namespace },
  }
}

function selection(model: EgressModel, others: readonly EgressModel[], pod: string) {
  const { object } = model
  const also =
    others.length === 0 ? '' : `; ${others.map((one) => one.object).join(', ')} too, but ${object} is older and holds`
  const { pods, namespaces } = model.selects
  const value = JSON.stringify({
    ...(pods && { podSelector: pods }),
    ...(namespaces && { namespaceSelector: namespaces }),
  })
  return { says: `${object} selects pod/${pod}${also}`, because: { object, field: 'spec.appliedTo', value } }
}

function outOfScope({ object, scope }: EgressModel, destination: Address) {
  const excluded = scope.excluded.find(
    (prefix) => !inScope({ destinations: undefined, excluded: [prefix] }, destination),
  )
  const [field, value] =
    excluded === undefined
      ? ['spec.destinationCIDRs', scope.destinations?.join(', ') ?? '']
      : ['spec.excludedCIDRs', excluded]
  const says = excluded === undefined ? 'is none of its destinations' : `is excluded by ${excluded}`
  return { says: `${destination} ${says}, so it leaves under the node’s address`, because: { object, field, value } }
}
