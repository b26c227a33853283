import type { ReachOf } from '../reach-of.ts'
import { ask, type View } from './api.ts'
import { el, table } from './dom.ts'
import { renderHash } from './hash.ts'

/** `#/reach?of=deployment/shop/web`: who may talk to a workload, whom it may talk to, and which ways lead to it. */
export function reachView(root: HTMLElement): View {
  const input = el('input', {
    id: 'of',
    list: 'subjects',
    placeholder: 'deployment/shop/web',
    maxlength: 500,
    autocomplete: 'off',
    spellcheck: 'false',
    required: true,
  })
  const subjects = el('datalist', { id: 'subjects' })
  const out = el('div', { 'aria-live': 'polite' })
  const choose = (event: Event): void => {
    event.preventDefault()
    location.hash = renderHash('reach', { of: input.value })
  }
  const form = el(
    'form',
    { class: 'bar', onsubmit: choose },
    el('p', { class: 'field' }, el('label', { for: 'of' }, 'Workload'), input),
    el('button', { type: 'submit' }, 'Who may talk to it?'),
    subjects,
  )
  root.append(el('h1', { class: 'unseen' }, 'Reach'), form, out)
  let of = ''
  const load = (): void => {
    const asked = of
    out.setAttribute('aria-busy', 'true')
    ask<ReachOf>('reach', { of: asked }).then(
      (found) => {
        if (asked !== of) return
        out.removeAttribute('aria-busy')
        subjects.replaceChildren(...found.subjects.map((value) => el('option', { value })))
        out.replaceChildren(...(asked === '' ? drawSubjects(found.subjects) : draw(found)))
      },
      (error: Error) => {
        out.removeAttribute('aria-busy')
        out.replaceChildren(el('p', { class: 'error', role: 'alert' }, error.message))
      },
    )
  }
  return {
    update: (query) => {
      of = query.of ?? ''
      input.value = of
      load()
    },
    changed: load,
  }
}

function subjectLink(name: string): HTMLElement {
  return el('a', { href: renderHash('reach', { of: name }) }, name)
}

function drawSubjects(subjects: readonly string[]): readonly Node[] {
  return [
    el('p', { class: 'hint' }, 'By NetworkPolicies and policies of the cluster. Whose?'),
    el('ul', { class: 'columns' }, ...subjects.map((one) => el('li', {}, subjectLink(one)))),
  ]
}

function draw({ of, into, out, audited, ways, subjects }: ReachOf): readonly Node[] {
  if (into.length + out.length + ways.length === 0 && !subjects.includes(of))
    return [el('p', { class: 'error', role: 'alert' }, `there is no workload ${of} with pods`)]
  const edges = (title: string, some: ReachOf['into'], other: 'from' | 'to', none: string): Node =>
    el(
      'section',
      {},
      el('h2', {}, title),
      some.length === 0
        ? el('p', { class: 'bad' }, none)
        : table(
            [other === 'from' ? 'From' : 'To', 'Ports'],
            some.map((edge) => [known(subjects, edge[other]), edge.ports]),
          ),
    )
  return [
    edges(`May talk to ${of}`, into, 'from', 'nobody: a policy isolates it and lets nobody in'),
    el(
      'section',
      {},
      el('h2', {}, 'Ways to it, and its exits'),
      ways.length === 0
        ? el('p', {}, 'none: no Service, route or Egress has to do with it')
        : table(
            ['Kind', 'Asked for', 'Who', ''],
            ways.map(({ kind, id, verdict, clients, leadsTo, says }) => [
              kind,
              id,
              verdict === 'deny'
                ? 'nobody'
                : clients === undefined
                  ? ''
                  : clients === 'everybody'
                    ? clients
                    : few(clients),
              verdict === 'deny' ? `✗ ${says}` : leadsTo.join(', '),
            ]),
            ways.map(({ verdict }) => (verdict === 'deny' ? 'bad' : '')),
          ),
    ),
    edges(`${of} may talk to`, out, 'to', 'nobody: a policy isolates it and lets nothing out'),
    ...(audited.length === 0
      ? []
      : [
          el(
            'section',
            {},
            el('h2', {}, 'Would be denied by audited policies'),
            table(
              ['From', 'To', 'Ports'],
              audited.map(({ from, to, ports }) => [from, to, ports]),
            ),
          ),
        ]),
  ]
}

function few(names: readonly string[]): string {
  if (names.length === 0) return 'nobody'
  return names.length <= 4 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`
}

function known(subjects: readonly string[], name: string): HTMLElement | string {
  return subjects.includes(name) ? subjectLink(name) : name
}
