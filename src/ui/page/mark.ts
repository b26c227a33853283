import type { Trouble } from '../findings.ts'
import type { Box, Picture } from '../picture.ts'

/** The picture with what the findings tell of boxes that are well by themselves, as an address that a policy keeps everybody from. */
export function markTroubles(picture: Picture, troubles: readonly Trouble[]): Picture {
  const worst = new Map<string, Trouble>()
  for (const one of troubles) if (one.severity !== 'note' && !worst.has(one.object)) worst.set(one.object, one)
  const marked = new Map<string, Box>()
  for (const box of picture.boxes) {
    const trouble = worst.get(box.id)
    if (trouble === undefined || box.look !== 'serves') continue
    const look = trouble.severity === 'broken' ? 'refuses' : 'partly'
    const { says, because } = trouble
    marked.set(box.id, { ...box, look, says, ...(because && { because }) })
  }
  return {
    ...picture,
    boxes: picture.boxes.map((box) => marked.get(box.id) ?? box),
    edges: picture.edges.map((edge) => {
      const from = marked.get(edge.from)
      return from?.rung === 'address' ? { ...edge, look: from.look, says: from.says } : edge
    }),
  }
}
