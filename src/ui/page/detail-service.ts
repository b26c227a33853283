import type { PodView, WayIn } from '../../explain/index.ts'
import { blame, health, objectLink, section } from './detail-parts.ts'
import { type Child, el, table } from './dom.ts'
import { findingList } from './finding-list.ts'

/** A Service as `plumb show svc/NAME` has it. */
export function serviceBody({
  health: fare,
  entrances,
  selector,
  pods,
  nodes,
  slices,
  findings,
  type,
}: WayIn): readonly Child[] {
  const bad = fare.kind === 'refuses' || fare.kind === 'partly'
  const uses = alike(nodes)
  return [
    health(fare.kind, `${type}: ${fare.says}`),
    bad && blame(fare.because),
    findingList(findings),
    entrances.length > 0 &&
      section(
        'Addresses',
        table(
          ['Address', 'Kind', ''],
          entrances.map(({ address, port, protocol, kind, node, holder }) => [
            `${address.includes(':') ? `[${address}]` : address}:${port}/${protocol}`,
            kind,
            holder ?? node ?? '',
          ]),
        ),
      ),
    section(
      selector === undefined ? 'Pods' : `Pods (${selector})`,
      pods.length === 0
        ? el('p', {}, 'none')
        : table(
            ['Pod', 'Node', 'Use'],
            pods.map(({ pod, node, use, says, try: remedy }) => [
              objectLink(`pod/${pod}`),
              node ?? '',
              `${use}${says === '' ? '' : `: ${says}`}${remedy === undefined ? '' : ` (${remedy})`}`,
            ]),
            pods.map(({ use }) => (use === 'ready' ? '' : 'bad')),
          ),
    ),
    uses.length > 0 &&
      el(
        'details',
        { open: uses.length <= 4 },
        el('summary', {}, 'What each node does'),
        table(
          ['Node', 'Way', 'Port', 'Leads to'],
          uses.map(({ who, way }) => [
            who,
            way.via.join(', '),
            `${way.port} IPv${way.family}`,
            el(
              'span',
              {},
              way.outcome === 'balance' ? leads(way.chosen) : way.says,
              ...way.unused.map(({ pod, address, says }) => el('small', {}, `${pod ?? address}: ${says}`)),
            ),
          ]),
          uses.map(({ way }) => (way.outcome === 'balance' ? '' : 'bad')),
        ),
      ),
    slices.length > 0 &&
      el(
        'details',
        {},
        el('summary', {}, `EndpointSlices (${slices.length})`),
        table(
          ['Slice', 'Ports', 'Ready', 'Kept by'],
          slices.map(({ name, ports, ready, endpoints, managedBy }) => [
            name,
            ports.join(', '),
            `${ready} of ${endpoints}`,
            managedBy ?? 'the cluster',
          ]),
        ),
      ),
  ]
}

type Way = WayIn['nodes'][number]['ways'][number]

/** Nodes that do the same with what comes the same way are told once. */
function alike(nodes: WayIn['nodes']): readonly { readonly who: string; readonly way: Way }[] {
  const all = nodes.flatMap(({ node, ways }) => ways.map((way) => ({ node, way })))
  const groups = Map.groupBy(all, ({ way: { via, family, port, outcome, chosen, unused } }) =>
    JSON.stringify([
      via,
      family,
      port,
      outcome,
      ...[chosen, unused].map((some) => some.map(({ address }) => address).sort()),
    ]),
  )
  return [...groups.values()].map((some) => ({
    who:
      some.length === nodes.length && some.length > 1 ? `all ${some.length}` : some.map(({ node }) => node).join(', '),
    way: some[0]!.way,
  }))
}

function leads(chosen: Way['chosen']): string {
  const names = chosen.map(({ pod, address }) => pod ?? address)
  return names.length <= 5 ? names.join(', ') : `${names.slice(0, 4).join(', ')} and ${names.length - 4} more`
}

/** A pod as `plumb show pod/NAME` has it. */
export function podBody({
  node,
  addresses,
  phase,
  ready,
  unready,
  ports,
  services,
  policies,
}: PodView): readonly Child[] {
  const list = (items: readonly Child[], none: string): HTMLElement =>
    items.length === 0 ? el('p', {}, none) : el('ul', {}, ...items.map((one) => el('li', {}, one)))
  return [
    health(ready ? 'serves' : 'refuses', `on ${node ?? 'no node'}: ${ready ? 'ready' : `${phase}, ${unready}`}`),
    section('Addresses', list(addresses, 'none yet')),
    section(
      'Declared ports',
      list(
        ports.map(({ port, container }) => `${port} of ${container}`),
        'none',
      ),
    ),
    section(
      'Services',
      list(
        services.map(({ service, takes, says }) =>
          el('span', { class: takes ? '' : 'bad' }, objectLink(service), ` ${says}`),
        ),
        'none selects it',
      ),
    ),
    section('Policies', list(policies, 'none selects it: it takes and makes any connection')),
  ]
}
