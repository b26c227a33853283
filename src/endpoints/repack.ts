import type { EndpointPort, Endpoints } from '../objects/index.ts'
import { portsKey } from './ports.ts'

/** One subset of an Endpoints object. */
export type Subset = NonNullable<Endpoints['subsets']>[number]
/** One address of a subset. */
export type SubsetAddress = NonNullable<Subset['addresses']>[number]

/** One address with all the ports that it serves. */
export interface AddressWithPorts {
  readonly address: SubsetAddress
  readonly ready: boolean
  readonly ports: readonly EndpointPort[]
}

/** The subsets that hold these addresses, one per port list, in canonical order (k/k endpoints.RepackSubsets). */
export function repackSubsets(addresses: readonly AddressWithPorts[]): Subset[] {
  const groups = new Map<string, AddressWithPorts[]>()
  for (const entry of addresses) {
    const key = portsKey(entry.ports)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [entry])
    else group.push(entry)
  }
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, group]) => {
      const ready = sorted(group.filter(({ ready }) => ready))
      const notReady = sorted(group.filter(({ ready }) => !ready))
      const ports = group[0]?.ports.toSorted(byPort) ?? []
      return {
        ...(ready.length > 0 && { addresses: ready }),
        ...(notReady.length > 0 && { notReadyAddresses: notReady }),
        ...(ports.length > 0 && { ports }),
      }
    })
}

function sorted(entries: readonly AddressWithPorts[]): SubsetAddress[] {
  return entries.map(({ address }) => address).sort(byAddress)
}

function byAddress(a: SubsetAddress, b: SubsetAddress): number {
  if (a.ip !== b.ip) return a.ip < b.ip ? -1 : 1
  return (a.targetRef?.uid ?? '') < (b.targetRef?.uid ?? '') ? -1 : 1
}

function byPort(a: EndpointPort, b: EndpointPort): number {
  if (a.name !== b.name) return (a.name ?? '') < (b.name ?? '') ? -1 : 1
  return (a.port ?? 0) - (b.port ?? 0)
}

const capacity = 1000

/**
 * Cuts an Endpoints object's subsets to 1000 addresses, ready ones first and the cut shared out over the subsets; undefined when
 * there is nothing to cut (k/k truncateEndpoints).
 */
export function truncateSubsets(subsets: readonly Subset[]): Subset[] | undefined {
  const ready = count(subsets, 'addresses')
  const notReady = count(subsets, 'notReadyAddresses')
  if (ready + notReady <= capacity) return undefined
  const field = ready > capacity ? 'addresses' : 'notReadyAddresses'
  const room = ready > capacity ? capacity : capacity - ready
  const total = ready > capacity ? ready : notReady
  let left = room
  return subsets.map(({ addresses, notReadyAddresses, ports }) => {
    const from = (field === 'addresses' ? addresses : notReadyAddresses) ?? []
    const share = from.slice(0, Math.min(left, Math.ceil((from.length / total) * room)))
    left -= share.length
    const kept =
      field === 'addresses' ? { addresses: share } : { ...(addresses && { addresses }), notReadyAddresses: share }
    return { ...kept, ...(ports && { ports }) }
  })
}

function count(subsets: readonly Subset[], field: 'addresses' | 'notReadyAddresses'): number {
  return subsets.reduce((sum, subset) => sum + (subset[field]?.length ?? 0), 0)
}
