import { claimColumns, volumeColumns } from './columns-storage.ts'
import { defineKind } from './define-kind.ts'
import type { PersistentVolume, PersistentVolumeClaim } from './types.ts'

/** Claims of storage. */
export const PersistentVolumeClaims = defineKind<PersistentVolumeClaim>({
  kind: 'PersistentVolumeClaim',
  plural: 'persistentvolumeclaims',
  shortNames: ['pvc'],
  subresources: ['status'],
  strategy: { status: true, newStatus: () => ({ phase: 'Pending' }) },
  defaults: ({ spec }) => {
    if (spec !== undefined) spec.volumeMode ??= 'Filesystem'
  },
  columns: claimColumns,
})

/** Storage that claims are bound to. */
export const PersistentVolumes = defineKind<PersistentVolume>({
  kind: 'PersistentVolume',
  plural: 'persistentvolumes',
  shortNames: ['pv'],
  namespaced: false,
  subresources: ['status'],
  strategy: { status: true, newStatus: () => ({ phase: 'Pending' }) },
  defaults: ({ spec }) => {
    if (spec === undefined) return
    spec.persistentVolumeReclaimPolicy ??= 'Retain'
    spec.volumeMode ??= 'Filesystem'
  },
  columns: volumeColumns,
})
