import type { Endpoint, EndpointPort, EndpointSlice, Node, Pod, Service } from '../objects/index.ts'
import { type SliceFamily, sliceFamilies } from './address-types.ts'
import { AutoHints, type HintsNews } from './auto-hints.ts'
import { FamilySlices, type SlicePlan } from './family-slices.ts'
import { type HintMode, hintMode } from './hints.ts'
import { endpointKey, podEndpoint, sameEndpoint } from './pod-endpoint.ts'
import { mayBeEndpoint } from './pod-state.ts'
import { endpointPorts, portsKey } from './ports.ts'
import { sliceLabels, weightAnnotation, withWeights } from './slice-object.ts'
import { TriggerTime } from './trigger-time.ts'
import type { ZoneShares } from './zone-capacity.ts'

export interface SliceOptions {
  /** The most endpoints that are put into one slice; KEP-0752's default is 100. */
  readonly maxEndpointsPerSlice?: number
  /** The Node of this name, which gives an endpoint its zone. */
  readonly findNode: (name: string) => Node | undefined
  /** Each zone's share of the CPU; without it the topology mode Auto gives no hints. */
  readonly zoneShares?: () => ZoneShares | undefined
}

/** A Pod that is left out of the slices because its Node does not exist: to be tried again. */
export interface MissingNode {
  readonly pod: string
  readonly node: string
}

interface Entry {
  readonly pod: Pod
  readonly portsKey: string | undefined
  readonly ports: readonly EndpointPort[]
  readonly endpoints: ReadonlyMap<SliceFamily, Endpoint>
  readonly missingNode: string | undefined
  /** The pod's own words for its weight; whoever reads slices judges them. */
  readonly weight: string | undefined
}

/**
 * The endpoints of one Service with a selector, kept up to date change by change: `plan` says what to write. It believes only what
 * `setSlice` tells, so a plan that was not carried out comes again.
 */
export class ServiceEndpoints {
  readonly #max: number
  readonly #findNode: SliceOptions['findNode']
  readonly #zoneShares: SliceOptions['zoneShares']
  readonly #entries = new Map<string, Entry>()
  readonly #missing = new Map<string, MissingNode>()
  readonly #unsupported = new Map<string, EndpointSlice>()
  readonly #families = new Map<SliceFamily, FamilySlices>()
  readonly #triggers: TriggerTime
  #service: Service
  #labels: Readonly<Record<string, string>>
  #hints: HintMode
  /** Made when the Service first asks for it: few do. */
  #auto: AutoHints | undefined

  constructor(service: Service, options: SliceOptions) {
    this.#service = service
    this.#labels = sliceLabels(service)
    this.#hints = hintMode(service)
    this.#max = options.maxEndpointsPerSlice ?? 100
    this.#findNode = options.findNode
    this.#zoneShares = options.zoneShares
    if (this.#hints === 'auto') this.#auto = new AutoHints()
    this.#triggers = new TriggerTime(service)
    for (const family of sliceFamilies(service)) this.#families.set(family, new FamilySlices(family))
  }

  get service(): Service {
    return this.#service
  }

  /** Pods that wait for their Node. */
  get missingNodes(): Iterable<MissingNode> {
    return this.#missing.values()
  }

  /** The Pods that the Service selects. */
  *pods(): Iterable<Pod> {
    for (const { pod } of this.#entries.values()) yield pod
  }

  get podCount(): number {
    return this.#entries.size
  }

  /** Whether the hints depend on what all zones have to give. */
  get followsZones(): boolean {
    return this.#hints === 'auto'
  }

  /** Takes a new version of the Service; every endpoint is made again. */
  setService(service: Service): void {
    const slices = this.#storedSlices()
    this.#service = service
    this.#labels = sliceLabels(service)
    this.#hints = hintMode(service)
    if (this.#hints === 'auto') this.#auto ??= new AutoHints()
    else this.#auto?.end()
    this.#triggers.setService(service)
    this.#families.clear()
    this.#unsupported.clear()
    for (const family of sliceFamilies(service)) this.#families.set(family, new FamilySlices(family))
    const pods = [...this.#entries]
    this.#entries.clear()
    this.#missing.clear()
    for (const slice of slices) this.setSlice(slice.metadata.name, slice)
    for (const [key, { pod }] of pods) this.setPod(key, pod)
  }

  /** Takes a selected Pod's newest version, or its absence from the selection. Says whether the endpoints changed. */
  setPod(key: string, pod: Pod | undefined): boolean {
    const old = this.#entries.get(key)
    const entry = pod === undefined ? undefined : this.#compile(pod)
    if (entry === undefined) this.#entries.delete(key)
    else this.#entries.set(key, entry)
    if (entry?.missingNode === undefined) this.#missing.delete(key)
    else this.#missing.set(key, { pod: key, node: entry.missingNode })
    this.#triggers.setPod(key, pod)
    if (old !== undefined && entry !== undefined && sameEntry(old, entry)) return false
    for (const family of this.#families.values()) this.#replace(family, old, entry)
    return old?.portsKey !== undefined || entry?.portsKey !== undefined
  }

  /** Takes the newest version of one of the Service's slices that this controller manages, or its absence. */
  setSlice(name: string, slice: EndpointSlice | undefined): void {
    // A slice on its way out must neither be filled nor deleted again.
    const stored = slice?.metadata.deletionTimestamp === undefined ? slice : undefined
    const alive = this.#hints === 'auto' ? this.#auto?.keep(name, stored) : stored
    this.#unsupported.delete(name)
    for (const family of this.#families.values())
      family.setSlice(name, alive?.addressType === family.family ? alive : undefined, this.#service)
    if (alive !== undefined && !this.#families.has(alive.addressType as SliceFamily)) this.#unsupported.set(name, alive)
  }

  /** What to write now, and the trigger time that belongs on it. */
  plan(): SlicePlan {
    const plans = [...this.#families.values()].map((family) => family.plan(this.#service, this.#labels, this.#max))
    const plan = this.#weigh({
      create: plans.flatMap(({ create }) => create),
      update: plans.flatMap((plan) => plan.update),
      delete: [...plans.flatMap((plan) => plan.delete), ...this.#unsupported.values()],
    })
    return this.#hints === 'auto' ? this.#hint(plan) : plan
  }

  /** What became of the hints of topology mode Auto, each change once. */
  takeHintsNews(): readonly HintsNews[] {
    return this.#auto?.takeNews() ?? []
  }

  #storedSlices(): readonly EndpointSlice[] {
    if (this.#hints === 'auto') return this.#auto?.stored ?? []
    return [...this.#unsupported.values(), ...[...this.#families.values()].flatMap((f) => [...f.slices()])]
  }

  #hint(plan: SlicePlan): SlicePlan {
    const shares = this.#zoneShares?.()
    const hinted = [...this.#families].map(([family, slices]) => {
      const mine = ({ addressType }: EndpointSlice) => addressType === family
      const part = {
        create: plan.create.filter(mine),
        update: plan.update.filter(mine),
        delete: plan.delete.filter(mine),
      }
      return this.#auto?.hint(family, part, slices.slices(), shares) ?? part
    })
    return {
      create: hinted.flatMap(({ create }) => create),
      update: hinted.flatMap(({ update }) => update),
      delete: plan.delete,
    }
  }

  /** Puts the pods' weights on their slices, also on those that need no other change. */
  #weigh(plan: SlicePlan): SlicePlan {
    const weights = new Map<string, string>()
    for (const { weight, endpoints } of this.#entries.values()) {
      if (weight === undefined) continue
      for (const { addresses } of endpoints.values()) weights.set(addresses[0] ?? '', weight)
    }
    const touched = new Set([...plan.update, ...plan.delete].map(({ metadata }) => metadata.name))
    const others = [...this.#families.values()].flatMap((family) => [...family.slices()])
    const changed = others.filter((slice) => !touched.has(slice.metadata.name) && withWeights(slice, weights) !== slice)
    return {
      create: plan.create.map((slice) => withWeights(slice, weights)),
      update: [...plan.update, ...changed].map((slice) => withWeights(slice, weights)),
      delete: plan.delete,
    }
  }

  /** The oldest change since the last call, RFC 3339; undefined when only other things changed. */
  takeTriggerTime(): string | undefined {
    return this.#triggers.take()
  }

  /** The writes that were to carry this time failed: the next ones will. */
  restoreTriggerTime(time: string | undefined): void {
    this.#triggers.restore(time)
  }

  #compile(pod: Pod): Entry {
    const bare = {
      pod,
      portsKey: undefined,
      ports: [],
      endpoints: new Map(),
      missingNode: undefined,
      weight: undefined,
    }
    if (!mayBeEndpoint(pod, true)) return bare
    const ports = endpointPorts(this.#service, pod)
    const weight = pod.metadata.annotations?.[weightAnnotation]?.replaceAll(',', ' ')
    const entry = { ...bare, ports, portsKey: portsKey(ports), weight }
    const node = this.#findNode(pod.spec.nodeName ?? '')
    if (node === undefined && this.#service.spec.publishNotReadyAddresses !== true)
      return { ...entry, missingNode: pod.spec.nodeName ?? '' }
    const endpoints = new Map<SliceFamily, Endpoint>()
    for (const family of this.#families.keys()) {
      const endpoint = podEndpoint(this.#service, pod, node, family, this.#hints)
      if (endpoint !== undefined) endpoints.set(family, endpoint)
    }
    return { ...entry, endpoints }
  }

  #replace(slices: FamilySlices, old: Entry | undefined, entry: Entry | undefined): void {
    const was = old?.endpoints.get(slices.family)
    const is = entry?.endpoints.get(slices.family)
    if (old?.portsKey !== undefined) {
      const group = slices.group(old.portsKey, old.ports)
      group.members--
      if (was !== undefined) group.unwant(endpointKey(was))
    }
    if (entry?.portsKey !== undefined) {
      const group = slices.group(entry.portsKey, entry.ports)
      group.members++
      if (is !== undefined) group.want(endpointKey(is), is)
    }
  }
}

function sameEntry(a: Entry, b: Entry): boolean {
  if (a.weight !== b.weight || a.portsKey !== b.portsKey || a.endpoints.size !== b.endpoints.size) return false
  for (const [family, endpoint] of a.endpoints) {
    const other = b.endpoints.get(family)
    if (other === undefined || endpointKey(other) !== endpointKey(endpoint) || !sameEndpoint(endpoint, other))
      return false
  }
  return true
}
