import { quantityValue } from './quantity.ts'
import type { PodSpec } from './types.ts'

type Resources = { limits?: Record<string, unknown>; requests?: Record<string, unknown> } | undefined

/** The quality-of-service class that the resources of a pod's containers give it (`ComputePodQOS` upstream). */
export function podQosClass(spec: PodSpec): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const all = [...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(
    (container) => (container as { resources?: Resources }).resources,
  )
  const given = (list: Record<string, unknown> | undefined, name: string) => quantityValue(list?.[name] ?? 0)
  const names = ['cpu', 'memory'] as const
  const any = all.some((item) => names.some((name) => given(item?.limits, name) > 0 || given(item?.requests, name) > 0))
  if (!any) return 'BestEffort'
  const exact = all.every((item) =>
    names.every((name) => given(item?.limits, name) > 0 && given(item?.limits, name) === given(item?.requests, name)),
  )
  return exact ? 'Guaranteed' : 'Burstable'
}
