import { ApiError, type Informer } from '../client/index.ts'
import { keyOf } from '../cluster/index.ts'
import { type SlicePlan, type StalenessTracker, withTriggerTime } from '../endpoints/index.ts'
import { type EndpointSlice, EndpointSlices } from '../objects/index.ts'
import type { Context } from './context.ts'
import { isTerminating } from './pod-writes.ts'

/** Where slices are written, and who learns what the server has stored. */
export interface SliceWriter {
  readonly context: Context
  readonly slices: Informer<EndpointSlice>
  readonly tracker: StalenessTracker
  /** The owner's key in the tracker. */
  readonly owner: string
  readonly onStored?: (name: string, slice: EndpointSlice | undefined) => void
}

/** Carries out a plan, all writes at once; throws the first failure after the others have ended. */
export async function writeSlices(
  writer: SliceWriter,
  plan: SlicePlan,
  triggerTime: string | undefined,
): Promise<void> {
  const { context, slices, tracker, owner, onStored } = writer
  const { client } = context
  const stored = (slice: EndpointSlice) => {
    tracker.wrote(owner, slice, slices.get(keyOf(slice)), context.now())
    onStored?.(slice.metadata.name, slice)
  }
  const writes = [
    ...plan.create.map(async (slice) =>
      stored(await client.create(EndpointSlices, withTriggerTime(slice, triggerTime))),
    ),
    ...plan.update.map(async (slice) =>
      stored(await client.update(EndpointSlices, withTriggerTime(slice, triggerTime))),
    ),
    ...plan.delete.map(async (slice) => {
      const { namespace, name, uid } = slice.metadata
      await client.delete(EndpointSlices, namespace, name, uid ? { preconditions: { uid } } : {}).catch((error) => {
        if (!(error instanceof ApiError && error.code === 404)) throw error
      })
      tracker.deleted(owner, slice, slices.get(keyOf(slice)), context.now())
      onStored?.(name, undefined)
    }),
  ]
  const results = await Promise.allSettled(writes)
  for (const result of results) if (result.status === 'rejected' && !isTerminating(result.reason)) throw result.reason
}
