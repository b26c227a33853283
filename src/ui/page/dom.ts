export type Child = Node | string | number | undefined | false

type Attributes = Readonly<Record<string, string | number | boolean | undefined | ((event: Event) => void)>>

/** An element; `onclick` and the like listen, `false` and undefined leave an attribute out. Text is text, never HTML. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), attributes, children)
}

/** The same of SVG. */
export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children)
}

function fill<T extends Element>(element: T, attributes: Attributes, children: readonly Child[]): T {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value)
    else if (value === true) element.setAttribute(name, '')
    else if (value !== undefined && value !== false) element.setAttribute(name, String(value))
  }
  for (const child of children)
    if (child !== undefined && child !== false) element.append(child instanceof Node ? child : String(child))
  return element
}

/** A table with heads; a cell is text or an element. */
export function table(
  heads: readonly string[],
  rows: readonly (readonly Child[])[],
  looks: readonly string[] = [],
): HTMLElement {
  const head = el('tr', {}, ...heads.map((one) => el('th', { scope: 'col' }, one)))
  const body = rows.map((cells, at) => el('tr', { class: looks[at] }, ...cells.map((cell) => el('td', {}, cell))))
  return el('div', { class: 'scroll' }, el('table', {}, el('thead', {}, head), el('tbody', {}, ...body)))
}

/** `4 min`, `2 h`, `3 d` ago; the time itself is its title. */
export function since(time: string | undefined): HTMLElement | string {
  if (time === undefined) return ''
  const seconds = Math.max(0, (Date.now() - Date.parse(time)) / 1000)
  const text =
    seconds < 90
      ? `${Math.round(seconds)} s`
      : seconds < 5400
        ? `${Math.round(seconds / 60)} min`
        : seconds < 129_600
          ? `${Math.round(seconds / 3600)} h`
          : `${Math.round(seconds / 86_400)} d`
  return el('time', { datetime: time, title: time }, text)
}
