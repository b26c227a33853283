import type { ExternalAddress } from '../../explain/index.ts'
import type { Move } from '../holder-journal.ts'
import type { AddressLine, FlowsSeen } from '../source.ts'
import { ask, type View } from './api.ts'
import { type Child, el, since, table } from './dom.ts'
import { renderHash } from './hash.ts'

interface Told {
  readonly addresses: readonly ExternalAddress[]
  readonly live?: { readonly lines: readonly AddressLine[]; readonly unasked: FlowsSeen['unasked'] }
  readonly moves: readonly Move[]
}

/** What agents say of the wire is asked anew so often. */
const againMs = 5000

/** `#/addresses`: who holds each external address, who else may, what is heard on the wire, and what moved. */
export function addressesView(root: HTMLElement): View {
  const out = el('div', { 'aria-live': 'off' })
  root.append(el('h1', {}, 'External addresses'), out)
  const load = (): void => {
    if (document.hidden) return
    ask<Told>('addresses').then(
      (told) => out.replaceChildren(...draw(told)),
      (error: Error) => out.replaceChildren(el('p', { class: 'error', role: 'alert' }, error.message)),
    )
  }
  load()
  const timer = setInterval(load, againMs)
  return { update: () => undefined, changed: load, close: () => clearInterval(timer) }
}

function draw({ addresses, live, moves }: Told): readonly Node[] {
  if (addresses.length === 0)
    return [
      el('p', { class: 'empty' }, 'There is no external address; a Service of type LoadBalancer or an Egress has one.'),
    ]
  const unasked = (live?.unasked ?? []).map(({ node, says }) => `${node} could not be asked: ${says}`)
  const lines = new Map((live?.lines ?? []).map((one) => [one.address, one]))
  const rows = addresses.map((one) => row(one, lines.get(one.address), live !== undefined))
  return [
    ...(unasked.length === 0 ? [] : [el('p', { class: 'error' }, unasked.join('; '))]),
    table(
      ['Address', 'Use', 'For', 'Held by', 'Since', 'Why', 'Also may', 'May not', 'On the wire'],
      rows.map(({ cells }) => cells),
      rows.map(({ isBad }) => (isBad ? 'bad' : '')),
    ),
    el('h2', {}, 'Moves seen since this page is served'),
    moves.length === 0
      ? el('p', { class: 'empty' }, 'none')
      : table(
          ['When', 'Address', 'From', 'To', 'Why'],
          moves.map(({ at, address, from, to, why }) => [
            since(at),
            address,
            from ?? 'nobody',
            to ?? 'nobody',
            why ?? '',
          ]),
        ),
  ]
}

function row(
  { address, use, for: objects, elected, holders, candidates, peers }: ExternalAddress,
  line: AddressLine | undefined,
  isLive: boolean,
): { readonly cells: readonly Child[]; readonly isBad: boolean } {
  const [holder] = holders
  const node = line?.node ?? holder?.node
  const isUnheld =
    elected &&
    (isLive ? line?.node === undefined && holder === undefined : holders.every(({ stale }) => stale !== undefined))
  const isStrange = (line?.answeredBy ?? []).some((one) => one !== line?.node)
  const may = candidates.filter((one) => one.refused === undefined && one.node !== node)
  const mayNot = candidates.filter((one) => one.refused !== undefined)
  const told = peers.map((one) => `${one.node} to ${one.peers.join(', ')}`).join('; ')
  const cells: readonly Child[] = [
    el('strong', {}, address),
    use,
    el('span', {}, ...objects.map((object) => el('a', { href: renderHash('', { object }) }, object))),
    elected
      ? `${node ?? 'nobody'}${holder?.stale === undefined ? '' : ` (${holder.stale})`}`
      : `BGP: ${told || 'nobody tells it'}`,
    since(holder?.since),
    line?.why ?? holder?.why ?? '',
    may.map((one) => one.node).join(', ') || '–',
    el('span', {}, ...mayNot.map((one) => el('small', {}, `${one.node}: ${one.refused}`))),
    line === undefined
      ? ''
      : `${line.answeredBy.join(', ') || 'nobody'} answers${line.lastAnnouncedSeconds === undefined ? '' : `, announced ${line.announcements}×, ${Math.round(line.lastAnnouncedSeconds)} s ago`}`,
  ]
  return { cells, isBad: isUnheld || isStrange }
}
