import { el } from './dom.ts'
import { renderHash } from './hash.ts'

interface Said {
  readonly object: string
  readonly field: string
  readonly says: string
  readonly try: string
}

/** Findings with the object to blame and the remedy; undefined where there are none. */
export function findingList(findings: readonly Said[]): HTMLElement | undefined {
  if (findings.length === 0) return undefined
  const items = findings.map(({ object, field, says, try: remedy }) =>
    el(
      'li',
      {},
      el('a', { href: renderHash('', { object }) }, object),
      ` ${field}: ${says}`,
      el('small', { class: 'remedy' }, `try: ${remedy}`),
    ),
  )
  return el('ul', { class: 'findings' }, ...items)
}
