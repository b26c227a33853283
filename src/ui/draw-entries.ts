import { keyOf } from '../cluster/index.ts'
import { type EntryView, gatewayView, ingressView } from '../explain/index.ts'
import { compileGatewayApi } from '../gateways/index.ts'
import { gatewayOf } from './box-id.ts'
import type { Drawing } from './picture.ts'
import type { State } from './source.ts'

/** Ingresses and Gateways with the Services behind their rules. */
export function drawEntries(drawing: Drawing, state: State): void {
  const { snapshot, sources, gateways: model } = state
  const { ingresses, gatewayApi } = sources
  for (const { metadata } of ingresses) {
    const { namespace = 'default', name } = metadata
    draw(drawing, 'Ingress', namespace, name, ingressView(snapshot, sources, namespace, name, model))
  }
  if (gatewayApi.gateways.length === 0) return
  const compiled = compileGatewayApi(sources)
  for (const gateway of gatewayApi.gateways) {
    const { namespace = 'default', name } = gateway.metadata
    const view = gatewayView(snapshot, sources, namespace, name, compiled)
    const own = [...snapshot.services.values()].find((one) => gatewayOf(one) === `gateway/${keyOf(gateway)}`)
    draw(drawing, 'Gateway', namespace, name, view, own && (own.spec.ports ?? []).map(({ port }) => port).join(', '))
  }
}

function draw(
  drawing: Drawing,
  kind: string,
  namespace: string,
  name: string,
  view: EntryView | string,
  ports?: string,
): void {
  if (typeof view === 'string') return
  const { object, health, listeners, routes, className } = view
  const hosts = [...new Set(routes.flatMap(({ rules }) => rules.flatMap((rule) => rule.hosts)))]
  const listening = listeners.map((one) => one.name.split(': ')[1] ?? '').filter((one) => one !== '')
  drawing.box({
    id: object,
    rung: 'entry',
    kind,
    namespace,
    name,
    lines: [
      hosts.length === 0 ? (className ?? '') : few(hosts),
      listening.length > 0 ? few(listening) : (ports ?? ''),
    ].filter((line) => line !== ''),
    look: health.kind,
    says: health.kind === 'serves' ? '' : health.says,
  })
  drawing.note(view.findings)
  for (const { rules } of routes)
    for (const { hosts: own, matches, backends } of rules)
      for (const { backend, problem } of backends)
        drawing.edge({
          from: object,
          to: backend.replace(/:\d+$/, ''),
          look: problem === undefined ? 'serves' : 'refuses',
          says: problem ?? `${own.join(', ')} ${matches}`.trim(),
        })
}

function few(texts: readonly string[]): string {
  return texts.length <= 2 ? texts.join(', ') : `${texts[0]} and ${texts.length - 1} more`
}
