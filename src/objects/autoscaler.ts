import type { FieldError } from './contract.ts'
import { invalid, notSupported, required } from './field-error.ts'
import type { KubeObject } from './types.ts'

/** One entry of `spec.metrics`: its type, and under the field of that name what is measured. */
interface Metric {
  type: string
  resource?: { name: string; target?: { type: string; averageUtilization?: number; averageValue?: string } }
  [source: string]: unknown
}

/** autoscaling/v2, as it is stored. */
export interface HorizontalPodAutoscaler extends KubeObject {
  spec?: {
    scaleTargetRef?: { kind?: string; name?: string; apiVersion?: string }
    minReplicas?: number
    maxReplicas?: number
    metrics?: Metric[]
    behavior?: unknown
  }
  status?: { currentReplicas?: number; currentMetrics?: CurrentMetric[]; conditions?: unknown[] }
}

interface CurrentMetric {
  type: string
  resource?: { name: string; current?: { averageUtilization?: number } }
}

/** autoscaling/v1: CPU in a field, everything else in annotations. */
interface AutoscalerV1 extends KubeObject {
  spec?: Omit<NonNullable<HorizontalPodAutoscaler['spec']>, 'metrics' | 'behavior'> & {
    targetCPUUtilizationPercentage?: number
  }
  status?: { currentReplicas?: number; currentCPUUtilizationPercentage?: number }
}

/** Upstream's names of what autoscaling/v1 has no field for. */
const prefix = 'autoscaling.alpha.kubernetes.io'
const carried = {
  metrics: `${prefix}/metrics`,
  behavior: `${prefix}/behavior`,
  currentMetrics: `${prefix}/current-metrics`,
  conditions: `${prefix}/conditions`,
} as const

/** Upstream's `SetDefaults_HorizontalPodAutoscaler`. */
export function defaultAutoscaler({ spec }: HorizontalPodAutoscaler): void {
  if (spec === undefined) return
  spec.minReplicas ??= 1
  if (spec.metrics === undefined || spec.metrics.length === 0) spec.metrics = [cpuMetric(80)]
}

function cpuMetric(averageUtilization: number): Metric {
  return { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } } }
}

/** autoscaling/v1 as autoscaling/v2. */
export function fromAutoscalingV1(given: KubeObject): KubeObject {
  const { spec, status, metadata } = given as AutoscalerV1
  const annotations = { ...metadata.annotations }
  const take = (name: string): unknown[] | object | undefined => {
    const text = annotations[name]
    delete annotations[name]
    return parse(text)
  }
  const [others, behavior, measured, conditions] = [
    take(carried.metrics),
    take(carried.behavior),
    take(carried.currentMetrics),
    take(carried.conditions),
  ]
  const { targetCPUUtilizationPercentage: cpu, ...rest } = spec ?? {}
  const metrics = [...(cpu === undefined ? [] : [cpuMetric(cpu)]), ...(Array.isArray(others) ? others : [])]
  const { currentCPUUtilizationPercentage: now, ...state } = status ?? {}
  const current =
    now === undefined ? [] : [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: now } } }]
  const currentMetrics = [...current, ...(Array.isArray(measured) ? measured : [])]
  return {
    ...given,
    apiVersion: 'autoscaling/v2',
    metadata: withAnnotations(metadata, annotations),
    ...(spec && {
      spec: { ...rest, ...(metrics.length > 0 && { metrics }), ...(behavior !== undefined && { behavior }) },
    }),
    ...(status && {
      status: {
        ...state,
        ...(currentMetrics.length > 0 && { currentMetrics }),
        ...(Array.isArray(conditions) && { conditions }),
      },
    }),
  } as KubeObject
}

/** autoscaling/v2 as autoscaling/v1. */
export function toAutoscalingV1(stored: KubeObject): KubeObject {
  const { spec, status, metadata } = stored as HorizontalPodAutoscaler
  const { metrics = [], behavior, ...rest } = spec ?? {}
  const { currentMetrics = [], conditions, ...state } = status ?? {}
  const cpu = metrics.find(isCpu)
  const now = currentMetrics.find((metric) => metric?.type === 'Resource' && metric.resource?.name === 'cpu')
  const annotations = { ...metadata.annotations }
  const carry = (name: string, value: unknown) => {
    if (value !== undefined && !(Array.isArray(value) && value.length === 0)) annotations[name] = JSON.stringify(value)
  }
  carry(
    carried.metrics,
    metrics.filter((metric) => metric !== cpu),
  )
  carry(carried.behavior, behavior)
  carry(
    carried.currentMetrics,
    currentMetrics.filter((metric) => metric !== now),
  )
  carry(carried.conditions, conditions)
  const target = cpu?.resource?.target?.averageUtilization
  const measured = now?.resource?.current?.averageUtilization
  return {
    ...stored,
    apiVersion: 'autoscaling/v1',
    metadata: withAnnotations(metadata, annotations),
    ...(spec && { spec: { ...rest, ...(target !== undefined && { targetCPUUtilizationPercentage: target }) } }),
    ...(status && {
      status: { ...state, ...(measured !== undefined && { currentCPUUtilizationPercentage: measured }) },
    }),
  } as KubeObject
}

function isCpu(metric: Metric | null): boolean {
  const { type, resource } = metric ?? {}
  return type === 'Resource' && resource?.name === 'cpu' && resource.target?.averageUtilization !== undefined
}

function withAnnotations(
  metadata: KubeObject['metadata'],
  annotations: Record<string, string>,
): KubeObject['metadata'] {
  const { annotations: _, ...rest } = metadata
  return Object.keys(annotations).length === 0 ? rest : { ...rest, annotations }
}

/** What an annotation holds; undefined when it is no list or object: a user may have written anything there. */
function parse(text: string | undefined): unknown[] | object | undefined {
  try {
    const value: unknown = JSON.parse(text ?? 'null')
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

const sources: Readonly<Record<string, string>> = {
  ContainerResource: 'containerResource',
  External: 'external',
  Object: 'object',
  Pods: 'pods',
  Resource: 'resource',
}

/** Upstream's `ValidateHorizontalPodAutoscaler`, of metrics their type and source. */
export function validateAutoscaler({ spec = {} }: HorizontalPodAutoscaler): FieldError[] {
  const { minReplicas = 1, maxReplicas = 0, scaleTargetRef = {}, metrics = [] } = spec
  const errors: FieldError[] = []
  if (minReplicas < 1) errors.push(invalid('spec.minReplicas', minReplicas, 'must be greater than or equal to 1'))
  if (maxReplicas < 1) errors.push(invalid('spec.maxReplicas', maxReplicas, 'must be greater than 0'))
  if (maxReplicas < minReplicas)
    errors.push(invalid('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`'))
  if (!scaleTargetRef.kind) errors.push(required('spec.scaleTargetRef.kind'))
  if (!scaleTargetRef.name) errors.push(required('spec.scaleTargetRef.name'))
  for (const [index, metric] of metrics.entries()) errors.push(...validateMetric(metric, `spec.metrics[${index}]`))
  return errors
}

function validateMetric(metric: Metric | null, path: string): FieldError[] {
  if (!metric?.type) return [required(`${path}.type`, 'must specify a metric source type')]
  const source = Object.hasOwn(sources, metric.type) ? sources[metric.type] : undefined
  if (source === undefined) return [notSupported(`${path}.type`, metric.type, Object.keys(sources))]
  if (metric[source] !== undefined) return []
  return [required(`${path}.${source}`, 'must populate information for the given metric source')]
}
