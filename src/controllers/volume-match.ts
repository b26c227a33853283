import { matches } from '../cluster/index.ts'
import { type PersistentVolume, type PersistentVolumeClaim, quantityValue } from '../objects/index.ts'

/** The volume that a claim gets of those that are there: its own, else the smallest free one that fits (upstream's `findMatchingVolume`). */
export function findVolume(
  claim: PersistentVolumeClaim,
  volumes: Iterable<PersistentVolume>,
): PersistentVolume | undefined {
  const all = [...volumes].filter(({ metadata }) => metadata.deletionTimestamp === undefined)
  const own = all.find((volume) => isFor(volume, claim))
  if (own !== undefined) return own
  const size = ({ spec }: PersistentVolume) => quantityValue(spec?.capacity?.storage ?? 0)
  return all.filter((volume) => isFree(volume) && fits(volume, claim)).sort((a, b) => size(a) - size(b))[0]
}

/** Whether a volume is bound to this claim, or kept for it by name. */
export function isFor({ spec }: PersistentVolume, { metadata }: PersistentVolumeClaim): boolean {
  const { namespace, name, uid } = spec?.claimRef ?? {}
  return namespace === metadata.namespace && name === metadata.name && (uid === undefined || uid === metadata.uid)
}

function isFree({ spec }: PersistentVolume): boolean {
  return spec?.claimRef === undefined
}

function fits({ metadata, spec = {} }: PersistentVolume, { spec: wanted = {} }: PersistentVolumeClaim): boolean {
  const request = quantityValue(wanted.resources?.requests?.storage ?? 0)
  return (
    (spec.storageClassName ?? '') === (wanted.storageClassName ?? '') &&
    spec.volumeMode === wanted.volumeMode &&
    (wanted.accessModes ?? []).every((mode) => spec.accessModes?.includes(mode)) &&
    quantityValue(spec.capacity?.storage ?? 0) >= request &&
    (wanted.selector === undefined || matches(wanted.selector, metadata.labels))
  )
}

/** The volume that is made for a claim where none fits; its data are a directory of the lab. */
export function volumeFor({ metadata, spec = {} }: PersistentVolumeClaim): PersistentVolume {
  const { namespace, name, uid } = metadata
  const { storageClassName, accessModes = [], volumeMode = 'Filesystem' } = spec
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `pvc-${uid}`, annotations: { 'pv.kubernetes.io/provisioned-by': 'plumb.network/lab' } },
    spec: {
      capacity: { storage: spec.resources?.requests?.storage ?? '0' },
      accessModes,
      claimRef: {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        ...(namespace && { namespace }),
        name,
        ...(uid && { uid }),
      },
      persistentVolumeReclaimPolicy: 'Delete',
      ...(storageClassName && { storageClassName }),
      volumeMode,
      hostPath: { path: `/var/lib/plumb/claims/${uid}` },
    },
  }
}
