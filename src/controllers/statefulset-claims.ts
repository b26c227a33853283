import { ApiError } from '../client/index.ts'
import {
  type PersistentVolumeClaim,
  PersistentVolumeClaims,
  type Pod,
  type StatefulSet,
  StatefulSets,
} from '../objects/index.ts'
import type { Context } from './context.ts'
import { controllerReference } from './owner.ts'

/** The claims of one pod of a StatefulSet: `TEMPLATE-SET-ORDINAL`, with the set's labels. They outlive the pod, and the set unless it says otherwise. */
export function claimsFor(statefulSet: StatefulSet, ordinal: number): PersistentVolumeClaim[] {
  const { name: set, namespace } = statefulSet.metadata
  const { volumeClaimTemplates = [], selector, persistentVolumeClaimRetentionPolicy } = statefulSet.spec
  const { controller: _, ...owner } = controllerReference(StatefulSets, statefulSet)
  const owned = persistentVolumeClaimRetentionPolicy?.whenDeleted === 'Delete'
  return volumeClaimTemplates.map(({ metadata, spec }) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: `${metadata.name}-${set}-${ordinal}`,
      ...(namespace && { namespace }),
      labels: { ...metadata.labels, ...selector.matchLabels },
      ...(metadata.annotations && { annotations: metadata.annotations }),
      ...(owned && { ownerReferences: [owner] }),
    },
    ...(spec && { spec }),
  }))
}

/** The pod with its claims as volumes; one of the template that has the same name gives way. */
export function withClaims(pod: Pod, statefulSet: StatefulSet, claims: readonly PersistentVolumeClaim[]): Pod {
  if (claims.length === 0) return pod
  const { volumes = [] } = pod.spec as { volumes?: { name: string }[] }
  const own = claims.map(({ metadata }, index) => ({
    name: statefulSet.spec.volumeClaimTemplates?.[index]?.metadata.name ?? '',
    persistentVolumeClaim: { claimName: metadata.name },
  }))
  const kept = volumes.filter(({ name }) => !own.some((volume) => volume.name === name))
  return { ...pod, spec: { ...pod.spec, volumes: [...own, ...kept] } as Pod['spec'] }
}

/** Makes the claims that are not there yet. */
export async function createClaims(
  { client, events }: Context,
  statefulSet: StatefulSet,
  pod: string,
  claims: readonly PersistentVolumeClaim[],
): Promise<void> {
  for (const claim of claims) {
    const { name } = claim.metadata
    try {
      await client.create(PersistentVolumeClaims, claim)
      const message = `create Claim ${name} Pod ${pod} in StatefulSet ${statefulSet.metadata.name} success`
      events.record(statefulSet, 'Normal', 'SuccessfulCreate', message, 'statefulset-controller')
    } catch (error) {
      if (!(error instanceof ApiError && error.reason === 'AlreadyExists')) throw error
    }
  }
}
