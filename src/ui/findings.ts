import type { Because } from '../cluster/index.ts'
import type { Picture } from './picture.ts'
import type { ReachData } from './reach-of.ts'

/** Something that is wrong. `broken`: nobody is served; `partly`: some are not; `note`: a mistake or a limit in an object. */
export interface Trouble {
  readonly severity: 'broken' | 'partly' | 'note'
  /** Whom it concerns, as the picture calls it. */
  readonly object: string
  readonly says: string
  readonly because?: Because
  /** What to do about it. */
  readonly try?: string
}

const order: readonly Trouble['severity'][] = ['broken', 'partly', 'note']

/** All that is wrong by the objects alone, the worst first: nothing is probed. */
export function findTroubles(picture: Picture, reach: ReachData): readonly Trouble[] {
  const found = new Map<string, Trouble>()
  const add = (trouble: Trouble): void => {
    const id = `${trouble.object} ${trouble.says}`
    if (!found.has(id)) found.set(id, trouble)
  }
  for (const { id, look, says, because } of picture.boxes)
    if (look === 'refuses' || look === 'partly')
      add({ severity: look === 'refuses' ? 'broken' : 'partly', object: id, says, ...(because && { because }) })
  for (const { verdict, kind, id, says, because } of reach.ways) {
    const [object = ''] = id.split(' ')
    // What no endpoint serves is told of the Service itself.
    const isTold = kind === 'service' || picture.boxes.some((one) => one.id === object && one.look === 'refuses')
    if (verdict === 'deny' && !isTold)
      add({ severity: 'broken', object: because.object, says: `${id}: ${says}`, because })
  }
  for (const { object, field, says, try: remedy } of [...picture.findings, ...reach.findings])
    add({ severity: 'note', object, says, because: { object, field, value: '' }, try: remedy })
  return [...found.values()].sort((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity))
}
