import { addressesView } from './addresses-view.ts'
import { ask, type View } from './api.ts'
import { el } from './dom.ts'
import { findingsView } from './findings-view.ts'
import { flowsView } from './flows-view.ts'
import { parseHash, renderHash } from './hash.ts'
import { pictureView } from './picture-view.ts'
import { reachView } from './reach-view.ts'
import { whyView } from './why-view.ts'

interface About {
  readonly says: string
  readonly blind: readonly string[]
  readonly assumptions: readonly string[]
}

const views: Readonly<
  Record<string, { title: string; open(root: HTMLElement, navigate: (hash: string) => void): View }>
> = {
  '': { title: 'Picture', open: pictureView },
  why: { title: 'Why', open: whyView },
  findings: { title: 'Findings', open: findingsView },
  reach: { title: 'Reach', open: reachView },
  flows: { title: 'Flows', open: flowsView },
  addresses: { title: 'Addresses', open: addressesView },
}

const find = (id: string): HTMLElement => document.getElementById(id)!
const links = new Map(
  Object.entries(views).map(([name, { title }]) => [name, el('a', { href: renderHash(name) }, title)]),
)
let open: { readonly name: string; readonly view: View } | undefined
let says = ''

/** What is typed changes the address in place; what is clicked is a step that can be gone back. */
function navigate(hash: string): void {
  history.replaceState(null, '', hash)
  show()
}

function show(): void {
  const { view: asked, query } = parseHash(location.hash)
  const name = Object.hasOwn(views, asked) ? asked : ''
  for (const [other, link] of links)
    if (other === name) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
  const { title, open: openView } = views[name]!
  document.title = `${title} · plumb${says === '' ? '' : ` · ${says}`}`
  if (open?.name !== name) {
    open?.view.close?.()
    const main = find('main')
    main.replaceChildren()
    open = { name, view: openView(main, navigate) }
  }
  open.view.update(query)
}

/** How many findings there are, in the navigation. */
function count(): void {
  ask<readonly { severity: string }[]>('findings').then(
    (found) => {
      const bad = found.filter(({ severity }) => severity !== 'note').length
      const text = found.length === 0 ? 'Findings' : `Findings ${found.length}`
      links.get('findings')!.replaceChildren(text)
      links.get('findings')!.classList.toggle('bad', bad > 0)
    },
    () => undefined,
  )
}

function follow(): void {
  const events = new EventSource('/api/changes')
  const live = find('live')
  let revision = ''
  const tell = (state: 'live' | 'away', text: string): void => {
    live.className = state
    live.textContent = text
  }
  events.addEventListener('open', () => tell('live', 'live'))
  events.addEventListener('error', () => tell('away', 'not connected'))
  events.addEventListener('changed', ({ data }: MessageEvent<string>) => {
    count()
    // The first one tells where it begins.
    if (revision !== '' && revision !== data) open?.view.changed?.()
    revision = data
  })
}

for (const link of links.values()) find('nav').append(link)
addEventListener('hashchange', () => {
  show()
  find('main').focus({ preventScroll: true })
})
show()
follow()
ask<About>('about').then(
  (about) => {
    says = about.says
    find('where').textContent = says
    const blind = find('blind')
    blind.hidden = about.blind.length === 0
    blind.textContent = about.blind.join('; ')
    document.title = `${document.title} · ${says}`
  },
  (error: Error) => {
    find('where').textContent = error.message
  },
)
