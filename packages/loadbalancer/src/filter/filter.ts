import type { Endpoint } from '../endpoint.ts'
import type { BalancedRequest } from '../instance.ts'

/** The instances of a list by what filters ask for. */
export class Inventory {
  readonly byId = new Map<string, Endpoint>()
  readonly #values = new Map<string, Set<string>>()

  constructor(endpoints: Iterable<Endpoint>) {
    for (const endpoint of endpoints) this.byId.set(endpoint.instance.instanceId, endpoint)
  }

  /** The values that a metadata key has among all instances. */
  valuesOf(key: string): ReadonlySet<string> {
    let values = this.#values.get(key)
    if (values === undefined) {
      values = new Set()
      for (const { instance } of this.byId.values()) {
        const value = instance.metadata?.[key]
        if (value !== undefined) values.add(value)
      }
      this.#values.set(key, values)
    }
    return values
  }
}

/**
 * Narrows the list. A filter that depends on the request says by `variantOf` which of finitely many lists the request wants
 * ('' is the plain one); answers must come from what the inventory has, never from the request alone, since lists are kept by variant.
 */
export interface Filter {
  readonly name: string
  variantOf?(request: BalancedRequest, inventory: Inventory): string
  /** A subset of `endpoints`, in order; the same array when it has no wish. */
  apply(endpoints: readonly Endpoint[], variant: string): readonly Endpoint[]
  /** Why an endpoint was left out. */
  because(endpoint: Endpoint, variant: string): string
  /** Told of each pick. */
  picked?(endpoint: Endpoint): void
}

/** Those that fulfil the wish, or all when none does, as Spring's filters do. */
export function preferring(endpoints: readonly Endpoint[], wish: (endpoint: Endpoint) => boolean): readonly Endpoint[] {
  const found = endpoints.filter(wish)
  return found.length === 0 || found.length === endpoints.length ? endpoints : found
}
