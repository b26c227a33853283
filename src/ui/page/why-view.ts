import type { Answer } from '../../explain/index.ts'
import type { Names } from '../names.ts'
import { ask, type View } from './api.ts'
import { el } from './dom.ts'
import { renderHash } from './hash.ts'
import { drawAnswer } from './why-answer.ts'

const protocols = ['tcp', 'udp', 'sctp', 'icmp'] as const

/** `#/why?from=pod/shop/client&to=svc/shop/web:80`: the form, and the answer step by step. */
export function whyView(root: HTMLElement): View {
  const input = (id: string, placeholder: string): HTMLInputElement =>
    el('input', {
      id,
      placeholder,
      list: `${id}-names`,
      maxlength: 500,
      autocomplete: 'off',
      spellcheck: 'false',
      required: true,
    })
  const from = input('from', 'pod/shop/client, internet, node/node-1')
  const to = input('to', 'svc/shop/web:80, https://host/path, 10.0.0.1:53')
  const protocol = el('select', { id: 'protocol' }, ...protocols.map((one) => el('option', { value: one }, one)))
  const family = el(
    'select',
    { id: 'family' },
    ...['', '4', '6'].map((one) => el('option', { value: one }, one === '' ? 'any' : `IPv${one}`)),
  )
  const names = { from: el('datalist', { id: 'from-names' }), to: el('datalist', { id: 'to-names' }) }
  const out = el('div', { class: 'answer', 'aria-live': 'polite' })
  const field = (label: string, id: string, control: HTMLElement): HTMLElement =>
    el('p', { class: 'field' }, el('label', { for: id }, label), control)
  const form = el(
    'form',
    {
      class: 'bar',
      onsubmit: (event) => {
        event.preventDefault()
        const query = {
          from: from.value,
          to: to.value,
          protocol: protocol.value === 'tcp' ? '' : protocol.value,
          family: family.value,
        }
        const hash = renderHash('why', query)
        if (hash === location.hash) load()
        else location.hash = hash
      },
    },
    field('From', 'from', from),
    field('To', 'to', to),
    field('Protocol', 'protocol', protocol),
    field('Family', 'family', family),
    el('button', { type: 'submit' }, 'Why?'),
    names.from,
    names.to,
  )
  root.append(el('h1', { class: 'unseen' }, 'Why'), form, out)
  let asked: Readonly<Record<string, string>> = {}
  let told = ''

  const complete = (): void => {
    ask<Names>('names').then(
      (known) => {
        for (const end of ['from', 'to'] as const)
          names[end].replaceChildren(...known[end].map((value) => el('option', { value })))
        if (asked.to !== undefined && asked.from === undefined && from.value === '') from.value = guess(known, asked.to)
      },
      () => undefined,
    )
  }

  function load(): void {
    const question = asked
    if (!question.from || !question.to) {
      told = ''
      out.replaceChildren(el('p', { class: 'empty' }, 'Which way does a connection go, and which object makes it so?'))
      return
    }
    out.setAttribute('aria-busy', 'true')
    ask<Answer>('why', question).then(
      (answer) => {
        if (question !== asked) return
        out.removeAttribute('aria-busy')
        const text = JSON.stringify(answer)
        if (text === told) return
        told = text
        out.replaceChildren(...drawAnswer(answer))
      },
      (error: Error) => {
        if (question !== asked) return
        out.removeAttribute('aria-busy')
        told = ''
        out.replaceChildren(el('p', { class: 'error', role: 'alert' }, error.message))
      },
    )
  }

  complete()
  return {
    update: (query) => {
      asked = query
      from.value = query.from ?? ''
      to.value = query.to ?? ''
      protocol.value = query.protocol ?? 'tcp'
      family.value = query.family ?? ''
      if (query.to !== undefined && query.from === undefined) complete()
      load()
      if (!query.from) from.focus()
    },
    changed: () => {
      complete()
      load()
    },
  }
}

/** Somebody who may be the client: a pod of the same namespace that is not meant itself, else the internet. */
function guess({ from }: Names, to: string): string {
  const [kind, namespace = '', name = ''] = to.split('/')
  const own = (kind === 'svc' || kind === 'pod') && name !== '' ? namespace : undefined
  const bare = name.replace(/:.*$/, '')
  return from.find((one) => one.startsWith(`pod/${own}/`) && !one.startsWith(`pod/${own}/${bare}`)) ?? 'internet'
}
