import type { Trouble } from '../findings.ts'
import type { Picture } from '../picture.ts'
import { ask, type View } from './api.ts'
import { showDetail } from './detail.ts'
import { el } from './dom.ts'
import { filterPicture } from './filter.ts'
import { renderHash } from './hash.ts'
import { layOut } from './layout.ts'
import { markTroubles } from './mark.ts'
import { drawSvg } from './picture-svg.ts'

/** `#/?ns=shop&q=web&broken=1&object=service/shop/web`: the picture, and beside it what is looked at. */
export function pictureView(root: HTMLElement, navigate: (hash: string) => void): View {
  return new PictureView(root, navigate)
}

class PictureView implements View {
  readonly #navigate: (hash: string) => void
  readonly #namespaces = el('select', { id: 'ns', onchange: () => this.#go({ ns: this.#namespaces.value }) })
  readonly #text = el('input', {
    type: 'search',
    id: 'q',
    placeholder: 'name, address, host…',
    maxlength: 200,
    oninput: () => this.#go({ q: this.#text.value }),
  })
  readonly #broken = el('input', {
    type: 'checkbox',
    id: 'broken',
    onchange: () => this.#go({ broken: this.#broken.checked ? '1' : '' }),
  })
  readonly #count = el('output', { for: 'ns q broken' })
  readonly #canvas = el('div', { class: 'canvas' })
  readonly #detail = el('aside', { 'aria-live': 'polite', 'aria-label': 'What is looked at', hidden: true })
  readonly #unfolded = new Set<string>()
  readonly #resized = new ResizeObserver(() => this.#draw())
  #picture: Picture | undefined
  #query: Readonly<Record<string, string>> = {}
  #troubles: readonly Trouble[] = []
  #shown = ''
  #width = 0
  #scrolled: string | undefined

  constructor(root: HTMLElement, navigate: (hash: string) => void) {
    this.#navigate = navigate
    const bar = el(
      'form',
      { class: 'bar', role: 'search', onsubmit: (event) => event.preventDefault() },
      el('p', { class: 'field' }, el('label', { for: 'ns' }, 'Namespace'), this.#namespaces),
      el('p', { class: 'field' }, el('label', { for: 'q' }, 'Filter'), this.#text),
      el('label', { for: 'broken' }, this.#broken, ' broken only'),
      this.#count,
    )
    root.append(
      el('h1', { class: 'unseen' }, 'Ways in and out'),
      bar,
      el('div', { class: 'split' }, this.#canvas, this.#detail),
    )
    this.#resized.observe(this.#canvas)
  }

  update(query: Readonly<Record<string, string>>): void {
    this.#query = query
    if (this.#text.value !== (query.q ?? '')) this.#text.value = query.q ?? ''
    this.#broken.checked = query.broken === '1'
    if (this.#picture === undefined) this.changed()
    else this.#draw(true)
    this.#look()
  }

  changed(): void {
    ask<Picture>('picture')
      .then((picture) => {
        // What is known of before stays marked until the new findings are there.
        this.#picture = markTroubles(picture, this.#troubles)
        this.#draw(true)
        if (this.#shown !== '') this.#look(true)
        return ask<readonly Trouble[]>('findings').then((troubles) => {
          this.#troubles = troubles
          this.#picture = markTroubles(picture, troubles)
          this.#draw(true)
        })
      })
      .catch((error: Error) => this.#canvas.replaceChildren(el('p', { class: 'error', role: 'alert' }, error.message)))
  }

  close(): void {
    this.#resized.disconnect()
  }

  #go(change: Readonly<Record<string, string>>): void {
    this.#navigate(renderHash('', { ...this.#query, ...change }))
  }

  #draw(always = false): void {
    const picture = this.#picture
    const width = this.#canvas.clientWidth
    if (picture === undefined || width === 0 || (!always && width === this.#width)) return
    if (width !== this.#width) this.#scrolled = undefined
    this.#width = width
    const { ns = '', q = '', broken, object = '' } = this.#query
    const options = picture.namespaces.map((name) => el('option', { value: name, selected: name === ns }, name))
    this.#namespaces.replaceChildren(el('option', { value: '' }, 'all'), ...options)
    const filter = { namespace: ns, text: q, isBrokenOnly: broken === '1' }
    const shown = filterPicture(picture, filter)
    const bad = shown.boxes.filter(({ look }) => look === 'refuses' || look === 'partly').length
    const services = shown.boxes.filter(({ rung }) => rung === 'service').length
    this.#count.value = `${services} ${services === 1 ? 'Service' : 'Services'}, ${bad === 0 ? 'nothing broken' : `${bad} not well`}`
    const focused = document.activeElement?.getAttribute('data-id')
    if (shown.boxes.length === 0) {
      const words = picture.boxes.length === 0 ? 'There is no Service and no pod yet.' : 'Nothing fits the filter.'
      this.#canvas.replaceChildren(el('p', { class: 'empty' }, words))
      return
    }
    const layout = layOut(shown, { width, unfolded: this.#unfolded })
    this.#canvas.replaceChildren(
      drawSvg(shown, layout, {
        selected: boxAt(shown, object),
        hrefOf: (id) => renderHash('', { ...this.#query, object: id }),
        onFold: (id) => {
          if (!this.#unfolded.delete(id)) this.#unfolded.add(id)
          this.#draw(true)
        },
        unfolded: this.#unfolded,
      }),
    )
    this.#scroll(layout.columns)
    if (focused != null)
      this.#canvas.querySelector<SVGElement>(`[data-id="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true })
  }

  /** Where not all columns fit, Services are the first to be seen; what is looked at is, in any case. */
  #scroll(columns: readonly { readonly rung: string; readonly x: number }[]): void {
    const { object = '' } = this.#query
    if (object === this.#scrolled) return
    const isFirst = this.#scrolled === undefined
    this.#scrolled = object
    const selected = this.#canvas.querySelector('.selected')
    if (selected !== null) selected.scrollIntoView({ block: 'nearest', inline: 'nearest' })
    else if (isFirst) this.#canvas.scrollLeft = columns.find(({ rung }) => rung === 'service')?.x ?? 0
  }

  /** The object beside the picture, asked for when it is another one, or may have changed. */
  #look(again = false): void {
    const { object = '' } = this.#query
    if (object === this.#shown && !again) return
    this.#shown = object
    this.#detail.hidden = object === ''
    if (object === '') {
      this.#detail.replaceChildren()
      return
    }
    const closing = renderHash('', { ...this.#query, object: '' })
    const isStill = () => this.#shown === object
    void showDetail(this.#detail, object, { closing, isStill, picture: () => this.#picture })
  }
}

/** The box that an object is in; a pod is in its workload's. */
function boxAt({ boxes }: Picture, object: string): string {
  if (boxes.some(({ id }) => id === object)) return object
  const pod = object.startsWith('pod/') ? object.slice('pod/'.length) : undefined
  return boxes.find(({ pods }) => pods?.some(({ name }) => name === pod))?.id ?? ''
}
