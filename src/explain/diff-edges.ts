import { clusterModelsIn, type Grant, isEmpty, nothingGranted, subtractGrants, uniteGrants } from '../policies/index.ts'
import { grantOfParties, type Party, partiesOf } from './parties.ts'
import { analyseSetting, Beyond, type Edge, edgesWithout } from './reach.ts'
import type { Setting } from './setting.ts'

/** Workloads that neither state tells apart from each other. */
interface Class {
  readonly members: readonly string[]
  readonly before: readonly Party[]
  readonly after: readonly Party[]
}

/** The connections that only one of two states allows: as many comparisons as there are pairs of classes. */
export function diffEdges(
  before: Setting,
  after: Setting,
  most: number,
): { readonly opened: readonly Edge[]; readonly closed: readonly Edge[]; readonly untold: number } {
  const old = new Side(before)
  const now = new Side(after)
  const classes = classesOf(old, now)
  const opened: Edge[] = []
  const closed: Edge[] = []
  let untold = 0
  const tell = (into: Edge[], from: Class, to: Class, grant: Grant): void => {
    if (isEmpty(grant)) return
    for (const a of from.members)
      for (const b of to.members) {
        if (a === b) continue
        if (opened.length + closed.length < most) into.push({ from: a, to: b, grant })
        else untold++
      }
  }
  for (const from of classes) {
    for (const to of classes) {
      if (from === to && from.members.length === 1) continue
      const was = old.grant(from.before, to.before)
      const is = now.grant(from.after, to.after)
      tell(opened, from, to, subtractGrants(is, was))
      tell(closed, from, to, subtractGrants(was, is))
    }
    for (const name of from.members) {
      const [was, is] = [old.beyond(from.before, name), now.beyond(from.after, name)]
      for (const [into, edges] of [
        [opened, edgesWithout(is, was)],
        [closed, edgesWithout(was, is)],
      ] as const) {
        const room = Math.max(0, most - opened.length - closed.length)
        into.push(...edges.slice(0, room))
        untold += Math.max(0, edges.length - room)
      }
    }
  }
  return { opened: sorted(opened), closed: sorted(closed), untold }
}

function sorted(edges: Edge[]): readonly Edge[] {
  return edges.sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : a.to < b.to ? -1 : 1))
}

class Side {
  readonly partiesByName = new Map<string, Party[]>()
  readonly #analysis: ReturnType<typeof analyseSetting>
  readonly #beyond: Beyond
  readonly #ids = new Map<unknown, number>()
  readonly #grants = new Map<string, Grant>()
  readonly #edges = new Map<string, readonly Edge[]>()

  constructor(setting: Setting) {
    this.#analysis = analyseSetting(setting)
    for (const party of partiesOf(setting, this.#analysis, false))
      for (const name of party.members) {
        const known = this.partiesByName.get(name)
        if (known === undefined) this.partiesByName.set(name, [party])
        else known.push(party)
      }
    this.#beyond = new Beyond(setting.snapshot, this.#analysis, [...clusterModelsIn(setting.snapshot)])
  }

  /** Equal for parties that policies treat alike. */
  idOf(parties: readonly Party[]): string {
    return parties
      .map(({ end }) => {
        const key = 'nodes' in end ? end.nodes.map(({ metadata }) => metadata.name).join() : end
        const id = this.#ids.get(key) ?? this.#ids.size
        this.#ids.set(key, id)
        return id
      })
      .sort()
      .join()
  }

  grant(from: readonly Party[], to: readonly Party[]): Grant {
    const key = `${this.idOf(from)} ${this.idOf(to)}`
    const known = this.#grants.get(key)
    if (known !== undefined) return known
    const grants = from.flatMap((a) => to.map((b) => grantOfParties(a, b, this.#analysis)))
    const grant = grants.reduce(uniteGrants, nothingGranted)
    this.#grants.set(key, grant)
    return grant
  }

  beyond(parties: readonly Party[], name: string): readonly Edge[] {
    const id = this.idOf(parties)
    const known = this.#edges.get(id) ?? parties.flatMap((party) => this.#beyond.edgesOf({ ...party, name: '' }))
    this.#edges.set(id, known)
    return known.map(({ from, to, grant }) => ({ from: from || name, to: to || name, grant }))
  }
}

function classesOf(old: Side, now: Side): readonly Class[] {
  const names = new Set([...old.partiesByName.keys(), ...now.partiesByName.keys()])
  const classes = new Map<string, Class & { members: string[] }>()
  for (const name of [...names].sort()) {
    const before = old.partiesByName.get(name) ?? []
    const after = now.partiesByName.get(name) ?? []
    const id = `${old.idOf(before)} ${now.idOf(after)}`
    const known = classes.get(id)
    if (known === undefined) classes.set(id, { members: [name], before, after })
    else known.members.push(name)
  }
  return [...classes.values()]
}
