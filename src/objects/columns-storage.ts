import { ageColumn, nameColumn, text, wide } from './column.ts'
import type { Column } from './contract.ts'
import type { PersistentVolume, PersistentVolumeClaim } from './types.ts'

const shortModes: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
}

function modesText(modes: readonly string[] = []): string {
  return modes.map((mode) => shortModes[mode] ?? mode).join(',')
}

/** `kubectl get persistentvolumeclaims`. */
export const claimColumns: readonly Column[] = [
  nameColumn,
  text<PersistentVolumeClaim>('Status', 'Pending, Bound or Lost.', ({ metadata, status }) =>
    metadata.deletionTimestamp ? 'Terminating' : (status?.phase ?? ''),
  ),
  text<PersistentVolumeClaim>('Volume', 'The volume that it has.', ({ spec }) => spec?.volumeName ?? ''),
  text<PersistentVolumeClaim>('Capacity', 'How large the volume is.', ({ spec, status }) =>
    spec?.volumeName ? (status?.capacity?.storage ?? '0') : '',
  ),
  text<PersistentVolumeClaim>('Access Modes', 'How it may be mounted.', ({ spec, status }) =>
    spec?.volumeName ? modesText(status?.accessModes) : '',
  ),
  text<PersistentVolumeClaim>('StorageClass', 'The sort of storage.', ({ spec }) => spec?.storageClassName ?? ''),
  ageColumn,
  wide(
    text<PersistentVolumeClaim>(
      'VolumeMode',
      'File system or block device.',
      ({ spec }) => spec?.volumeMode ?? '<unset>',
    ),
  ),
]

/** `kubectl get persistentvolumes`. */
export const volumeColumns: readonly Column[] = [
  nameColumn,
  text<PersistentVolume>('Capacity', 'How large it is.', ({ spec }) => spec?.capacity?.storage ?? ''),
  text<PersistentVolume>('Access Modes', 'How it may be mounted.', ({ spec }) => modesText(spec?.accessModes)),
  text<PersistentVolume>(
    'Reclaim Policy',
    'What becomes of it after its claim.',
    ({ spec }) => spec?.persistentVolumeReclaimPolicy ?? '',
  ),
  text<PersistentVolume>('Status', 'Available, Bound, Released or Failed.', ({ metadata, status }) =>
    metadata.deletionTimestamp ? 'Terminating' : (status?.phase ?? ''),
  ),
  text<PersistentVolume>('Claim', 'The claim that it is bound to.', ({ spec }) =>
    spec?.claimRef === undefined ? '' : `${spec.claimRef.namespace}/${spec.claimRef.name}`,
  ),
  text<PersistentVolume>('StorageClass', 'The sort of storage.', ({ spec }) => spec?.storageClassName ?? ''),
  text<PersistentVolume>(
    'VolumeAttributesClass',
    'The class of its attributes.',
    ({ spec }) => spec?.volumeAttributesClassName ?? '<unset>',
  ),
  text<PersistentVolume>('Reason', 'Why it failed.', ({ status }) => status?.reason ?? ''),
  ageColumn,
  wide(
    text<PersistentVolume>('VolumeMode', 'File system or block device.', ({ spec }) => spec?.volumeMode ?? '<unset>'),
  ),
]
