import { ApiError } from '../client/index.ts'
import {
  type PersistentVolume,
  type PersistentVolumeClaim,
  PersistentVolumeClaims,
  PersistentVolumes,
} from '../objects/index.ts'
import type { Context } from './context.ts'
import { writeStatus } from './status-write.ts'
import { findVolume, isFor, volumeFor } from './volume-match.ts'

/** Binds claims to volumes, and makes a volume where none fits; volumes whose claim is gone are released or removed. */
export function volumeBinderController(context: Context): void {
  const claims = context.informer<PersistentVolumeClaim>(PersistentVolumeClaims)
  const volumes = context.informer<PersistentVolume>(PersistentVolumes)
  const claimQueue = context.queue({
    name: 'persistentvolumeclaim',
    // One at a time: two claims must not take the same volume.
    workers: 1,
    async work(key) {
      const claim = claims.get(key)
      if (claim === undefined || claim.metadata.deletionTimestamp !== undefined || claim.status?.phase === 'Bound')
        return
      const { volumeName, storageClassName } = claim.spec ?? {}
      const found = volumeName ? volumes.get(volumeName) : findVolume(claim, volumes.values())
      // An empty class asks for a volume that somebody has made.
      if (found === undefined && (volumeName || storageClassName === '')) return
      await bind(context, claim, found ?? (await make(context, volumeFor(claim))))
    },
  })
  const volumeQueue = context.queue({
    name: 'persistentvolume',
    async work(name) {
      const volume = volumes.get(name)
      if (volume === undefined || volume.metadata.deletionTimestamp !== undefined) return
      const { claimRef } = volume.spec ?? {}
      if (claimRef === undefined || claimRef.uid === undefined)
        return writeStatus(context, PersistentVolumes, volume, { phase: 'Available' })
      const claim = claims.get(`${claimRef.namespace}/${claimRef.name}`)
      if (claim !== undefined && isFor(volume, claim))
        return writeStatus(context, PersistentVolumes, volume, { phase: 'Bound' })
      // The cache may be behind the volume, whose claim it has not seen yet.
      const stored = await context.client.find<PersistentVolumeClaim>(
        PersistentVolumeClaims,
        claimRef.namespace,
        claimRef.name ?? '',
      )
      if (stored !== undefined && isFor(volume, stored)) return
      if (volume.spec?.persistentVolumeReclaimPolicy === 'Delete')
        await context.client.delete(PersistentVolumes, undefined, name).catch(ignoreMissing)
      else await writeStatus(context, PersistentVolumes, volume, { phase: 'Released' })
    },
  })
  context.onClose(
    claims.onChange((old, claim, key) => {
      claimQueue.add(key)
      const { volumeName } = (claim ?? old)?.spec ?? {}
      if (volumeName) volumeQueue.add(volumeName)
    }),
  )
  context.onClose(
    volumes.onChange((_, volume, name) => {
      volumeQueue.add(name)
      if (volume === undefined) return
      for (const [key, { status }] of pending(claims.values())) if (status?.phase !== 'Bound') claimQueue.add(key)
    }),
  )
}

function* pending(claims: Iterable<PersistentVolumeClaim>): Generator<[string, PersistentVolumeClaim]> {
  for (const claim of claims) yield [`${claim.metadata.namespace}/${claim.metadata.name}`, claim]
}

async function make(context: Context, volume: PersistentVolume): Promise<PersistentVolume> {
  try {
    return await context.client.create(PersistentVolumes, volume)
  } catch (error) {
    if (!(error instanceof ApiError && error.reason === 'AlreadyExists')) throw error
    return context.client.get(PersistentVolumes, undefined, volume.metadata.name)
  }
}

/** The volume first, then the claim: whoever sees a bound claim finds its volume bound. */
async function bind(context: Context, claim: PersistentVolumeClaim, volume: PersistentVolume): Promise<void> {
  const { client } = context
  const { namespace, name, uid } = claim.metadata
  if (volume.spec?.claimRef?.uid !== uid) {
    const claimRef = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      ...(namespace && { namespace }),
      name,
      ...(uid && { uid }),
    }
    await client.update(PersistentVolumes, { ...volume, spec: { ...volume.spec, claimRef } })
  }
  const annotations = { ...claim.metadata.annotations, 'pv.kubernetes.io/bind-completed': 'yes' }
  const bound =
    claim.spec?.volumeName === volume.metadata.name
      ? claim
      : await client.update<PersistentVolumeClaim>(PersistentVolumeClaims, {
          ...claim,
          metadata: { ...claim.metadata, annotations },
          spec: { ...claim.spec, volumeName: volume.metadata.name },
        })
  const { capacity = {}, accessModes = [] } = volume.spec ?? {}
  await writeStatus(context, PersistentVolumeClaims, bound, { phase: 'Bound', capacity, accessModes })
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof ApiError && error.code === 404)) throw error
}
