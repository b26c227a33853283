import type { Finding, Snapshot } from '../cluster/index.ts'
import { ownersTold, surveyEgress } from '../egress/index.ts'
import { egressWorld } from './egress-world.ts'
import { nearest } from './end.ts'
import { holdersTold } from './holders.ts'

/** An Egress on one screen; `schema` changes when a field changes its meaning. */
export interface EgressView {
  readonly schema: 'plumb.network/show/v1'
  readonly object: string
  readonly well: boolean
  readonly says: string
  /** `owner`: the node that answers for it, by its own word on the object. */
  readonly addresses: readonly {
    readonly address: string
    readonly owner: string | undefined
    /** RFC 3339 */
    readonly since: string | undefined
    /** Why the owner's word may be out of date. */
    readonly stale: string | undefined
  }[]
  readonly destinations: string
  /** `leaves`: under which address and ports, or why not. */
  readonly pods: readonly {
    readonly pod: string
    readonly node: string
    readonly well: boolean
    readonly leaves: readonly string[]
  }[]
  readonly findings: readonly Finding[]
}

/** Draws an Egress out of the objects; text for one that does not exist, with the nearest names. */
export function egressView(snapshot: Snapshot, name: string): EgressView | string {
  const owners = ownersTold(snapshot)
  const found = surveyEgress(snapshot, name, egressWorld(snapshot))
  if (found === undefined) {
    const others = [...snapshot.egresses.keys()]
    return `there is no Egress ${name}${others.length === 0 ? '; there is none at all' : nearest(name, others)}`
  }
  const { model, findings } = found
  const { perPod } = model.ports
  const share = perPod === undefined ? 'shared by its pods' : `${perPod} for each pod`
  const pods = found.pods.map(({ pod, node, heldBy, exits }) => {
    const leaves = exits.map(({ exit }) =>
      exit.kind === 'through'
        ? `under ${exit.address}, ports ${exit.ports.first}-${exit.ports.last} (those of ${node}, ${share}), through ${exit.owner}`
        : `${exit.kind === 'blocked' ? 'dropped: ' : ''}${exit.says}`,
    )
    const older = heldBy === undefined ? [] : [`${heldBy} selects it too, is older and holds`]
    const all = [...older, ...leaves]
    return {
      pod,
      node,
      well: exits.length > 0 && exits.some(({ exit }) => exit.kind === 'through'),
      leaves: all.length === 0 ? ['has no address yet'] : all,
    }
  })
  const addresses = model.addresses.map(({ address }) => {
    const holder = holdersTold(snapshot, address).find(({ node }) => node === owners.get(address))
    return { address, owner: owners.get(address), since: holder?.since, stale: holder?.stale }
  })
  const bad = pods.filter(({ well }) => !well)
  const { destinations, excluded } = model.scope
  const except = excluded.length === 0 ? '' : ` except ${excluded.join(', ')}`
  return {
    schema: 'plumb.network/show/v1',
    object: model.object,
    well:
      addresses.length > 0 &&
      pods.length > 0 &&
      bad.length === 0 &&
      addresses.every(({ owner, stale }) => owner !== undefined && stale === undefined),
    says: summary(addresses, pods.length, bad.length),
    addresses,
    destinations: `${destinations?.join(', ') ?? 'all outside the cluster'}${except}`,
    pods,
    findings,
  }
}

function summary(addresses: EgressView['addresses'], pods: number, bad: number): string {
  if (addresses.length === 0)
    return 'it has no address (spec.egressIP, spec.egressIPs or spec.externalIPPool gives one)'
  const idle = addresses.find(({ owner }) => owner === undefined)
  if (idle !== undefined) return `no node holds ${idle.address} (status.addresses)`
  const old = addresses.find(({ stale }) => stale !== undefined)
  if (old !== undefined) return `${old.owner} said last that it holds ${old.address}, but ${old.stale}`
  if (pods === 0) return 'it selects no pod (spec.appliedTo)'
  if (bad > 0) return `${bad} of ${pods} selected pods do not leave by it`
  return `${pods} ${pods === 1 ? 'pod leaves' : 'pods leave'} under ${addresses.length} ${addresses.length === 1 ? 'address' : 'addresses'}`
}

/** The same as text; of many pods those that do not leave come first, and the others are counted past `limit`. */
export function renderEgressView(view: EgressView, limit = 8): string {
  const order = [...view.pods].sort((a, b) => Number(a.well) - Number(b.well))
  const rest = order.length - limit
  return [
    `${view.well ? '✓' : '✗'} ${view.object}: ${view.says}`,
    '',
    'Addresses',
    ...(view.addresses.length === 0 ? ['  none'] : []),
    ...view.addresses.map(({ address, owner, since, stale }) => {
      const words = `${since === undefined ? '' : ` since ${since}`}${stale === undefined ? '' : `, but ${stale}`}`
      return `  ${address}  ${owner === undefined ? 'held by nobody' : `held by ${owner}${words}`}`
    }),
    '',
    'Destinations',
    `  ${view.destinations}`,
    '',
    'Pods',
    ...(order.length === 0 ? ['  none is selected'] : []),
    ...order
      .slice(0, limit)
      .flatMap(({ pod, node, well, leaves }) =>
        leaves.map((says) => `  ${well ? '✓' : '✗'} ${pod} on ${node}: ${says}`),
      ),
    ...(rest > 0 ? [`  … and ${rest} more pods (-o json has them all)`] : []),
    ...view.findings.flatMap(({ object, field, says, try: remedy }) => [
      '',
      `! ${object} ${field}: ${says}`,
      `  try: ${remedy}`,
    ]),
  ].join('\n')
}
