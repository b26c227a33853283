import type { KubeObject } from './types.ts'

interface Measure {
  readonly name?: string
  readonly target?: Target
  readonly current?: Target
}

interface Target {
  readonly averageUtilization?: number
  readonly averageValue?: string
  readonly value?: string
}

interface Metric {
  readonly type: string
  readonly [source: string]: unknown
}

/** An autoscaler of either version, as far as its row shows it. */
export interface Autoscaler extends KubeObject {
  spec?: {
    scaleTargetRef?: { kind: string; name: string }
    minReplicas?: number
    maxReplicas?: number
    metrics?: Metric[]
    targetCPUUtilizationPercentage?: number
  }
  status?: { currentReplicas?: number; currentMetrics?: Metric[] }
}

const shown = 2

/** `cpu: 12%/50%, …`; what nobody measures is `<unknown>` (upstream's `formatHPAMetrics`). */
export function autoscalerTargets({ spec, status }: Autoscaler): string {
  const { metrics, targetCPUUtilizationPercentage: cpu } = spec ?? {}
  const old =
    cpu === undefined ? [] : [{ type: 'Resource', resource: { name: 'cpu', target: { averageUtilization: cpu } } }]
  const texts = (metrics ?? old).map((metric, index) => metricText(metric, status?.currentMetrics?.[index]))
  if (texts.length === 0) return '<none>'
  const more = texts.length > shown ? ` + ${texts.length - shown} more...` : ''
  return texts.slice(0, shown).join(', ') + more
}

function metricText(metric: Metric, measured: Metric | undefined): string {
  const source = `${metric.type[0]?.toLowerCase()}${metric.type.slice(1)}`
  const { name, target = {} } = (metric[source] ?? {}) as Measure
  const { current = {} } = (measured?.[source] ?? {}) as Measure
  const unknown = '<unknown>'
  if (metric.type === 'Resource' || metric.type === 'ContainerResource') {
    if (target.averageValue !== undefined) return `${name}: ${current.averageValue ?? unknown}/${target.averageValue}`
    const percent = (value: number | undefined, otherwise: string) => (value === undefined ? otherwise : `${value}%`)
    return `${name}: ${percent(current.averageUtilization, unknown)}/${percent(target.averageUtilization, '<auto>')}`
  }
  if (metric.type === 'Pods') return `${current.averageValue ?? unknown}/${target.averageValue}`
  if (target.averageValue !== undefined) return `${current.averageValue ?? unknown}/${target.averageValue} (avg)`
  return `${current.value ?? unknown}/${target.value}`
}
