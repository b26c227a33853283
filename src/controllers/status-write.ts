import { ApiError, type Resource } from '../client/index.ts'
import type { KubeObject } from '../objects/index.ts'
import type { Context } from './context.ts'
import { canonical } from './template-hash.ts'

type WithStatus = KubeObject & { status?: unknown }

/**
 * Writes a status when it says something new. Fields that the controller does not set are kept. Whoever was deleted
 * meanwhile needs none; a conflict throws, and the queue tries again on a fresher cache.
 */
export async function writeStatus<T extends WithStatus>(
  context: Context,
  resource: Resource,
  object: T,
  status: NonNullable<T['status']>,
  fieldManager?: string,
): Promise<void> {
  const next = { ...(object.status as object), ...(status as object) }
  if (canonical(dropZeros(next)) === canonical(dropZeros(object.status))) return
  try {
    await context.client.update(
      resource,
      { ...object, status: next },
      { subresource: 'status', ...(fieldManager && { fieldManager }) },
    )
  } catch (error) {
    if (!(error instanceof ApiError && error.code === 404)) throw error
  }
}

/** Servers of Go leave out counters that are zero. */
function dropZeros(status: unknown): unknown {
  if (typeof status !== 'object' || status === null) return status
  return Object.fromEntries(Object.entries(status).filter(([, value]) => value !== 0))
}
