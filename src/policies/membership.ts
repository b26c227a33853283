import type { Address } from '../addr/index.ts'
import { type Labels, matches, type ObjectKey } from '../cluster/index.ts'
import type { LabelSelector, Pod } from '../objects/index.ts'
import type { PodsPeer } from './model.ts'
import { type PodView, type Profile, Profiles, type Selection } from './profile.ts'

/** Told of each address that enters or leaves a selection. */
export type MemberSink = (selection: Selection, view: PodView, change: 'joins' | 'leaves') => void

/**
 * Who is selected by which peer. Labels are judged once per profile, not per pod, and a change costs the pods and the
 * selections that it touches.
 */
export class Membership {
  readonly profiles = new Profiles()
  readonly #views = new Map<ObjectKey, PodView>()
  readonly #byAddress = new Map<Address, readonly PodView[]>()
  readonly #selections = new Map<string, Selection>()
  /** Selections of one namespace by that namespace, and those that choose namespaces. */
  readonly #ofNamespace = new Map<string, Set<Selection>>()
  readonly #wide = new Set<Selection>()
  readonly #labels = new Map<string, Labels>()
  /** Namespaces by `key=value`, so that a selector of one name does not look at all. */
  readonly #byLabel = new Map<string, Set<string>>()
  readonly #sink: MemberSink

  constructor(sink: MemberSink = () => undefined) {
    this.#sink = sink
  }

  get views(): ReadonlyMap<ObjectKey, PodView> {
    return this.#views
  }

  get selections(): Iterable<Selection> {
    return this.#selections.values()
  }

  /** The pod that has an address; of two, the one that was told of last. */
  at(address: Address): PodView | undefined {
    return this.#byAddress.get(address)?.at(-1)
  }

  labelsOf(namespace: string): Labels {
    return this.#labels.get(namespace) ?? namespaceLabels(namespace, undefined)
  }

  /** Puts a pod in the place of what is known under `key`, or takes it out. Equal views change nothing. */
  put(key: ObjectKey, pod: Pod | undefined, attached: readonly Address[] = []): boolean {
    const old = this.#views.get(key)
    const view = pod && this.profiles.view(pod, attached)
    if (old !== undefined && view !== undefined && sameView(old, view)) return false
    if (old === undefined && view === undefined) return false
    if (view !== undefined) {
      this.#note(view.profile.namespace)
      const fresh = view.profile.views.size === 0
      view.profile.views.add(view)
      if (fresh) this.#enter(view.profile)
      this.#views.set(key, view)
      for (const address of view.addresses) this.#claim(address, view)
      for (const selection of view.profile.selections) this.#sink(selection, view, 'joins')
    } else this.#views.delete(key)
    if (old !== undefined) {
      for (const address of old.addresses) this.#disclaim(address, old)
      for (const selection of old.profile.selections) this.#sink(selection, old, 'leaves')
      old.profile.views.delete(old)
      if (old.profile.views.size === 0) this.#retire(old.profile)
    }
    return true
  }

  /** A namespace has these labels; undefined when its object is gone. */
  setNamespace(namespace: string, labels: Labels | undefined): void {
    const before = this.labelsOf(namespace)
    const after = namespaceLabels(namespace, labels)
    for (const [key, value] of Object.entries(before)) this.#byLabel.get(`${key}=${value}`)?.delete(namespace)
    this.#labels.set(namespace, after)
    this.#indexLabels(namespace, after)
    for (const profile of this.profiles.inNamespace(namespace)) {
      for (const selection of this.#wide) {
        const selected = this.#selects(selection.peer, profile)
        if (selected !== selection.profiles.has(profile)) this.#move(selection, profile, selected)
      }
    }
  }

  /** The selection of a peer, which is kept up to date from now on until it is released as often as acquired. */
  acquire(peer: PodsPeer): Selection {
    const known = this.#selections.get(peer.id)
    if (known !== undefined) {
      known.uses++
      return known
    }
    const selection: Selection = { peer, profiles: new Set(), uses: 1 }
    this.#selections.set(peer.id, selection)
    const { namespaces } = peer
    if (namespaces.kind === 'one') {
      const own = this.#ofNamespace.get(namespaces.namespace)
      if (own === undefined) this.#ofNamespace.set(namespaces.namespace, new Set([selection]))
      else own.add(selection)
    } else this.#wide.add(selection)
    for (const namespace of this.#candidates(peer)) {
      for (const profile of this.profiles.inNamespace(namespace)) {
        if (!matches(peer.pods, profile.labels)) continue
        selection.profiles.add(profile)
        profile.selections.add(selection)
      }
    }
    return selection
  }

  release(selection: Selection): void {
    if (--selection.uses > 0) return
    this.#selections.delete(selection.peer.id)
    const { namespaces } = selection.peer
    if (namespaces.kind === 'one') this.#ofNamespace.get(namespaces.namespace)?.delete(selection)
    else this.#wide.delete(selection)
    for (const profile of selection.profiles) profile.selections.delete(selection)
  }

  /** Namespaces that the peer selects. */
  #candidates({ namespaces }: PodsPeer): Iterable<string> {
    if (namespaces.kind === 'one') return [namespaces.namespace]
    const { selector } = namespaces
    const index = findPair(selector)
    const some = index === undefined ? this.#labels.keys() : (this.#byLabel.get(index) ?? [])
    return [...some].filter((namespace) => matches(selector, this.labelsOf(namespace)))
  }

  #selects({ namespaces, pods }: PodsPeer, profile: Profile): boolean {
    if (namespaces.kind === 'one') return namespaces.namespace === profile.namespace && matches(pods, profile.labels)
    return matches(pods, profile.labels) && matches(namespaces.selector, this.labelsOf(profile.namespace))
  }

  /** A pod may be known before its namespace is. */
  #note(namespace: string): void {
    if (this.#labels.has(namespace)) return
    const labels = namespaceLabels(namespace, undefined)
    this.#labels.set(namespace, labels)
    this.#indexLabels(namespace, labels)
  }

  #indexLabels(namespace: string, labels: Labels): void {
    for (const [key, value] of Object.entries(labels)) {
      const pair = `${key}=${value}`
      const names = this.#byLabel.get(pair)
      if (names === undefined) this.#byLabel.set(pair, new Set([namespace]))
      else names.add(namespace)
    }
  }

  #claim(address: Address, view: PodView): void {
    this.#byAddress.set(address, [...(this.#byAddress.get(address) ?? []), view])
  }

  #disclaim(address: Address, view: PodView): void {
    const rest = (this.#byAddress.get(address) ?? []).filter((one) => one !== view)
    if (rest.length === 0) this.#byAddress.delete(address)
    else this.#byAddress.set(address, rest)
  }

  #enter(profile: Profile): void {
    this.profiles.enlist(profile)
    for (const some of [this.#ofNamespace.get(profile.namespace) ?? [], this.#wide]) {
      for (const selection of some) {
        if (!this.#selects(selection.peer, profile)) continue
        selection.profiles.add(profile)
        profile.selections.add(selection)
      }
    }
  }

  #retire(profile: Profile): void {
    for (const selection of profile.selections) selection.profiles.delete(profile)
    profile.selections.clear()
    this.profiles.strike(profile)
  }

  #move(selection: Selection, profile: Profile, selected: boolean): void {
    if (selected) {
      selection.profiles.add(profile)
      profile.selections.add(selection)
    } else {
      selection.profiles.delete(profile)
      profile.selections.delete(selection)
    }
    for (const view of profile.views) this.#sink(selection, view, selected ? 'joins' : 'leaves')
  }
}

/** The pods of a selection. */
export function* membersOf(selection: Selection): Generator<PodView> {
  for (const { views } of selection.profiles) yield* views
}

/** The API server sets this label on every Namespace and refuses another value (KEP-2161); manifests often lack it. */
export function namespaceLabels(namespace: string, labels: Labels | undefined): Labels {
  return { ...labels, 'kubernetes.io/metadata.name': namespace }
}

/** A pair that every selected object has, if the selector asks for one. */
function findPair({ matchLabels, matchExpressions }: LabelSelector): string | undefined {
  for (const [key, value] of Object.entries(matchLabels ?? {})) return `${key}=${value}`
  for (const { key, operator, values } of matchExpressions ?? []) {
    if (operator === 'In' && values?.length === 1) return `${key}=${values[0]}`
  }
  return undefined
}

function sameView(a: PodView, b: PodView): boolean {
  return a.profile === b.profile && a.node === b.node && sameAddresses(a.addresses, b.addresses)
}

function sameAddresses(a: readonly Address[], b: readonly Address[]): boolean {
  return a.length === b.length && a.every((address, index) => address === b[index])
}
