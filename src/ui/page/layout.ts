import type { Box, Edge, Picture, PodLine, Rung } from '../picture.ts'

/** A box at its place, in pixels; `lines` and `says` are cut to its width. */
export interface Placed {
  readonly box: Box
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
  readonly name: string
  /** Empty where all are of one namespace. */
  readonly namespace: string
  readonly lines: readonly string[]
  readonly says: readonly string[]
  /** Those that are unfolded. */
  readonly pods: readonly PodLine[]
}

export interface Column {
  readonly rung: Rung
  readonly x: number
  readonly width: number
}

/** A picture with places; `path` is that of an SVG. */
export interface Layout {
  readonly width: number
  readonly height: number
  readonly columns: readonly Column[]
  readonly boxes: readonly Placed[]
  readonly edges: readonly { readonly edge: Edge; readonly path: string }[]
}

export interface LayoutOptions {
  /** Pixels that there are; the picture is wider where its columns need more. */
  readonly width: number
  /** Workloads whose pods are drawn. */
  readonly unfolded: ReadonlySet<string>
}

const rungs: readonly Rung[] = ['address', 'entry', 'service', 'workload', 'exit']
const looks: readonly Box['look'][] = ['refuses', 'partly', 'serves', 'ignored']

/** Heights of a line, a heading, and the room around them. */
export const metrics = { line: 15, name: 18, padding: 7, head: 28, gap: 10, narrowest: 158, widest: 300 } as const
/** Pixels of a character of the page's small type in a wide face. */
const characterWidth = 6.9
/** Beyond so many boxes in a column each has one line. */
const roomy = 40
const mostPods = 24

/**
 * Columns by rung, of which empty ones take no room. Services are in order, what is broken first; all else is as near as can be to the
 * Services that it belongs to, so that edges are short, and what belongs to none comes last.
 */
export function layOut(picture: Picture, { width, unfolded }: LayoutOptions): Layout {
  const byRung = Map.groupBy(picture.boxes, ({ rung }) => rung)
  const present = rungs.filter((rung) => byRung.has(rung))
  const columns = columnsFor(present, width)
  const isNamed = new Set(picture.boxes.map(({ namespace }) => namespace).filter(Boolean)).size > 1
  const isDense = Math.max(0, ...[...byRung.values()].map(({ length }) => length)) > roomy
  const near = neighbours(picture.edges)
  const placed = new Map<string, Placed>()
  // Services give the order, then each side from the inside out.
  for (const rung of ['service', 'workload', 'entry', 'address', 'exit'] as const) {
    const column = columns.find((one) => one.rung === rung)
    if (column === undefined) continue
    const wanted = new Map((byRung.get(rung) ?? []).map((box) => [box, centreOf(box, near, placed)]))
    let y: number = metrics.head
    for (const [box, centre] of [...wanted].sort(rung === 'service' ? byName : byPlace)) {
      const one = shape(box, column, { isDense, isNamed, isUnfolded: unfolded.has(box.id) })
      if (rung !== 'service' && centre !== undefined) y = Math.max(y, centre - one.height / 2)
      placed.set(box.id, { ...one, y: Math.round(y) })
      y += one.height + (isDense ? metrics.gap / 2 : metrics.gap)
    }
  }
  const boxes = [...placed.values()]
  const last = columns.at(-1)
  return {
    width: last === undefined ? 0 : last.x + last.width,
    height: Math.max(metrics.head, ...boxes.map(({ y, height }) => y + height)) + metrics.gap,
    columns,
    boxes,
    edges: picture.edges.flatMap((edge) => {
      const [from, to] = [placed.get(edge.from), placed.get(edge.to)]
      return from === undefined || to === undefined ? [] : [{ edge, path: pathOf(from, to) }]
    }),
  }
}

function columnsFor(present: readonly Rung[], width: number): readonly Column[] {
  const count = Math.max(1, present.length)
  const room = Math.min(96, Math.max(34, (width - count * 230) / Math.max(1, count - 1)))
  const each = Math.floor((width - room * (count - 1)) / count)
  const own = Math.min(metrics.widest, Math.max(metrics.narrowest, each))
  return present.map((rung, at) => ({ rung, x: Math.round(at * (own + room)), width: own }))
}

function neighbours(edges: readonly Edge[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>()
  const note = (a: string, b: string) => found.set(a, [...(found.get(a) ?? []), b])
  for (const { from, to } of edges) {
    note(from, to)
    note(to, from)
  }
  return found
}

/** The mean height of the neighbours that have a place; undefined where none has. */
function centreOf(
  { id }: Box,
  near: ReadonlyMap<string, readonly string[]>,
  placed: ReadonlyMap<string, Placed>,
): number | undefined {
  const centres = (near.get(id) ?? []).flatMap((other) => {
    const one = placed.get(other)
    return one === undefined ? [] : [one.y + one.height / 2]
  })
  return centres.length === 0 ? undefined : centres.reduce((sum, one) => sum + one, 0) / centres.length
}

type Wanted = readonly [box: Box, centre: number | undefined]

function byName([a]: Wanted, [b]: Wanted): number {
  return (
    looks.indexOf(a.look) - looks.indexOf(b.look) ||
    a.namespace.localeCompare(b.namespace) ||
    a.name.localeCompare(b.name, 'en', { numeric: true })
  )
}

function byPlace(a: Wanted, b: Wanted): number {
  const [ours, theirs] = [a[1] ?? Number.POSITIVE_INFINITY, b[1] ?? Number.POSITIVE_INFINITY]
  return ours === theirs ? byName(a, b) : ours - theirs
}

function shape(
  box: Box,
  { x, width }: Column,
  { isDense, isNamed, isUnfolded }: Readonly<Record<'isDense' | 'isNamed' | 'isUnfolded', boolean>>,
): Placed {
  const characters = Math.floor((width - 2 * metrics.padding - 6) / characterWidth)
  const isBad = box.look === 'refuses' || box.look === 'partly'
  const lines = (isDense ? [] : box.lines).map((line) => cut(line, characters))
  const says = isBad ? wrap(box.says, characters, isDense ? 1 : 3) : []
  const pods = isUnfolded ? (box.pods ?? []).slice(0, mostPods) : []
  const rows = lines.length + says.length + pods.length
  const height = 2 * metrics.padding + metrics.name + rows * metrics.line - (rows === 0 ? 2 : 0)
  // Names are bold, and have a mark before and room for a button behind.
  const name = cut(box.name, Math.floor(0.9 * characters) - (isBad ? 5 : 3))
  const namespace = isNamed ? cut(box.namespace, Math.max(0, characters - 6 - name.length)) : ''
  return { box, x, y: 0, width, height, name, namespace: namespace.length < 3 ? '' : namespace, lines, says, pods }
}

/** As many characters as there is room for. */
export function cut(text: string, characters: number): string {
  return text.length <= characters ? text : `${text.slice(0, Math.max(1, characters - 1))}…`
}

/** Lines of so many characters, at most so many of them; the last one is cut. */
export function wrap(text: string, characters: number, most: number): readonly string[] {
  const lines: string[] = []
  let rest = text
  while (rest !== '' && lines.length < most - 1 && rest.length > characters) {
    const space = Math.max(rest.lastIndexOf(' ', characters), rest.lastIndexOf('/', characters - 1) + 1)
    const end = space > characters / 3 ? space : characters
    lines.push(rest.slice(0, end).trimEnd())
    rest = rest.slice(end).trimStart()
  }
  return rest === '' ? lines : [...lines, cut(rest, characters)]
}

/** From the right edge of one box to the left edge of the other, level at both ends. */
function pathOf(from: Placed, to: Placed): string {
  const [x1, y1] = [from.x + from.width, from.y + from.height / 2]
  const [x2, y2] = [to.x, to.y + to.height / 2]
  const bend = Math.max(18, Math.min(90, (x2 - x1) / 2))
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`
}
