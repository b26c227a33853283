import type { Because } from '../cluster/index.ts'
import type { Answer, Branch, Step, Verdict } from './answer.ts'
import { renderEnd } from './render.ts'

/** One box of the picture: lines of text, and what is to be seen at a glance. */
export interface Box {
  readonly id: string
  readonly lines: readonly string[]
  /** `blamed`: the object to change, or a step that it decides; `disagrees`: the kernel says otherwise. */
  readonly look: 'end' | 'step' | 'allow' | 'pass' | 'deny' | 'blamed' | 'disagrees'
}

export interface Arrow {
  readonly from: string
  readonly to: string
  readonly says: string
  readonly way: 'request' | 'reply' | 'because'
}

export interface WayGraph {
  readonly boxes: readonly Box[]
  readonly arrows: readonly Arrow[]
}

const signs = { allow: '✓', deny: '✗', pass: '→' } as const

/**
 * The walk as a graph: steps in their order, a way for each endpoint up to `limit`, the reply back to the source, and each
 * denial with the object that it is to be blamed on.
 */
export function wayGraph(answer: Answer, limit = 8): WayGraph {
  const drawing = new Drawing()
  const source = drawing.box('end', [renderEnd(answer.question.from)])
  const shared = drawing.walk(source, source, answer.steps, answer.verdict)
  const isDenied = ({ verdict }: Branch): boolean => verdict.kind === 'deny'
  // What fails is drawn, however many endpoints there are.
  const branches = [...answer.branches].sort((a, b) => Number(isDenied(b)) - Number(isDenied(a)))
  for (const branch of branches.slice(0, limit)) {
    const last = drawing.walk(source, shared, branch.steps, branch.verdict, share(branch))
    drawing.conclude(last, branch.verdict)
  }
  const rest = answer.branches.length - limit
  if (rest > 0) drawing.arrow(shared, drawing.box('end', [`… and ${rest} more endpoints`]), 'request')
  // A kernel that disagrees, or a filter of a gateway, denies what the way to every endpoint would allow.
  if (branches.length === 0 || (answer.verdict.kind === 'deny' && !branches.some(isDenied)))
    drawing.conclude(shared, answer.verdict)
  return drawing
}

function share({ share: { one, of } }: Branch): string {
  return of === 1 ? '' : `${one} of ${of}`
}

class Drawing implements WayGraph {
  readonly boxes: Box[] = []
  readonly arrows: Arrow[] = []
  readonly #blamed = new Map<string, string>()

  box(look: Box['look'], lines: readonly string[]): string {
    const id = `n${this.boxes.length}`
    this.boxes.push({ id, lines, look })
    return id
  }

  arrow(from: string, to: string, way: Arrow['way'], says = ''): void {
    this.arrows.push({ from, to, way, says })
  }

  /** Draws steps after `from`; the box from which the request goes on. */
  walk(source: string, from: string, steps: readonly Step[], verdict: Verdict, first = ''): string {
    let request = from
    let reply: string | undefined
    for (const step of steps) {
      if (step.stage === 'source') continue
      const id = this.box(lookOf(step, verdict), linesOf(step))
      const isReply = step.stage === 'reply'
      this.arrow(
        isReply ? (reply ?? request) : request,
        id,
        isReply ? 'reply' : 'request',
        request === from ? first : '',
      )
      if (isReply) reply = id
      else request = id
    }
    if (reply !== undefined) this.arrow(reply, source, 'reply')
    return request
  }

  /** The verdict after the last step of the request, and whom it is blamed on. */
  conclude(from: string, { kind, says, because }: Verdict): void {
    const end = this.box(kind, [`${signs[kind]} ${says}`])
    this.arrow(from, end, 'request')
    if (kind !== 'deny') return
    const text = render(because)
    const blamed = this.#blamed.get(text) ?? this.box('blamed', [because.object, fieldOf(because)])
    this.#blamed.set(text, blamed)
    this.arrow(blamed, end, 'because', 'because')
  }
}

function lookOf({ because, observed }: Step, verdict: Verdict): Box['look'] {
  if (observed?.kind === 'disagrees') return 'disagrees'
  const decides = verdict.kind === 'deny' && because !== undefined && render(because) === render(verdict.because)
  return decides ? 'blamed' : 'step'
}

function linesOf({ stage, node, says, because, observed }: Step): string[] {
  return [
    node === undefined ? stage : `${stage} on ${node}`,
    says,
    ...(because === undefined ? [] : [render(because)]),
    ...(observed?.kind === 'disagrees' ? [`✗ kernel: ${observed.says}`] : []),
  ]
}

function render(because: Because): string {
  return `${because.object} ${fieldOf(because)}`
}

function fieldOf({ field, value }: Because): string {
  return value === '' ? field : `${field} = ${value}`
}
