import type { Picture, Rung } from '../picture.ts'
import { svg } from './dom.ts'
import { along } from './filter.ts'
import { type Layout, metrics, type Placed } from './layout.ts'

const titles: Readonly<Record<Rung, string>> = {
  address: 'From outside',
  entry: 'Gateways, Ingresses',
  service: 'Services',
  workload: 'Workloads',
  exit: 'Exits',
}

const marks = { serves: '', partly: '! ', refuses: '✗ ', ignored: '' } as const

export interface DrawOptions {
  /** The box that is looked at. */
  readonly selected: string
  readonly hrefOf: (id: string) => string
  readonly onFold: (id: string) => void
  readonly unfolded: ReadonlySet<string>
}

/** The picture as SVG: each box is a link, each workload has a button that folds its pods out. */
export function drawSvg(picture: Picture, layout: Layout, options: DrawOptions): SVGSVGElement {
  const { selected } = options
  const lit = selected === '' ? undefined : along(picture, new Set([selected]))
  const root = svg('svg', {
    viewBox: `0 0 ${layout.width} ${layout.height}`,
    width: layout.width,
    height: layout.height,
    role: 'group',
    'aria-label': 'The ways in and out of the cluster',
  })
  for (const { rung, x } of layout.columns) root.append(svg('text', { class: 'rung', x, y: 14 }, titles[rung]))
  for (const { edge, path } of layout.edges) {
    const isLit = lit === undefined || (lit.has(edge.from) && lit.has(edge.to))
    const line = svg('path', { class: `edge ${edge.look}${isLit ? '' : ' dim'}`, d: path })
    if (edge.says !== '') line.append(svg('title', {}, edge.says))
    root.append(line)
  }
  // Reading order is that of the columns.
  const order = [...layout.boxes].sort((a, b) => a.x - b.x || a.y - b.y)
  for (const one of order) root.append(drawBox(one, options, lit === undefined || lit.has(one.box.id)))
  return root
}

function drawBox(placed: Placed, { selected, hrefOf, onFold, unfolded }: DrawOptions, isLit: boolean): SVGElement {
  const { box, x, y, width, height, lines, says, pods } = placed
  const classes = ['box', box.look, ...(box.id === selected ? ['selected'] : []), ...(isLit ? [] : ['dim'])]
  const left = x + metrics.padding + 5
  let line = y + metrics.padding + 12
  const words = box.says === '' ? '' : `: ${box.says}`
  const label = `${box.kind} ${box.namespace === '' ? '' : `${box.namespace}/`}${box.name}${words}`
  const link = svg('a', { href: hrefOf(box.id), 'aria-label': label, 'data-id': box.id })
  link.append(
    svg('title', {}, `${label}\n${box.lines.join('\n')}`),
    svg('rect', { x, y, width, height, rx: 5 }),
    svg('rect', { class: 'side', x, y, width: 4, height, rx: 2 }),
    svg(
      'text',
      { class: 'name', x: left, y: line },
      `${marks[box.look]}${placed.name}`,
      placed.namespace !== '' && svg('tspan', { class: 'space', dx: 6 }, placed.namespace),
    ),
  )
  const next = (className: string, text: string): void => {
    line += metrics.line
    link.append(svg('text', { class: className, x: left, y: line }, text))
  }
  for (const text of lines) next('line', text)
  for (const text of says) next('says', text)
  const group = svg('g', { class: classes.join(' ') }, link)
  for (const pod of pods) {
    line += metrics.line
    const name = pod.name.slice(pod.name.indexOf('/') + 1)
    const text = svg('text', { class: pod.ready ? 'line' : 'says', x: left + 6, y: line })
    text.append(svg('title', {}, pod.says), `${pod.ready ? '✓' : '✗'} ${name} · ${pod.node}`)
    group.append(svg('a', { href: hrefOf(`pod/${pod.name}`) }, text))
  }
  if ((box.pods?.length ?? 0) > 1) group.append(foldButton(placed, unfolded.has(box.id), onFold))
  return group
}

function foldButton({ box, x, y, width }: Placed, isOpen: boolean, onFold: (id: string) => void): SVGElement {
  const fold = (event: Event): void => {
    if (event instanceof KeyboardEvent && event.key !== 'Enter' && event.key !== ' ') return
    event.preventDefault()
    onFold(box.id)
  }
  const at = { x: x + width - 24, y: y + 3 }
  return svg(
    'g',
    {
      class: 'fold',
      role: 'button',
      tabindex: 0,
      'aria-expanded': String(isOpen),
      'aria-label': `Pods of ${box.name}`,
      'data-id': `fold ${box.id}`,
      onclick: fold,
      onkeydown: fold,
    },
    svg('rect', { ...at, width: 20, height: 18, rx: 4 }),
    svg('text', { x: at.x + 10, y: at.y + 13, 'text-anchor': 'middle' }, isOpen ? '−' : '+'),
  )
}
