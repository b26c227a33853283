import { ApiError, type Resource } from '../client/index.ts'
import type { AddressMove, Condition } from '../objects/index.ts'
import type { Context } from './context.ts'
import { withCondition } from './pod-state.ts'

/** How long what has ended stays to be read, in milliseconds. */
const keptMs = 3_600_000

export const addressMoves: Resource = {
  group: 'plumb.network',
  version: 'v1alpha1',
  namespaced: false,
  plural: 'addressmoves',
  kind: 'AddressMove',
}

/** Ends AddressMoves that no node carries out, and removes those that ended an hour ago. The nodes do the rest. */
export function addressMoveController(context: Context): void {
  const { addressMoveDeadlineMs: deadlineMs = 60_000 } = context.options
  const moves = context.informer<AddressMove>(addressMoves, { optional: true })
  /** By this process's clock. */
  const firstSeen = new Map<string, number>()
  const queue = context.queue({
    name: 'address-moves',
    workers: 1,
    async work(name) {
      const move = moves.get(name)
      if (move === undefined) return void firstSeen.delete(name)
      const { client, now } = context
      const end = findEnd(move)
      const since = end === undefined ? undefined : Date.parse(end.lastTransitionTime ?? '')
      const seen = firstSeen.get(name) ?? now()
      firstSeen.set(name, seen)
      const waitMs = (end === undefined ? seen + deadlineMs : (since || seen) + keptMs) - now()
      if (waitMs > 0) return queue.addAfter(name, waitMs)
      const { uid, resourceVersion } = move.metadata
      if (end !== undefined) {
        const options = uid === undefined ? {} : { preconditions: { uid } }
        return client.delete(addressMoves, undefined, name, options).catch(ignoreMissing)
      }
      const { address, node } = move.spec
      const message = `${address} did not come to ${node} within ${deadlineMs / 1000} s: does a node hold it, and is ${node} heard?`
      const failed = { type: 'Failed', status: 'True', reason: 'DeadlineExceeded', message } as const
      const status = { conditions: withCondition(move.status?.conditions, failed, now()) }
      const patch = { metadata: { resourceVersion }, status }
      await client.patch(addressMoves, undefined, name, 'merge', patch, { subresource: 'status' }).catch(ignoreMissing)
    },
  })
  context.onClose(moves.onChange((_, _move, name) => queue.add(name)))
}

function findEnd({ status }: AddressMove): Condition | undefined {
  return status?.conditions?.find((one) => (one.type === 'Complete' || one.type === 'Failed') && one.status === 'True')
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof ApiError && (error.code === 404 || error.code === 409))) throw error
}
