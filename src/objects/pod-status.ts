import { podQosClass } from './pod-qos.ts'
import type { Pod } from './types.ts'

/** The status that a new pod has: who waits for gates says so (KEP-3521). */
export function newPodStatus({ spec }: Pod): unknown {
  const { schedulingGates = [] } = spec as { schedulingGates?: readonly unknown[] }
  const gated = {
    type: 'PodScheduled',
    status: 'False',
    lastTransitionTime: null,
    reason: 'SchedulingGated',
    message: 'Scheduling is blocked due to non-empty scheduling gates',
  }
  return {
    phase: 'Pending',
    qosClass: podQosClass(spec),
    ...(schedulingGates.length === 0 ? {} : { conditions: [gated] }),
  }
}
