import { type Address, findAddress } from '../addr/index.ts'
import { type Labels, type ObjectKey, splitKey } from '../cluster/index.ts'
import type { Pod } from '../objects/index.ts'

/** A pod of this node: what selectors judge, and the addresses by which its packets are known. */
export interface LocalPod {
  readonly key: ObjectKey
  readonly namespace: string
  readonly labels: Labels
  readonly addresses: readonly Address[]
}

/**
 * The pod as egress sees it, or undefined for one whose packets are not told from its node's or that has ended. `attached` are addresses
 * that its status does not tell yet.
 */
export function localPod(key: ObjectKey, pod: Pod, attached: readonly Address[]): LocalPod | undefined {
  const phase = pod.status?.phase
  if (pod.spec.hostNetwork === true || phase === 'Succeeded' || phase === 'Failed') return undefined
  const told = pod.status?.podIPs?.map(({ ip }) => ip) ?? (pod.status?.podIP === undefined ? [] : [pod.status.podIP])
  const addresses = new Set([...told.flatMap((text) => findAddress(text) ?? []), ...attached])
  return { key, namespace: splitKey(key).namespace, labels: pod.metadata.labels ?? {}, addresses: [...addresses] }
}
