import type { Because, Finding } from '../cluster/index.ts'
import type { Picture } from './picture.ts'
import type { ReachData } from './reach-of.ts'

/** Something that is wrong. `broken`: nobody is served; `partly`: some are not; `note`: a mistake or a limit in an object. */
export interface Trouble {
  readonly severity: 'broken' | 'partly' | 'note'
  /** Whom it concerns, as the picture calls it where it is drawn. */
  readonly object: string
  readonly says: string
  readonly because?: Because
  /** What to do about it. */
  readonly try?: string
}

const order: readonly Trouble['severity'][] = ['broken', 'partly', 'note']

/** All that is wrong by the objects alone, the worst first: nothing is probed. */
export function findTroubles(picture: Picture, reach: ReachData): readonly Trouble[] {
  const findings = new Map(
    [...picture.findings, ...reach.findings].map((one) => [`${one.object} ${one.field} ${one.says}`, one] as const),
  )
  const boxes = picture.boxes.flatMap(({ id, look, says, because }): Trouble[] => {
    if (look !== 'refuses' && look !== 'partly') return []
    const severity = look === 'refuses' ? 'broken' : 'partly'
    // What a finding says, too, has its field and its remedy.
    const same = [...findings].find(([, one]) => one.object === id && says.includes(one.says))
    if (same === undefined) return [{ severity, object: id, says, ...(because && { because }) }]
    findings.delete(same[0])
    return [{ ...noteOf(same[1]), severity, object: id, says }]
  })
  const told = new Set(boxes.filter(({ severity }) => severity === 'broken').map(({ object }) => object))
  return [...boxes, ...deniedWays(reach, told), ...[...findings.values()].map(noteOf)].sort(
    (a, b) => order.indexOf(a.severity) - order.indexOf(b.severity),
  )
}

function noteOf({ object, field, says, try: remedy }: Finding): Trouble {
  return { severity: 'note', object, says, because: { object, field, value: '' }, try: remedy }
}

/** Ways from outside, routes and exits on which nobody gets through, though what they lead to is there: policies, above all. */
function deniedWays({ ways }: ReachData, told: ReadonlySet<string>): readonly Trouble[] {
  const all = Map.groupBy(
    ways.filter(({ kind }) => kind !== 'service' && kind !== 'certificate'),
    (way) => entranceOf(way) ?? way.because.object,
  )
  return [...all].flatMap(([object, some]) => {
    const denied = some.filter(({ id, verdict, because, through = [] }) => {
      const others = [id.split(' ')[0] ?? '', because.object, ...through.map((one) => one.object)]
      return verdict === 'deny' && !others.some((one) => told.has(one))
    })
    const severity = denied.length === some.length ? 'broken' : 'partly'
    return denied.map(({ kind, id, says, because }): Trouble => {
      const port = kind === 'external' ? `${id.split(' ')[1]}: ` : kind === 'node-port' ? '' : `${id}: `
      return { severity, object, says: `${port}${says}`, because }
    })
  })
}

/** The box before a Service that a way begins at: `service/shop/web 80/tcp at 203.0.113.7`, `service/shop/web node port 30080/tcp IPv4`. */
function entranceOf({ kind, id }: ReachData['ways'][number]): string | undefined {
  if (kind === 'node-port') return `nodeport/${/ node port (\S+) /.exec(id)?.[1] ?? ''}`
  return kind === 'external' ? `address/${id.slice(id.lastIndexOf(' at ') + ' at '.length)}` : undefined
}
