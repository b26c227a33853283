import type { Section } from '../haproxy/index.ts'
import { lowerBackend } from './lower-backends.ts'
import type { BackendModel } from './model.ts'
import { perObject } from './remember.ts'

/**
 * HAProxy takes no backend while it runs, so some are there before anybody needs them, without servers: a new backend whose section says the same has
 * one, until the next reload gives it its own. 19 KB each.
 */
const shapes: readonly { readonly protocol: BackendModel['protocol']; readonly count: number }[] = [
  { protocol: 'http1', count: 100 },
  { protocol: 'h2c', count: 20 },
  { protocol: 'tcp', count: 20 },
]

/** Which backends have a spare, by id, and how many of each shape have been given away since the last reload: what was left has servers still. */
export interface Spares {
  readonly names: ReadonlyMap<string, string>
  readonly used: readonly number[]
}

export const noSpares: Spares = { names: new Map(), used: shapes.map(() => 0) }

const because = { object: '', field: '', value: '' }
const sections: readonly (readonly Section[])[] = shapes.map(({ protocol, count }) =>
  Array.from({ length: count }, (_, at) => {
    const id = `spare-${protocol}-${at}`
    const { comment: _comment, ...section } = lowerBackend({ id, protocol, service: '', portName: '', because })
    return section
  }),
)

/** Those that no backend has. */
export function freeSpares({ names }: Spares): Section[] {
  const taken = new Set(names.values())
  return sections.flat().filter(({ name = '' }) => !taken.has(name))
}

/** What backends are called by HAProxy, from what it was before; one that is new and finds no spare has a section of its own, by a reload. */
export function nameBackends(
  backends: readonly BackendModel[],
  before: { readonly backends: readonly { readonly of: BackendModel }[]; readonly spares: Spares },
): Spares {
  const isSame =
    backends.length === before.backends.length && backends.every(({ id }, at) => before.backends[at]!.of.id === id)
  if (isSame) return before.spares
  const known = new Set(before.backends.map(({ of }) => of.id))
  const names = new Map<string, string>()
  const used = [...before.spares.used]
  for (const one of backends) {
    const { id } = one
    const name = known.has(id) ? before.spares.names.get(id) : takeSpare(one, used)
    if (name !== undefined) names.set(id, name)
  }
  return { names, used }
}

/** TLS needs files, which HAProxy reads at a reload only; and what can be the name of no section is refused there, with its object. */
function takeSpare(backend: BackendModel, used: number[]): string | undefined {
  if (backend.tls !== undefined || !/^[\w.:-]+$/.test(backend.id)) return undefined
  const lines = linesOf(lowerBackend(backend))
  const shape = sections.findIndex(([one]) => one !== undefined && linesOf(one) === lines)
  const spare = sections[shape]?.[used[shape] ?? 0]
  if (spare !== undefined) used[shape]!++
  return spare?.name
}

/** What sections say the same by. */
export const linesOf = perObject(({ lines }: Section) => JSON.stringify(lines))

/** What a backend is called in maps, by its id. */
export type Called = (id: string) => string

/** A backend in the words of maps: HAProxy's name for it, and after an at sign, which is in no name, its id where that is another. */
export function calledIn({ names }: Spares): Called {
  return (id) => {
    const name = names.get(id)
    return name === undefined ? id : `${name}@${id}`
  }
}
