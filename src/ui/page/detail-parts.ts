import { type Child, el } from './dom.ts'
import { renderHash } from './hash.ts'

/** A link to an object beside the picture. */
export function objectLink(object: string): HTMLElement {
  return el('a', { href: renderHash('', { object }) }, object)
}

/** How it fares, in its colour. */
export function health(look: string, says: string): HTMLElement {
  return el('p', { class: `verdict ${look}` }, says)
}

/** A part with a title. */
export function section(title: string, ...children: readonly Child[]): HTMLElement {
  return el('section', {}, el('h3', {}, title), ...children)
}

/** The object and field to blame. */
export function blame({
  object,
  field,
  value,
}: {
  readonly object: string
  readonly field: string
  readonly value: string
}): HTMLElement {
  return el('p', { class: 'because' }, '↳ ', objectLink(object), ` ${field}${value === '' ? '' : ` = ${value}`}`)
}
