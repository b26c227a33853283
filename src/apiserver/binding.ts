import { errors, type KubeObject, type Pod } from '../objects/index.ts'
import { Refusal } from './refusal.ts'
import { isRecord, timestamp } from './value.ts'

/** Puts a pod, a private copy, on the node that a Binding names; 409 when it is on one already. */
export function bindPod(object: KubeObject, binding: unknown): KubeObject {
  const pod = object as Pod
  const target = isRecord(binding) && isRecord(binding.target) ? binding.target : {}
  const { name } = pod.metadata
  if (typeof target.name !== 'string' || target.name === '') {
    const cause = { reason: 'FieldValueRequired' as const, field: 'target.name', message: 'Required value' }
    throw new Refusal(errors.invalid({ group: '', kind: 'Binding' }, name, [cause]))
  }
  const pods = { group: '', plural: 'pods/binding' }
  if (pod.metadata.deletionTimestamp !== undefined)
    throw new Refusal(errors.conflict(pods, name, `pod ${name} is being deleted, cannot be assigned to a host`))
  if (pod.spec.nodeName)
    throw new Refusal(
      errors.conflict(pods, name, `pod ${name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`),
    )
  pod.spec.nodeName = target.name
  const metadata = isRecord(binding) && isRecord(binding.metadata) ? binding.metadata : {}
  if (isRecord(metadata.annotations))
    pod.metadata.annotations = { ...pod.metadata.annotations, ...(metadata.annotations as Record<string, string>) }
  const others = (pod.status?.conditions ?? []).filter((item) => item.type !== 'PodScheduled')
  const condition = { type: 'PodScheduled', status: 'True' as const, lastTransitionTime: timestamp() }
  pod.status = { ...pod.status, conditions: [...others, condition] }
  return pod
}
