import type { Command } from '../haproxy/index.ts'
import type { LoweredGateway } from './lower.ts'

/** How a running gateway becomes another: by commands, or by a reload of the files. */
export type GatewayPlan =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'commands'; readonly commands: readonly Command[] }
  | { readonly kind: 'reload'; readonly why: string }

/** Pure. New servers come before old ones go, and certificates before the hosts that need them. */
export function planGateway(from: LoweredGateway, to: LoweredGateway): GatewayPlan {
  if (structureOf(from) !== structureOf(to)) return { kind: 'reload', why: 'other backends or options' }
  if (!sameEntries(from.files, to.files)) return { kind: 'reload', why: 'other authorities' }
  for (const [path, lines] of from.lists) {
    if (lines.some((line) => !to.lists.get(path)?.includes(line)))
      return { kind: 'reload', why: 'a certificate is taken away' }
  }
  const commands = [...certificateCommands(from, to), ...mapCommands(from, to), ...serverCommands(from, to)]
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

function mapCommands(from: LoweredGateway, to: LoweredGateway): Command[] {
  return [...to.maps]
    .filter(([path, entries]) => !sameEntries(from.maps.get(path), entries))
    .map(([path, entries]): Command => ({ kind: 'set-map', path, entries }))
}

function sameEntries(a: ReadonlyMap<string, string> | undefined, b: ReadonlyMap<string, string>): boolean {
  return a === b || (a !== undefined && a.size === b.size && [...b].every(([key, value]) => a.get(key) === value))
}

function serverCommands(from: LoweredGateway, to: LoweredGateway): Command[] {
  const commands: Command[] = []
  for (const [backend, servers] of to.servers) {
    const old = from.servers.get(backend) ?? []
    const before = new Set(old.map(({ name }) => name))
    const after = new Set(servers.map(({ name }) => name))
    for (const server of servers) if (!before.has(server.name)) commands.push({ kind: 'add-server', backend, server })
    for (const { name } of old) if (!after.has(name)) commands.push({ kind: 'remove-server', backend, server: name })
  }
  return commands
}

/** What only a reload changes: all words, but not where they come from. */
function structureOf({ sections }: LoweredGateway): string {
  return JSON.stringify(sections.map(({ keyword, name, lines }) => [keyword, name, lines]))
}
