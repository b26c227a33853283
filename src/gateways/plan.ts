import type { Command } from '../haproxy/index.ts'
import type { LoweredGateway } from './lower.ts'
import type { Entries } from './lower-maps.ts'

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
    if (lines.some((line) => !to.lists.get(path)?.includes(line)))
      return { kind: 'reload', why: 'a certificate is taken away' }
  }
  const { added, removed } = serverCommands(from, to)
  const commands = [...certificateCommands(from, to), ...added, ...mapCommands(from, to), ...removed]
  return commands.length === 0 ? { kind: 'nothing' } : { kind: 'commands', commands }
}

function certificateCommands(from: LoweredGateway, to: LoweredGateway): Command[] {
  const listed = [...to.lists].flatMap(([list, lines]) =>
    lines
      .filter((line) => !from.lists.get(list)?.includes(line))
      .map((line): Command => ({ kind: 'list-certificate', list, line })),
  )
  const added = new Set(listed.map((one) => (one.kind === 'list-certificate' ? one.line.split(' ', 1)[0] : '')))
  const known = new Set([...from.lists.values()].flat().map((line) => line.split(' ', 1)[0]))
  const set = [...to.certificates]
    // One that no list names is nowhere in HAProxy.
    .filter(([path, pem]) => from.certificates.get(path) !== pem && (known.has(path) || added.has(path)))
    .map(([path, pem]): Command => ({ kind: 'set-certificate', path, pem, fresh: !known.has(path) }))
  return [...set, ...listed]
}

/**
 * Requests look maps up one after another, in their order, while these change: each first takes in what is new, the last one first, and
 * loses what is old when all have.
 */
function mapCommands(from: LoweredGateway, to: LoweredGateway): Command[] {
  const changed = [...to.maps].filter(([path, entries]) => !sameEntries(from.maps.get(path), entries))
  const isKept = ([path, entries]: (typeof changed)[number]): boolean =>
    [...(from.maps.get(path)?.keys() ?? [])].every((key) => entries.has(key))
  const set = (path: string, entries: Entries): Command => ({ kind: 'set-map', path, entries })
  const grown = changed.map(([path, entries]) => {
    const leaving = [...(from.maps.get(path) ?? [])].filter(([key]) => !entries.has(key))
    return set(path, new Map([...entries, ...leaving]))
  })
  return [...grown.toReversed(), ...changed.filter((one) => !isKept(one)).map(([path, entries]) => set(path, entries))]
}

function sameEntries(a: ReadonlyMap<string, string> | undefined, b: ReadonlyMap<string, string>): boolean {
  return a === b || (a !== undefined && a.size === b.size && [...b].every(([key, value]) => a.get(key) === value))
}

function serverCommands(from: LoweredGateway, to: LoweredGateway): Readonly<Record<'added' | 'removed', Command[]>> {
  const [added, removed]: [Command[], Command[]] = [[], []]
  for (const [backend, servers] of to.servers) {
    const old = from.servers.get(backend) ?? []
    const before = new Set(old.map(({ name }) => name))
    const after = new Set(servers.map(({ name }) => name))
    for (const server of servers) if (!before.has(server.name)) added.push({ kind: 'add-server', backend, server })
    for (const { name } of old) if (!after.has(name)) removed.push({ kind: 'remove-server', backend, server: name })
  }
  return { added, removed }
}

/** What only a reload changes: all words of a section by its name, but not where they come from, nor in which order sections are. */
function structureOf({ sections }: LoweredGateway): ReadonlyMap<string, string> {
  return new Map(sections.map(({ keyword, name, lines }) => [`${keyword} ${name}`, JSON.stringify(lines)]))
}
