import type { Picture } from '../picture.ts'

export interface Filter {
  /** Empty for all. */
  readonly namespace: string
  /** Words that must all be in kind, namespace, name or a line. */
  readonly text: string
  readonly isBrokenOnly: boolean
}

/** The boxes that are meant, and whatever is before and behind them. */
export function filterPicture(picture: Picture, { namespace, text, isBrokenOnly }: Filter): Picture {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  if (namespace === '' && words.length === 0 && !isBrokenOnly) return picture
  const meant = picture.boxes.filter((box) => {
    // What has no namespace is there for what it leads to.
    if (namespace !== '' && box.namespace !== namespace) return false
    if (isBrokenOnly && box.look !== 'refuses' && box.look !== 'partly') return false
    const own = [box.id, box.kind, ...box.lines].join(' ').toLowerCase()
    return words.every((word) => own.includes(word))
  })
  const kept = along(picture, new Set(meant.map(({ id }) => id)))
  return {
    ...picture,
    boxes: picture.boxes.filter(({ id }) => kept.has(id)),
    edges: picture.edges.filter(({ from, to }) => kept.has(from) && kept.has(to)),
  }
}

/** All that leads to some boxes, and all that they lead to. */
export function along({ edges }: Picture, start: ReadonlySet<string>): ReadonlySet<string> {
  const forward = Map.groupBy(edges, ({ from }) => from)
  const backward = Map.groupBy(edges, ({ to }) => to)
  const reached = new Set(start)
  const walk = (step: (id: string) => readonly string[]): void => {
    const seen = new Set(start)
    const open = [...start]
    for (let id = open.pop(); id !== undefined; id = open.pop())
      for (const next of step(id)) {
        if (seen.has(next)) continue
        seen.add(next)
        reached.add(next)
        open.push(next)
      }
  }
  walk((id) => (forward.get(id) ?? []).map(({ to }) => to))
  walk((id) => (backward.get(id) ?? []).map(({ from }) => from))
  return reached
}
