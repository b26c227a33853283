import type { Command, Section } from '../haproxy/index.ts'
import type { LoweredBackend, LoweredGateway } from './lower.ts'
import type { Part } from './lower-entry.ts'
import { sharedMaps } from './lower-hits.ts'
import { entriesOf, type LoweredMaps } from './lower-maps.ts'
import { linesOf } from './lower-spares.ts'
import { isOrdered, mapPath } from './lower-words.ts'
import { perObject } from './remember.ts'

/** How a running gateway becomes another: by commands, or by a reload of the files. */
export type GatewayPlan =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'commands'; readonly commands: readonly Command[] }
  | { readonly kind: 'reload'; readonly why: string }

/** Pure. Nothing leads anywhere before that is there, and nothing goes before nobody leads to it. */
export function planGateway(from: LoweredGateway, to: LoweredGateway): GatewayPlan {
  if (!hasStructure(from, to)) return { kind: 'reload', why: 'other backends or options' }
  if (!sameEntries(from.files, to.files)) return { kind: 'reload', why: 'other authorities' }
  for (const [path, lines] of from.lists) {
    const kept = new Set(to.lists.get(path))
    if (lines.some((line) => !kept.has(line))) return { kind: 'reload', why: 'a certificate is taken away' }
  }
  const { added, removed } = serverCommands(from, to)
  const commands = [...certificateCommands(from, to), ...added, ...mapCommands(from, to), ...removed]
  return commands.length === 0 ? { kind: 'nothing' } : { kind: 'commands', commands }
}

function certificateCommands(from: LoweredGateway, to: LoweredGateway): Command[] {
  const listed = [...to.lists].flatMap(([list, lines]) => {
    const had = new Set(from.lists.get(list))
    const added = lines.filter((line) => !had.has(line))
    return added.map((line): Command => ({ kind: 'list-certificate', list, line }))
  })
  const added = new Set(listed.map((one) => (one.kind === 'list-certificate' ? one.line.split(' ', 1)[0] : '')))
  const known = new Set([...from.lists.values()].flat().map((line) => line.split(' ', 1)[0]))
  const changed = [...to.certificates].filter(([path, pem]) => !known.has(path) && from.certificates.get(path) !== pem)
  for (const path of shownToPods(
    from,
    changed.map(([path]) => path),
  ))
    known.add(path)
  const set = [...to.certificates]
    // One that no list names is nowhere in HAProxy.
    .filter(([path]) => known.has(path) || added.has(path))
    .flatMap(([path, pem]): Command[] => {
      const [old, staple] = [from.staples.get(path), to.staples.get(path)]
      const isSame = from.certificates.get(path) === pem && known.has(path)
      // One that is gone is good until it expires: HAProxy forgets it then, or with the certificate.
      if (isSame && (staple === undefined || staple.response === old?.response)) return []
      if (isSame && staple !== undefined && old !== undefined)
        return [{ kind: 'set-staple', response: staple.response }]
      return [{ kind: 'set-certificate', path, pem, fresh: !known.has(path), ...(staple && { staple }) }]
    })
  return [...set, ...listed]
}

/** Those of some certificates that servers show. */
function shownToPods({ backends }: LoweredGateway, paths: readonly string[]): string[] {
  if (paths.length === 0) return []
  const shown = new Set(backends.flatMap(({ servers: [one] }) => one?.options ?? []))
  return paths.filter((path) => shown.has(path))
}

/**
 * Requests look maps up one after another, in their order, while these change: each first takes in what is new, the last one first, and
 * loses what is old when all have.
 */
function mapCommands(from: LoweredGateway, to: LoweredGateway): Command[] {
  const edits = editsOf(from.maps, to.maps)
  const changes = to.maps.names.flatMap((name) => {
    const edit = edits.get(name)
    return edit === undefined ? [] : [commandsOf(mapPath(to.directory, name), name, edit, to.maps)]
  })
  return [...changes.toReversed().flatMap(({ grow }) => grow), ...changes.flatMap(({ shrink }) => shrink)]
}

/** What entries of a map were, and what they become. */
interface Edit {
  readonly gone: Map<string, string>
  readonly come: Map<string, string>
}

function editsOf(from: LoweredMaps, to: LoweredMaps): ReadonlyMap<string, Edit> {
  const edits = new Map<string, Edit>()
  const note = (parts: Iterable<Part>, which: keyof Edit): void => {
    for (const part of parts)
      for (const [map, key, value] of part) {
        const edit = edits.get(map) ?? { gone: new Map(), come: new Map() }
        edit[which].set(key, value)
        edits.set(map, edit)
      }
  }
  const [gone, come] = otherParts(from, to)
  note(gone, 'gone')
  note(come, 'come')
  if (sharedMaps.some((map) => edits.has(map))) leaveOut(edits, to, come)
  return edits
}

/** The parts that are not in both. */
function otherParts(from: LoweredMaps, to: LoweredMaps): [Set<Part>, Set<Part>] {
  const [gone, come] = [new Set<Part>(), new Set<Part>()]
  for (const name of new Set([...from.groups.keys(), ...to.groups.keys()])) {
    const [before, after] = [from.groups.get(name)?.parts ?? [], to.groups.get(name)?.parts ?? []]
    if (before === after) continue
    for (let at = 0; at < Math.max(before.length, after.length); at++) {
      if (before[at] === after[at]) continue
      if (before[at] !== undefined) gone.add(before[at]!)
      if (after[at] !== undefined) come.add(after[at]!)
    }
  }
  // One that only has another place.
  for (const part of gone) if (come.delete(part)) gone.delete(part)
  return [gone, come]
}

/** An entry that other parts have too was there, and stays. */
function leaveOut(edits: ReadonlyMap<string, Edit>, { groups }: LoweredMaps, come: ReadonlySet<Part>): void {
  const shared = sharedMaps.flatMap((map) => {
    const edit = edits.get(map)
    return edit === undefined ? [] : [[map, edit] as const]
  })
  const byMap = new Map<string, Edit>(shared)
  for (const { parts } of groups.values())
    for (const part of parts) {
      if (come.has(part)) continue
      for (const [map, key] of part) {
        const edit = byMap.get(map)
        edit?.gone.delete(key)
        edit?.come.delete(key)
      }
    }
}

/** Beyond so many entries the whole map is sent. */
const mostEdits = 500

function commandsOf(
  path: string,
  name: string,
  { gone, come }: Edit,
  to: LoweredMaps,
): Readonly<Record<'grow' | 'shrink', Command[]>> {
  const remove = [...gone.keys()].filter((key) => !come.has(key))
  const set = [...come].filter(([key, value]) => gone.get(key) !== value)
  if (set.length + remove.length > mostEdits || (isOrdered(name) && set.length > 0)) {
    const entries = entriesOf(to, [name]).get(name)!
    const grown = new Map([...entries, ...remove.map((key) => [key, gone.get(key)!] as const)])
    return {
      grow: [{ kind: 'set-map', path, entries: grown }],
      shrink: remove.length === 0 ? [] : [{ kind: 'set-map', path, entries }],
    }
  }
  const add = new Map(set.filter(([key]) => !gone.has(key)))
  const change = new Map(set.filter(([key]) => gone.has(key)))
  return {
    grow: set.length === 0 ? [] : [{ kind: 'edit-map', path, add, change, remove: [] }],
    shrink: remove.length === 0 ? [] : [{ kind: 'edit-map', path, add: new Map(), change: new Map(), remove }],
  }
}

function sameEntries(a: ReadonlyMap<string, string> | undefined, b: ReadonlyMap<string, string>): boolean {
  return a === b || (a !== undefined && a.size === b.size && [...b].every(([key, value]) => a.get(key) === value))
}

function serverCommands(from: LoweredGateway, to: LoweredGateway): Readonly<Record<'added' | 'removed', Command[]>> {
  const [added, removed]: [Command[], Command[]] = [[], []]
  for (const [was, is] of otherBackends(from, to)) {
    if (is === undefined || was?.servers === is.servers) continue
    const { name: backend = '' } = is.section
    const before = new Set(was?.servers.map(({ name }) => name))
    const after = new Set(is.servers.map(({ name }) => name))
    for (const server of is.servers) if (!before.has(server.name)) added.push({ kind: 'add-server', backend, server })
    for (const name of before) if (!after.has(name)) removed.push({ kind: 'remove-server', backend, server: name })
  }
  return { added, removed }
}

/** Whether HAProxy has all sections and no other ports, with the same words, in whatever order. A backend too many does no harm; one that is new has a spare. */
function hasStructure(from: LoweredGateway, to: LoweredGateway): boolean {
  if (!sameEntries(structureOf(from.sections), structureOf(to.sections))) return false
  return otherBackends(from, to).every(
    ([was, is]) =>
      is === undefined ||
      (was === undefined ? to.spares.names.has(is.of.id) : linesOf(was.section) === linesOf(is.section)),
  )
}

/** The backends that are other than before, with what they were. */
function otherBackends(
  from: LoweredGateway,
  to: LoweredGateway,
): [LoweredBackend | undefined, LoweredBackend | undefined][] {
  const [gone, come] = [new Map<string, LoweredBackend>(), new Map<string, LoweredBackend>()]
  for (let at = 0; at < Math.max(from.backends.length, to.backends.length); at++) {
    const [was, is] = [from.backends[at], to.backends[at]]
    if (was === is) continue
    if (was !== undefined) gone.set(was.of.id, was)
    if (is !== undefined) come.set(is.of.id, is)
  }
  const ids = new Set([...gone.keys(), ...come.keys()])
  return [...ids].map((id) => [gone.get(id), come.get(id)])
}

const structureOf = perObject(
  (sections: readonly Section[]): ReadonlyMap<string, string> =>
    new Map(sections.map((section) => [`${section.keyword} ${section.name}`, linesOf(section)])),
)
