import type { Tested } from '../examination.ts'

/** Whether the way of a probe leads over a node, by the model. */
export function passes({ answer, probe }: Tested, node: string): boolean {
  if (probe.from.kind === 'node' && probe.from.name === node) return true
  const steps = [...(answer?.steps ?? []), ...(answer?.branches.flatMap((one) => one.steps) ?? [])]
  return steps.some((step) => step.node === node)
}
