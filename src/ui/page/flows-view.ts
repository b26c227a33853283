import type { FlowsSeen, FlowTable } from '../source.ts'
import { ask, type View } from './api.ts'
import { el, table } from './dom.ts'
import { renderHash } from './hash.ts'

const kinds = { denied: 'Denied', http: 'Requests at gateways' } as const
type Kind = keyof typeof kinds

const most = 500

/** `#/flows?kind=http&q=502&bad=1`: what `plumb flows -f` prints, the newest first, as it comes. */
export function flowsView(root: HTMLElement, navigate: (hash: string) => void): View {
  return new FlowsView(root, navigate)
}

class FlowsView implements View {
  readonly #tabs = el('p', { class: 'tabs' })
  readonly #text = el('input', {
    type: 'search',
    id: 'flow-q',
    placeholder: 'pod, status, policy…',
    maxlength: 200,
    oninput: () => this.#go({ q: this.#text.value }),
  })
  readonly #bad = el('input', {
    type: 'checkbox',
    id: 'flow-bad',
    onchange: () => this.#go({ bad: this.#bad.checked ? '1' : '' }),
  })
  readonly #badLabel = el('label', { for: 'flow-bad' }, this.#bad, ' errors only')
  readonly #out = el('div', {})
  readonly #unasked = el('p', { class: 'error', role: 'status' })
  readonly #navigate: (hash: string) => void
  #query: Readonly<Record<string, string>> = {}
  #kind: Kind | undefined
  #events: EventSource | undefined
  #table: FlowTable | undefined
  #rows: FlowsSeen['rows'] = []

  constructor(root: HTMLElement, navigate: (hash: string) => void) {
    this.#navigate = navigate
    const bar = el(
      'form',
      { class: 'bar', onsubmit: (event) => event.preventDefault() },
      el('p', { class: 'field' }, el('label', { for: 'flow-q' }, 'Filter'), this.#text),
      this.#badLabel,
    )
    root.append(el('h1', { class: 'unseen' }, 'Flows'), this.#tabs, bar, this.#unasked, this.#out)
  }

  update(query: Readonly<Record<string, string>>): void {
    this.#query = query
    const kind: Kind = query.kind === 'http' ? 'http' : 'denied'
    if (this.#text.value !== (query.q ?? '')) this.#text.value = query.q ?? ''
    this.#bad.checked = query.bad === '1'
    this.#badLabel.hidden = kind !== 'http'
    const tabs = (Object.keys(kinds) as Kind[]).map((one) =>
      el(
        'a',
        { href: renderHash('flows', { kind: one }), 'aria-current': one === kind ? 'true' : undefined },
        kinds[one],
      ),
    )
    this.#tabs.replaceChildren(...tabs)
    if (kind === this.#kind) this.#draw()
    else this.#open(kind)
  }

  close(): void {
    this.#events?.close()
  }

  #go(change: Readonly<Record<string, string>>): void {
    this.#navigate(renderHash('flows', { ...this.#query, ...change }))
  }

  #open(kind: Kind): void {
    this.close()
    this.#kind = kind
    this.#rows = []
    this.#unasked.textContent = ''
    this.#out.replaceChildren(el('p', { class: 'empty' }, 'Asking the nodes…'))
    ask<{ flows?: Readonly<Record<Kind, FlowTable>> }>('about').then(
      ({ flows }) => {
        if (this.#kind !== kind) return
        if (flows === undefined) {
          this.#out.replaceChildren(el('p', { class: 'empty' }, 'Manifests have no flows: nothing runs.'))
          return
        }
        this.#table = flows[kind]
        this.#draw()
        this.#follow(kind)
      },
      (error: Error) => this.#out.replaceChildren(el('p', { class: 'error' }, error.message)),
    )
  }

  #follow(kind: Kind): void {
    const events = new EventSource(`/api/flows?kind=${kind}`)
    this.#events = events
    let isFirst = true
    // Whoever comes again is told the last rows again.
    events.addEventListener('open', () => {
      isFirst = true
    })
    events.addEventListener('flows', ({ data }: MessageEvent<string>) => {
      const { rows, unasked } = JSON.parse(data) as FlowsSeen
      this.#rows = isFirst ? rows : [...this.#rows, ...rows].slice(-most)
      isFirst = false
      this.#unasked.textContent = unasked.map(({ node, says }) => `${node} could not be asked: ${says}`).join('; ')
      this.#draw()
    })
  }

  #draw(): void {
    const known = this.#table
    if (known === undefined) return
    const words = (this.#query.q ?? '').toLowerCase().split(/\s+/).filter(Boolean)
    const shown = this.#rows.filter(({ cells, node, bad }) => {
      if (this.#kind === 'http' && this.#query.bad === '1' && !bad) return false
      const text = `${node} ${cells.join(' ')}`.toLowerCase()
      return words.every((word) => text.includes(word))
    })
    if (shown.length === 0) {
      const text = this.#rows.length === 0 ? known.none : 'no flow fits the filter'
      this.#out.replaceChildren(el('p', { class: 'empty' }, `${text}; what comes is shown here`))
      return
    }
    const newest = shown.toReversed()
    this.#out.replaceChildren(
      table(
        [...known.head, 'NODE'].map((head) => head.charAt(0) + head.slice(1).toLowerCase()),
        newest.map(({ cells, node }) => [...cells, node]),
        newest.map(({ bad }) => (bad && this.#kind === 'http' ? 'bad' : '')),
      ),
    )
  }
}
