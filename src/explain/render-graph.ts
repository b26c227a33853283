import type { Answer } from './answer.ts'
import { renderQuestion } from './render.ts'
import { type Arrow, type Box, wayGraph } from './way-graph.ts'

/** Fill and border; text stays black, so that both are read on a dark page too. */
const colours: Readonly<Record<Box['look'], readonly [fill: string, border: string]>> = {
  end: ['#e8eaf6', '#3949ab'],
  step: ['#ffffff', '#757575'],
  allow: ['#e8f5e9', '#2e7d32'],
  pass: ['#e3f2fd', '#1565c0'],
  deny: ['#ffebee', '#c62828'],
  blamed: ['#ffcdd2', '#b71c1c'],
  disagrees: ['#fff3e0', '#ef6c00'],
}

/** The answer as a Mermaid flowchart: whole arrows are the request, dotted ones the reply, and what is to be blamed is red. */
export function renderMermaid(answer: Answer): string {
  const { boxes, arrows } = wayGraph(answer)
  const looks = [...new Set(boxes.map(({ look }) => look))].sort()
  return [
    `%% ${renderQuestion(answer.question).replaceAll(/[\r\n{}]/g, ' ')}`,
    'flowchart TD',
    ...boxes.map(({ id, lines, look }) => `  ${id}["${lines.map(mermaidText).join('<br/>')}"]:::${classOf(look)}`),
    ...arrows.map(mermaidArrow),
    ...looks.map((look) => {
      const [fill, border] = colours[look]
      return `  classDef ${classOf(look)} fill:${fill},stroke:${border},color:#000000${look === 'blamed' ? ',stroke-width:3px' : ''}`
    }),
  ].join('\n')
}

/** `end` alone is a keyword of Mermaid's. */
function classOf(look: Box['look']): string {
  return `is-${look}`
}

function mermaidArrow({ from, to, says, way }: Arrow): string {
  const line = way === 'request' ? '-->' : '-.->'
  const label = way === 'reply' ? 'reply' : says
  return `  ${from} ${line}${label === '' ? '' : `|"${mermaidText(label)}"|`} ${to}`
}

/** Whatever Mermaid or HTML gives a meaning inside quotes, as Mermaid's numbered entities. */
function mermaidText(text: string): string {
  return oneLine(text).replaceAll(/["#&<>`\\;]/g, (sign) => `#${sign.codePointAt(0)};`)
}

/** The answer as a Graphviz graph, drawn alike. */
export function renderDot(answer: Answer): string {
  const { boxes, arrows } = wayGraph(answer)
  return [
    'digraph why {',
    `  label=${dotText([renderQuestion(answer.question)])}`,
    '  node [shape=box, style="rounded,filled", fontname="sans-serif"]',
    ...boxes.map(({ id, lines, look }) => {
      const [fill, border] = colours[look]
      const width = look === 'blamed' ? ', penwidth=3' : ''
      return `  ${id} [label=${dotText(lines)}, fillcolor="${fill}", color="${border}"${width}]`
    }),
    ...arrows.map(({ from, to, says, way }) => {
      const label = way === 'reply' ? 'reply' : says
      const words = [
        ...(label === '' ? [] : [`label=${dotText([label])}`]),
        ...(way === 'request' ? [] : ['style=dashed']),
      ]
      return `  ${from} -> ${to}${words.length === 0 ? '' : ` [${words.join(', ')}]`}`
    }),
    '}',
  ].join('\n')
}

function dotText(lines: readonly string[]): string {
  const escaped = lines.map((line) => oneLine(line).replaceAll('\\', '\\\\').replaceAll('"', '\\"'))
  return `"${escaped.join('\\n')}"`
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ')
}
