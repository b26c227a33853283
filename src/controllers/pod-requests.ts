import { type Container, type Pod, quantityValue } from '../objects/index.ts'

/** Amounts by resource: CPU in thousandths of a core, everything else in its own unit (bytes, devices). Whole numbers. */
export type Amounts = ReadonlyMap<string, number>

type Quantities = Readonly<Record<string, unknown>>
type Resources = { readonly limits?: Quantities; readonly requests?: Quantities }

/** What a list of quantities says. */
export function amountsOf(list: Quantities = {}): Map<string, number> {
  return new Map(
    Object.entries(list).flatMap(([name, quantity]) => {
      const value = quantityValue(quantity) * (name === 'cpu' ? 1000 : 1)
      // Rounding up, as upstream, and not for the sake of the last bit of a double.
      return Number.isNaN(value) ? [] : [[name, Math.ceil(value - 1e-6)] as const]
    }),
  )
}

/**
 * What a pod asks of its node (upstream's `PodRequests`): all containers and sidecars together, or the largest moment of the init
 * containers, whichever is more, and the overhead.
 */
export function podRequests({ spec }: Pod): Amounts {
  const total = new Map<string, number>()
  for (const container of spec.containers) add(total, requestsOf(container))
  const sidecars = new Map<string, number>()
  const most = new Map<string, number>()
  for (const container of spec.initContainers ?? []) {
    const own = requestsOf(container)
    if ((container as { restartPolicy?: string }).restartPolicy === 'Always') {
      add(total, own)
      add(sidecars, own)
      raise(most, sidecars)
    } else {
      add(own, sidecars)
      raise(most, own)
    }
  }
  raise(total, most)
  add(total, amountsOf((spec as { overhead?: Quantities }).overhead))
  return total
}

function requestsOf(container: Container): Map<string, number> {
  const { limits, requests } = (container as { resources?: Resources }).resources ?? {}
  return amountsOf({ ...limits, ...requests })
}

function add(into: Map<string, number>, more: Amounts): void {
  for (const [name, amount] of more) into.set(name, (into.get(name) ?? 0) + amount)
}

function raise(into: Map<string, number>, other: Amounts): void {
  for (const [name, amount] of other) into.set(name, Math.max(into.get(name) ?? 0, amount))
}
