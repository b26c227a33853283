import type { NodeUse, Way } from './node-use.ts'
import type { SelectedPod } from './selected-pods.ts'
import type { Entrance, WayIn } from './way-in.ts'

const signs = { serves: '✓', partly: '!', refuses: '✗', ignored: '→' } as const
const uses = { ready: '✓', unready: '✗', absent: '✗', near: '·' } as const
const kinds = {
  'cluster-ip': 'ClusterIP',
  'node-port': 'NodePort',
  'load-balancer-ip': 'load balancer',
  'external-ip': 'external IP',
} as const

/** The whole way in as text, from outside to the pods; long lists are cut at `limit`. */
export function renderWayIn(way: WayIn, limit = 8): string {
  const { health } = way
  const lines = [`${signs[health.kind]} ${way.object} (${way.type}): ${health.says}`]
  if (health.kind !== 'serves') lines.push(`  ↳ ${reason(health.because)}`)
  lines.push('', ...addresses(way.entrances, limit), ...portLines(way))
  lines.push('', ...podLines(way, limit))
  lines.push('', ...sliceLines(way, limit))
  if (way.nodes.some(({ ways }) => ways.length > 0)) lines.push('', 'Nodes', ...groups(way.nodes, limit))
  for (const { object, field, says, try: remedy } of way.findings) {
    lines.push('', `! ${object} ${field}: ${says}`, `  try: ${remedy}`)
  }
  return lines.join('\n')
}

function addresses(entrances: readonly Entrance[], limit: number): string[] {
  if (entrances.length === 0) return ['Addresses', '  none']
  const rows = entrances.map(({ kind, address, port, protocol, portName, node, holder }) => [
    `${address.includes(':') ? `[${address}]` : address}:${port}/${protocol}`,
    kinds[kind],
    [node, portName === '' ? undefined : `port ${portName}`, holder].filter((word) => word !== undefined).join(', '),
  ])
  return ['Addresses', ...cut(table(rows), limit, 'addresses')]
}

function portLines({ ports }: WayIn): string[] {
  const rows = ports.map(({ name, port, protocol, target }) => [
    `${port}/${protocol}${name === '' ? '' : ` (${name})`}`,
    `→ the pods’ port ${/^\d+$/.test(target) ? target : `"${target}"`}`,
  ])
  return ['Ports', ...table(rows)]
}

function podLines({ selector, pods }: WayIn, limit: number): string[] {
  if (selector === undefined) return ['Pods', '  no selector: its EndpointSlices are kept by hand']
  const near = pods.some(({ use }) => use === 'near')
  const head = near || pods.length === 0 ? `Pods with ${selector}: none` : `Pods with ${selector}`
  const order = [...pods].sort((a, b) => Number(a.use === 'ready') - Number(b.use === 'ready'))
  const rows = order.map((pod) => [
    `${uses[pod.use]} ${pod.pod.split('/').at(-1)}`,
    pod.node ?? '(no node)',
    pod.addresses.join(', ') || '(no address)',
    explain(pod),
  ])
  return [head, ...cut(table(rows), limit, 'pods')]
}

function explain({ use, says, because, try: remedy }: SelectedPod): string {
  if (use === 'ready') return 'ready'
  const field = because === undefined ? '' : ` (${because.field})`
  return `${says}${field}${remedy === undefined ? '' : `: ${remedy}`}`
}

function sliceLines({ slices }: WayIn, limit: number): string[] {
  if (slices.length === 0) return ['EndpointSlices', '  none']
  const rows = slices.map(({ name, addressType, ports, endpoints, ready, managedBy }) => [
    name,
    addressType,
    ports.join(', ') || 'no port',
    `${ready} of ${endpoints} ready${managedBy === undefined ? '' : `, kept by ${managedBy}`}`,
  ])
  return ['EndpointSlices', ...cut(table(rows), limit, 'slices')]
}

/** Nodes that do the same are told once. */
function groups(nodes: readonly NodeUse[], limit: number): string[] {
  const bySame = new Map<string, NodeUse[]>()
  for (const one of nodes) {
    const id = JSON.stringify(
      one.ways.map(({ via, port, family, outcome, chosen, unused }) => [
        via,
        port,
        family,
        outcome,
        chosen.map(({ address }) => address),
        unused.map(({ address, says }) => [address, says]),
      ]),
    )
    bySame.set(id, [...(bySame.get(id) ?? []), one])
  }
  return [...bySame.values()].flatMap((same) => {
    const names = same.map(({ node, zone }) => (zone === undefined || same.length > 1 ? node : `${node} (${zone})`))
    return [
      `  ${names.slice(0, limit).join(', ')}${names.length > limit ? `, … ${names.length} in all` : ''}`,
      ...ways(same[0]?.ways ?? [], limit),
    ]
  })
}

/** Families whose pods are the same are told once. */
function ways(all: readonly Way[], limit: number): string[] {
  const merged = new Map<string, { way: Way; families: Set<number> }>()
  for (const way of all) {
    const pods = (some: Way['chosen']) => some.map(({ pod, address, says }) => [pod ?? address, says])
    const id = JSON.stringify([way.via, way.port, way.outcome, pods(way.chosen), pods(way.unused)])
    const known = merged.get(id) ?? { way, families: new Set() }
    known.families.add(way.family)
    merged.set(id, known)
  }
  return [...merged.values()].flatMap(({ way, families }) => {
    const family = new Set(all.map((one) => one.family)).size > families.size ? `, IPv${[...families].join('')}` : ''
    const total = way.chosen.length + way.unused.length
    const says =
      way.outcome === 'balance' ? `${way.chosen.length} of ${total} endpoints` : `✗ ${way.says} (${way.because.field})`
    const head = `    ${way.via.join(', ')}, port ${way.port}${family}: ${says}`
    // Where all are used, the pods above say it already.
    const plain = way.unused.length === 0 && way.chosen.every(({ says: why }) => why === 'chosen: ready')
    return plain ? [head] : [head, ...cut(endpointRows(way), limit, 'endpoints').map((line) => `    ${line}`)]
  })
}

function endpointRows({ chosen, unused }: Way): string[] {
  const row =
    (sign: string) =>
    ({ address, port, pod, node, says }: Way['chosen'][number]) => [
      `${sign} ${address}:${port}`,
      pod?.split('/').at(-1) ?? '',
      node ?? '',
      says.replace(/^[^:]*: /, ''),
    ]
  return table([...chosen.map(row('✓')), ...unused.map(row('–'))])
}

function reason({ object, field, value }: { object: string; field: string; value: string }): string {
  return `${object} ${field}${value === '' ? '' : ` = ${value}`}`
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  return rows.map((row) => `  ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd())
}

function cut(lines: readonly string[], limit: number, what: string): string[] {
  if (lines.length <= limit) return [...lines]
  return [...lines.slice(0, limit), `  … and ${lines.length - limit} more ${what} (-o json has them all)`]
}
