import type { Command, Section } from '../haproxy/index.ts'
import type { LoweredGateway } from './lower.ts'
import type { Entries } from './lower-maps.ts'
import { isOrdered } from './lower-words.ts'
import { perObject } from './remember.ts'

/** How a running gateway becomes another: by commands, or by a reload of the files. */
export type GatewayPlan =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'commands'; readonly commands: readonly Command[] }
  | { readonly kind: 'reload'; readonly why: string }

/** Pure. Nothing leads anywhere before that is there, and nothing goes before nobody leads to it. */
export function planGateway(from: LoweredGateway, to: LoweredGateway): GatewayPlan {
  if (!sameEntries(structureOf(from), structureOf(to))) return { kind: 'reload', why: 'other backends or options' }
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
function shownToPods({ servers }: LoweredGateway, paths: readonly string[]): string[] {
  if (paths.length === 0) return []
  const shown = new Set([...servers.values()].flatMap((all) => all[0]?.options ?? []))
  return paths.filter((path) => shown.has(path))
}

/**
 * Requests look maps up one after another, in their order, while these change: each first takes in what is new, the last one first, and
 * loses what is old when all have.
 */
function mapCommands(from: LoweredGateway, to: LoweredGateway): Command[] {
  const changes = [...to.maps].map(([path, entries]) => changeOf(path, from.maps.get(path) ?? new Map(), entries))
  return [...changes.toReversed().flatMap(({ grow }) => grow), ...changes.flatMap(({ shrink }) => shrink)]
}

/** Beyond so many entries the whole map is sent. */
const mostEdits = 500

function changeOf(path: string, from: Entries, to: Entries): Readonly<Record<'grow' | 'shrink', Command[]>> {
  if (from === to) return { grow: [], shrink: [] }
  const set = new Map<string, string>()
  for (const [key, value] of to) if (from.get(key) !== value) set.set(key, value)
  const remove: string[] = []
  for (const key of from.keys()) if (!to.has(key)) remove.push(key)
  if (set.size + remove.length > mostEdits || (isOrdered(path) && set.size > 0)) {
    const grown = new Map([...to, ...remove.map((key) => [key, from.get(key)!] as const)])
    return {
      grow: [{ kind: 'set-map', path, entries: grown }],
      shrink: remove.length === 0 ? [] : [{ kind: 'set-map', path, entries: to }],
    }
  }
  const add = new Map([...set].filter(([key]) => !from.has(key)))
  const change = new Map([...set].filter(([key]) => from.has(key)))
  return {
    grow: set.size === 0 ? [] : [{ kind: 'edit-map', path, add, change, remove: [] }],
    shrink: remove.length === 0 ? [] : [{ kind: 'edit-map', path, add: new Map(), change: new Map(), remove }],
  }
}

function sameEntries(a: ReadonlyMap<string, string> | undefined, b: ReadonlyMap<string, string>): boolean {
  return a === b || (a !== undefined && a.size === b.size && [...b].every(([key, value]) => a.get(key) === value))
}

function serverCommands(from: LoweredGateway, to: LoweredGateway): Readonly<Record<'added' | 'removed', Command[]>> {
  const [added, removed]: [Command[], Command[]] = [[], []]
  for (const [backend, servers] of to.servers) {
    const old = from.servers.get(backend) ?? []
    if (old === servers) continue
    const before = new Set(old.map(({ name }) => name))
    const after = new Set(servers.map(({ name }) => name))
    for (const server of servers) if (!before.has(server.name)) added.push({ kind: 'add-server', backend, server })
    for (const { name } of old) if (!after.has(name)) removed.push({ kind: 'remove-server', backend, server: name })
  }
  return { added, removed }
}

/** What only a reload changes: all words of a section by its name, but not where they come from, nor in which order sections are. */
const structureOf = perObject(
  ({ sections }: LoweredGateway): ReadonlyMap<string, string> =>
    new Map(sections.map((section) => [`${section.keyword} ${section.name}`, linesOf(section)])),
)

const linesOf = perObject(({ lines }: Section) => JSON.stringify(lines))
