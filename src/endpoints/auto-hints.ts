import { isDeepStrictEqual } from 'node:util'
import type { EndpointSlice } from '../objects/index.ts'
import type { SliceFamily } from './address-types.ts'
import type { SlicePlan } from './family-slices.ts'
import type { ZoneShares } from './zone-capacity.ts'
import { allocateZoneHints, stripHints } from './zone-hints.ts'

/** News about a Service's hints, as an event tells it. */
export interface HintsNews {
  readonly type: 'Normal' | 'Warning'
  readonly reason: 'TopologyAwareHintsEnabled' | 'TopologyAwareHintsDisabled'
  readonly says: string
}

/**
 * The hints of one Service with `topology-mode: Auto`. Packing sees slices without hints, since a hint belongs to a place among
 * all slices and not to an endpoint; what is stored is kept here.
 */
export class AutoHints {
  readonly #stored = new Map<string, EndpointSlice>()
  /** What was last told of each family; the empty text when it has hints. */
  readonly #told = new Map<SliceFamily, string>()
  #news: HintsNews[] = []

  /** Takes the stored slice and gives the one that packing is to see. */
  keep(name: string, slice: EndpointSlice | undefined): EndpointSlice | undefined {
    if (slice === undefined) this.#stored.delete(name)
    else this.#stored.set(name, slice)
    return slice && stripHints(slice)
  }

  /** The plan of one family with hints; `slices` are the family's as packing sees them. */
  hint(
    family: SliceFamily,
    plan: SlicePlan,
    slices: Iterable<EndpointSlice>,
    shares: ZoneShares | undefined,
  ): SlicePlan {
    const touched = new Set([...plan.update, ...plan.delete].map(({ metadata }) => metadata.name))
    const unchanged = [...slices]
      .filter(({ metadata }) => !touched.has(metadata.name))
      .map((slice) => this.#stored.get(slice.metadata.name) ?? slice)
      .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    const hinted = allocateZoneHints({ create: plan.create, update: plan.update, unchanged }, shares)
    this.#tell(family, hinted.disabled)
    const update = hinted.update.filter((slice) => !isDeepStrictEqual(slice, this.#stored.get(slice.metadata.name)))
    return { create: hinted.create, update, delete: plan.delete }
  }

  /** What has not been told yet. */
  takeNews(): readonly HintsNews[] {
    const news = this.#news
    this.#news = []
    return news
  }

  /** The slices as they are stored. */
  get stored(): readonly EndpointSlice[] {
    return [...this.#stored.values()]
  }

  /** The Service does not ask for these hints any more. */
  end(): void {
    for (const [family, disabled] of this.#told)
      if (disabled === '') this.#say(family, 'Topology Aware Hints has been disabled')
    this.#told.clear()
    this.#stored.clear()
  }

  #tell(family: SliceFamily, disabled: string | undefined): void {
    if (this.#told.get(family) === (disabled ?? '')) return
    this.#told.set(family, disabled ?? '')
    this.#say(family, disabled)
  }

  #say(family: SliceFamily, disabled: string | undefined): void {
    const says = `${disabled ?? 'Topology Aware Hints has been enabled'}, addressType: ${family}`
    this.#news.push(
      disabled === undefined
        ? { type: 'Normal', reason: 'TopologyAwareHintsEnabled', says }
        : { type: 'Warning', reason: 'TopologyAwareHintsDisabled', says },
    )
  }
}
