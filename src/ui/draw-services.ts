import { type WayIn, wayIn } from '../explain/index.ts'
import { gatewayOf, workloadIn } from './box-id.ts'
import type { Drawing, Edge } from './picture.ts'
import type { State } from './source.ts'

/** Services with what their selectors take, and node ports before them. */
export function drawServices(drawing: Drawing, state: State): void {
  for (const service of state.snapshot.services.values()) {
    if (gatewayOf(service) !== undefined) continue
    const way = wayIn(state.snapshot, service)
    const { health, type } = way
    const { namespace = '', name } = service.metadata
    drawing.box({
      id: way.object,
      rung: 'service',
      kind: 'Service',
      namespace,
      name,
      lines: [typeWords(way), portWords(way)],
      look: health.kind,
      says: health.kind === 'serves' ? '' : health.says,
      ...(health.kind === 'serves' || health.kind === 'ignored' ? {} : { because: health.because }),
    })
    drawing.note(way.findings)
    if (type === 'NodePort') drawNodePorts(drawing, way, namespace)
    for (const edge of endpointEdges(drawing, state, way)) drawing.edge(edge)
    if (way.pods.length === 0 && type === 'ExternalName') drawAlias(drawing, way, service.spec.externalName ?? '')
  }
}

function typeWords({ type, entrances, health }: WayIn): string {
  const [own] = entrances.filter(({ kind }) => kind === 'cluster-ip')
  if (own !== undefined) return `${type} ${own.address}`
  return health.kind === 'ignored' ? (health.says.split(':')[0] ?? type) : type
}

function portWords({ ports }: WayIn): string {
  const words = ports.map(({ port, protocol, target }) =>
    String(port) === target ? `${port}/${protocol}` : `${port}/${protocol} → ${target}`,
  )
  return words.length <= 2 ? words.join(', ') : `${words.slice(0, 2).join(', ')} and ${words.length - 2} more`
}

function drawNodePorts(drawing: Drawing, way: WayIn, namespace: string): void {
  const ports = new Set(
    way.entrances.flatMap(({ kind, port, protocol }) => (kind === 'node-port' ? `${port}/${protocol}` : [])),
  )
  for (const port of ports) {
    const id = `nodeport/${port}`
    const lines = [`at ${way.nodes.length === 1 ? 'the node' : `all ${way.nodes.length} nodes`}`]
    const { look, says } = fate(way)
    drawing.box({ id, rung: 'address', kind: 'NodePort', namespace, name: `node port ${port}`, lines, look, says })
    drawing.edge({ from: id, to: way.object, look, says: '' })
  }
}

function fate({ health }: WayIn): { look: 'serves' | 'partly' | 'refuses'; says: string } {
  const look = health.kind === 'ignored' ? 'serves' : health.kind
  return { look, says: look === 'serves' ? '' : health.says }
}

/** To workloads whose pods are selected, and to addresses that no pod has. */
function endpointEdges(drawing: Drawing, state: State, way: WayIn): Edge[] {
  const from = way.object
  const edges = way.pods.map(({ pod, use, says }): Edge => {
    const to = workloadIn(state, pod)
    if (use === 'near') return { from, to, look: 'near', says: says || 'the selector just misses it' }
    return { from, to, look: use === 'ready' ? 'serves' : 'partly', says: use === 'ready' ? '' : `${pod}: ${says}` }
  })
  const uses = way.nodes.flatMap(({ ways }) => ways.flatMap(({ chosen, unused }) => [...chosen, ...unused]))
  for (const { address, port, pod, node } of uses) {
    if (pod !== undefined) {
      if (way.selector === undefined) edges.push({ from, to: workloadIn(state, pod), look: 'serves', says: '' })
      continue
    }
    const shown = `${address.includes(':') ? `[${address}]` : address}:${port}`
    const id = `endpoint/${shown}`
    const lines = [node === undefined ? 'no pod of the cluster' : `on ${node}`]
    drawing.box({
      id,
      rung: 'workload',
      kind: 'Address',
      namespace: '',
      name: shown,
      lines,
      look: 'serves',
      says: '',
    })
    edges.push({ from, to: id, look: 'serves', says: '' })
  }
  return edges
}

function drawAlias(drawing: Drawing, { object }: WayIn, alias: string): void {
  const id = `alias/${alias}`
  const lines = ['a name outside']
  drawing.box({ id, rung: 'workload', kind: 'Name', namespace: '', name: alias, lines, look: 'ignored', says: '' })
  drawing.edge({ from: object, to: id, look: 'ignored', says: 'an alias of DNS' })
}
