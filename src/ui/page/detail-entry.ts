import type { EgressView, EntryView } from '../../explain/index.ts'
import { health, objectLink, section } from './detail-parts.ts'
import { type Child, el, table } from './dom.ts'
import { findingList } from './finding-list.ts'

/** An Ingress or a Gateway as `plumb show` has it. */
export function entryBody({
  health: fare,
  addresses,
  listeners,
  routes,
  conditions,
  findings,
}: EntryView): readonly Child[] {
  return [
    health(fare.kind, fare.says),
    findingList(findings),
    section(
      'Addresses',
      el(
        'p',
        {},
        addresses.map(({ address, holder }) => `${address}${holder === undefined ? '' : ` ${holder}`}`).join(', ') ||
          'none yet',
      ),
    ),
    listeners.length > 0 &&
      section(
        'Listeners',
        table(
          ['Listener', 'Hosts', 'Certificate', ''],
          listeners.map(({ name, hosts, certificates, problem }) => [
            name,
            hosts.join(', '),
            certificates.map(({ secret, expires }) => `${secret} until ${expires.slice(0, 10)}`).join(', '),
            problem ?? '',
          ]),
          listeners.map(({ problem }) => (problem === undefined ? '' : 'bad')),
        ),
      ),
    ...routes.map(({ object, problem, rules }) =>
      section(
        object,
        problem !== undefined && el('p', { class: 'bad' }, problem),
        table(
          ['Takes', 'Leads to'],
          rules.map(({ hosts, matches, backends }) => [
            `${hosts.join(', ')} ${matches}`,
            el(
              'span',
              {},
              ...backends.map(({ backend, endpoints, problem: wrong }) =>
                el(
                  'small',
                  { class: wrong === undefined ? '' : 'bad' },
                  objectLink(backend.replace(/:\d+$/, '')),
                  ` ${wrong ?? `${endpoints.length} ${endpoints.length === 1 ? 'endpoint' : 'endpoints'}`}`,
                ),
              ),
              backends.length === 0 && 'the gateway answers itself',
            ),
          ]),
        ),
      ),
    ),
    conditions.length > 0 &&
      el(
        'details',
        {},
        el('summary', {}, 'Conditions'),
        table(
          ['Type', 'Status', ''],
          conditions.map(({ type, status, reason, message }) => [type, status, `${reason ?? ''} ${message ?? ''}`]),
        ),
      ),
  ]
}

/** An Egress as `plumb show egress/NAME` has it. */
export function egressBody({ well, says, addresses, destinations, pods, findings }: EgressView): readonly Child[] {
  return [
    health(well ? 'serves' : 'refuses', says),
    findingList(findings),
    section(
      'Addresses',
      table(
        ['Address', 'Held by', 'Since'],
        addresses.map(({ address, owner, since, stale }) => [
          address,
          `${owner ?? 'nobody'}${stale ? `, but ${stale}` : ''}`,
          since ?? '',
        ]),
      ),
    ),
    section('Destinations', el('p', {}, destinations)),
    section(
      'Pods',
      table(
        ['Pod', 'Node', 'Leaves'],
        pods.map(({ pod, node, leaves }) => [objectLink(`pod/${pod}`), node, leaves.join('; ')]),
        pods.map((one) => (one.well ? '' : 'bad')),
      ),
    ),
  ]
}
