import type { Answer } from '../../explain/index.ts'
import { type Child, el } from './dom.ts'
import { findingList } from './finding-list.ts'
import { renderHash } from './hash.ts'

type Step = Answer['steps'][number]
type Branch = Answer['branches'][number]
type Because = Answer['verdict']['because']

const signs = { allow: '✓', deny: '✗', pass: '→' } as const
const marks = { agrees: '✓', disagrees: '✗', unseen: '·' } as const
/** So many ways to endpoints are open; more are folded. */
const mostOpen = 4

/** The answer as `plumb why` prints it: the verdict with whom to blame, where the kernels disagree, each step, each endpoint. */
export function drawAnswer(answer: Answer): readonly Node[] {
  const { verdict, steps, branches, assumptions, findings } = answer
  const wrong = disagreements(answer)
  // Those that fail first.
  const order = [...branches].sort((a, b) => Number(a.verdict.kind !== 'deny') - Number(b.verdict.kind !== 'deny'))
  const parts: readonly Child[] = [
    el('h2', { class: `verdict ${verdict.kind}` }, `${signs[verdict.kind]} ${verdict.says}`),
    because(verdict.because, verdict.kind === 'deny' ? 'to blame: ' : ''),
    findingList(findings),
    wrong.length > 0 &&
      el('section', { class: 'bad' }, el('h3', {}, 'Where the lanes disagree'), list(wrong.map((one) => `✗ ${one}`))),
    stepList(steps, verdict.because, verdict.kind === 'deny'),
    ...order.map((branch, at) => drawBranch(branch, at < mostOpen)),
    assumptions.length > 0 && el('details', {}, el('summary', {}, 'Taken for granted'), list(assumptions)),
    el('p', { class: 'command' }, el('code', {}, commandOf(answer))),
  ]
  return parts.filter((one) => one instanceof Node)
}

function list(items: readonly string[]): HTMLElement {
  return el('ul', {}, ...items.map((one) => el('li', {}, one)))
}

function stepList(steps: readonly Step[], blamed: Because, isDenied: boolean): HTMLElement {
  const isBlamed = ({ because: own }: Step): boolean =>
    isDenied && own !== undefined && own.object === blamed.object && own.field === blamed.field
  return el('ol', { class: 'steps' }, ...steps.map((step) => drawStep(step, isBlamed(step))))
}

function drawStep({ stage, node, says, because: own, observed }: Step, isBlamed: boolean): HTMLElement {
  const bad = isBlamed || observed?.kind === 'disagrees'
  return el(
    'li',
    { class: bad ? 'bad' : '' },
    el('span', { class: 'stage' }, stage, node !== undefined && el('small', {}, node)),
    el(
      'div',
      {},
      el('p', {}, says),
      own && because(own),
      observed && el('p', { class: `observed ${observed.kind}` }, `${marks[observed.kind]} ${observed.says}`),
    ),
  )
}

function drawBranch({ endpoint, share, verdict, steps }: Branch, isOpen: boolean): HTMLElement {
  const { address, port, pod, node } = endpoint
  const part = share.of === 1 ? '' : `, ${share.one} of ${share.of} connections`
  const where = `${address.includes(':') ? `[${address}]` : address}:${port}${pod === undefined ? '' : ` pod/${pod}`}${node === undefined ? '' : ` on ${node}`}${part}`
  return el(
    'details',
    { class: `branch ${verdict.kind}`, open: isOpen || verdict.kind === 'deny' },
    el('summary', {}, `${signs[verdict.kind]} ${where}`),
    verdict.kind === 'deny' && el('p', { class: 'bad' }, verdict.says),
    stepList(steps, verdict.because, verdict.kind === 'deny'),
  )
}

function because({ object, field, value }: Because, before = ''): HTMLElement {
  const link = el('a', { href: renderHash('', { object: linked(object) }) }, object)
  return el('p', { class: 'because' }, `↳ ${before}`, link, ` ${field}${value === '' ? '' : ` = ${value}`}`)
}

function linked(object: string): string {
  return object.replace(/^svc\//, 'service/')
}

function disagreements({ steps, branches }: Answer): readonly string[] {
  const all = [...steps, ...branches.flatMap((one) => one.steps)]
  const found = all.flatMap(({ observed, node }) =>
    observed?.kind === 'disagrees' ? [`${node === undefined ? '' : `${node}: `}${observed.says}`] : [],
  )
  return [...new Set(found)]
}

/** The same question for a terminal. */
function commandOf({ question: { from: source, transport, family } }: Answer): string {
  const query = new URLSearchParams(location.hash.split('?')[1] ?? '')
  const from = source.kind === 'address' ? source.address : query.get('from')
  const more = `${transport === 'tcp' ? '' : ` --protocol ${transport}`}${family === undefined ? '' : ` --family ${family}`}`
  return `plumb why ${from} ${query.get('to')}${more}`
}
