import type { Pod } from '../objects/index.ts'

/** Whether the pod says that it is Ready, and is to stay. */
export function isReady({ metadata, status }: Pod): boolean {
  return (
    metadata.deletionTimestamp === undefined &&
    status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true
  )
}

/** Why a pod is not ready, by its most basic reason. */
export interface Reason {
  readonly field: string
  readonly value: string
  readonly says: string
  readonly remedy: string
}

/** The most basic reason first: no node, deleted, ended, a container that does not run, a gate, a probe. */
export function reasonOf(pod: Pod): Reason {
  const { spec, status, metadata } = pod
  if (spec.nodeName === undefined) {
    const message = status?.conditions?.find(({ type }) => type === 'PodScheduled')?.message ?? ''
    return {
      field: 'spec.nodeName',
      value: '',
      says: `is on no node${message === '' ? '' : `: ${message}`}`,
      remedy: 'make room for it, or loosen what it asks of nodes',
    }
  }
  if (metadata.deletionTimestamp !== undefined) {
    return {
      field: 'metadata.deletionTimestamp',
      value: metadata.deletionTimestamp,
      says: 'is being deleted',
      remedy: 'keep old pods until new ones are ready (maxUnavailable: 0, a preStop hook)',
    }
  }
  if (status?.phase === 'Failed' || status?.phase === 'Succeeded') {
    return {
      field: 'status.phase',
      value: status.phase,
      says: 'has ended',
      remedy: 'look at its logs (kubectl logs --previous)',
    }
  }
  const waiting = status?.containerStatuses?.find(({ state }) => state?.waiting !== undefined)
  if (waiting !== undefined) {
    const reason = waiting.state?.waiting?.reason ?? 'waiting'
    return {
      field: `status.containerStatuses[${waiting.name}].state.waiting`,
      value: reason,
      says: `has a container that does not run: ${reason}, ${waiting.restartCount ?? 0} restarts`,
      remedy: 'look at its logs (kubectl logs --previous)',
    }
  }
  const conditions = status?.conditions ?? []
  const gate = (spec as { readinessGates?: readonly { conditionType: string }[] }).readinessGates?.find(
    ({ conditionType }) => conditions.find(({ type }) => type === conditionType)?.status !== 'True',
  )
  if (gate !== undefined) {
    const says = `waits for its readiness gate ${gate.conditionType}`
    return {
      field: 'spec.readinessGates',
      value: gate.conditionType,
      says,
      remedy: `see whether the controller that sets the condition ${gate.conditionType} runs`,
    }
  }
  const condition = conditions.find(({ type }) => type === 'Ready')
  const words = [condition?.reason, condition?.message].filter(Boolean).join(': ')
  const probe = spec.containers.find(({ readinessProbe }) => readinessProbe !== undefined)
  const field = probe === undefined ? 'status.conditions[Ready]' : `spec.containers[${probe.name}].readinessProbe`
  return {
    field,
    value: condition?.status ?? '',
    says: `is not Ready${words === '' ? '' : ` (${words})`}`,
    remedy: 'see whether the readiness probe asks the right port and path, and what the container answers',
  }
}
