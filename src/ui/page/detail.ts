import type { EgressView, EntryView, PodView, WayIn } from '../../explain/index.ts'
import type { Box, Picture } from '../picture.ts'
import type { Shown } from '../source.ts'
import { ask } from './api.ts'
import { egressBody, entryBody } from './detail-entry.ts'
import { detailLinks } from './detail-links.ts'
import { blame, health, objectLink, section } from './detail-parts.ts'
import { podBody, serviceBody } from './detail-service.ts'
import { type Child, el, table } from './dom.ts'
import { renderHash } from './hash.ts'

interface DetailOptions {
  readonly closing: string
  readonly isStill: () => boolean
  readonly picture: () => Picture | undefined
}

/** Draws what `plumb show` tells of an object, and of what has no view the box and its neighbours; with links to the other questions about it. */
export async function showDetail(into: HTMLElement, object: string, options: DetailOptions): Promise<void> {
  const box = options.picture()?.boxes.find(({ id }) => id === object)
  const asked = shownAs(object)
  let body: readonly Child[]
  let data: unknown
  try {
    const shown = asked === undefined ? undefined : await ask<Shown>('show', { object: asked })
    data = shown?.data
    body = shown === undefined ? [] : viewOf(shown.data as { readonly object: string })
  } catch (error) {
    body = [el('p', { class: 'error' }, (error as Error).message)]
  }
  if (!options.isStill()) return
  const close = el('a', { href: options.closing, class: 'close', 'aria-label': 'Close' }, '×')
  into.replaceChildren(
    el('header', {}, el('h2', {}, object), close),
    detailLinks(object, box, options.picture(), data),
    ...(body.length > 0 ? body : boxBody(object, box, options.picture())).flatMap((one) =>
      one instanceof Node ? [one] : [],
    ),
  )
}

/** In the words of `plumb show`; undefined for what it does not show. */
function shownAs(object: string): string | undefined {
  const [kind = '', ...key] = object.split('/')
  const words: Readonly<Record<string, string>> = {
    service: 'svc',
    pod: 'pod',
    ingress: 'ingress',
    gateway: 'gateway',
    egress: 'egress',
  }
  return words[kind] === undefined ? undefined : [words[kind], ...key].join('/')
}

function boxBody(object: string, box: Box | undefined, picture: Picture | undefined): readonly Child[] {
  if (box === undefined) return [absent(object)]
  const neighbours = (picture?.edges ?? []).flatMap(({ from, to, says }) =>
    from === object ? [['→', to, says]] : to === object ? [['←', from, says]] : [],
  )
  return [
    health(box.look, box.says || box.lines.join(', ')),
    box.because && blame(box.because),
    box.says !== '' && el('p', {}, box.lines.join(', ')),
    box.pods !== undefined &&
      section(
        'Pods',
        table(
          ['Pod', 'Node', ''],
          box.pods.map(({ name, node, ready, says }) => [
            el('a', { href: renderHash('', { object: `pod/${name}` }) }, name),
            node,
            ready ? 'ready' : says,
          ]),
          box.pods.map(({ ready }) => (ready ? '' : 'bad')),
        ),
      ),
    neighbours.length > 0 &&
      section(
        'Beside it',
        table(
          ['', 'Object', ''],
          neighbours.map(([way = '', other = '', says = '']) => [way, objectLink(other), says]),
        ),
      ),
  ]
}

function viewOf(data: { readonly object: string }): readonly Child[] {
  const [kind] = data.object.split('/')
  if (kind === 'service') return serviceBody(data as WayIn)
  if (kind === 'pod') return podBody(data as PodView)
  if (kind === 'egress') return egressBody(data as EgressView)
  return entryBody(data as EntryView)
}

/** What is neither drawn nor shown is the API server's to tell. */
function absent(object: string): HTMLElement {
  const [kind = '', ...key] = object.split('/')
  const [namespace, name] = key.length === 2 ? key : [undefined, key[0] ?? '']
  const command = `kubectl get ${kind} ${name}${namespace === undefined ? '' : ` -n ${namespace}`} -o yaml`
  return el('p', {}, 'It has no picture of its own: ', el('code', {}, command))
}
