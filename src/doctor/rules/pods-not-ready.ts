import { keyOf } from '../../cluster/index.ts'
import { selects } from '../../endpoints/index.ts'
import type { Pod } from '../../objects/index.ts'
import type { Rule } from '../cause.ts'
import { on } from '../examination.ts'
import { proofOf, serviceOf } from '../words.ts'

/** Pods are selected, and none may take connections: not ready, on no node, ended or on their way out. */
export const podsNotReady: Rule = {
  covers: ['7', '8', '19', '96'],
  judge(examination) {
    const { snapshot, subject } = examination
    const { service } = subject
    if (service.spec.publishNotReadyAddresses === true) return []
    const pods = [...snapshot.pods.values()].filter((pod) => selects(service, pod))
    const ready = (pod: Pod): boolean =>
      pod.metadata.deletionTimestamp === undefined &&
      pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true
    if (pods.length === 0 || pods.some(ready)) return []
    const [first] = pods
    if (first === undefined) return []
    const { field, value, says, remedy } = reasonOf(first)
    const direct = on(examination, 'pod').filter(({ probe }) => probe.target === `pod/${keyOf(first)}`)
    return [
      {
        confidence: 'certain',
        object: `pod/${keyOf(first)}`,
        field,
        value,
        says: `none of the ${pods.length} pods that ${serviceOf(subject)} selects is ready; pod/${keyOf(first)} ${says}`,
        proof: direct.map(proofOf),
        twin: 'a selector that matches nothing: there no slice lists an endpoint',
        fix: { says: remedy },
        rung: 'cluster-ip',
      },
    ]
  },
}

interface Reason {
  readonly field: string
  readonly value: string
  readonly says: string
  readonly remedy: string
}

/** The most basic reason first: no node, deleted, ended, a container that does not run, a gate, a probe. */
function reasonOf(pod: Pod): Reason {
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
