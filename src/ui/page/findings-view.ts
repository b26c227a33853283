import type { Trouble } from '../findings.ts'
import { ask, type View } from './api.ts'
import { type Child, el } from './dom.ts'
import { renderHash } from './hash.ts'

const titles = { broken: 'Broken', partly: 'In part', note: 'Notes' } as const

/** `#/findings`: all that is wrong by the objects, the worst first. */
export function findingsView(root: HTMLElement): View {
  const out = el('div', { 'aria-live': 'polite' })
  root.append(
    el('h1', {}, 'Findings'),
    el('p', { class: 'hint' }, 'By the objects alone: nothing was probed. plumb doctor sends packets, too.'),
    out,
  )
  const load = (): void => {
    ask<readonly Trouble[]>('findings').then(
      (found) => out.replaceChildren(...draw(found)),
      (error: Error) => out.replaceChildren(el('p', { class: 'error', role: 'alert' }, error.message)),
    )
  }
  load()
  return { update: () => undefined, changed: load }
}

function draw(found: readonly Trouble[]): readonly Node[] {
  if (found.length === 0) return [el('p', { class: 'verdict serves' }, 'Nothing is wrong by the objects.')]
  return [...Map.groupBy(found, ({ severity }) => severity)].map(([severity, some]) =>
    el(
      'section',
      {},
      el('h2', {}, `${titles[severity]} (${some.length})`),
      el('ul', { class: 'troubles' }, ...some.map(drawTrouble)),
    ),
  )
}

function drawTrouble({ severity, object, says, because, try: remedy }: Trouble): HTMLElement {
  const link = (one: string): HTMLElement => el('a', { href: renderHash('', { object: one }) }, one)
  const parts: readonly Child[] = [
    el('p', {}, link(object), `: ${says}`),
    because &&
      el(
        'p',
        { class: 'because' },
        '↳ ',
        because.object === object ? because.object : link(because.object),
        ` ${because.field}${because.value === '' ? '' : ` = ${because.value}`}`,
      ),
    remedy !== undefined && el('p', { class: 'remedy' }, `try: ${remedy}`),
  ]
  return el('li', { class: severity }, ...parts)
}
