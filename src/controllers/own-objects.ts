import { randomBytes } from 'node:crypto'
import { ApiError } from '../client/index.ts'
import { Secrets } from '../objects/index.ts'
import type { Context } from './context.ts'

/** Where the key is by which speakers know one another's heartbeats. */
const place = { namespace: 'kube-system', name: 'plumb-speaker' }

/** Makes the key of the speakers, once; one that is there stays. */
export function speakerKeyController(context: Context): void {
  const queue = context.queue({
    name: 'speaker-key',
    workers: 1,
    async work() {
      const data = { key: randomBytes(32).toString('base64') }
      try {
        await context.client.create(Secrets, { apiVersion: 'v1', kind: 'Secret', metadata: place, data })
      } catch (error) {
        if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error
      }
    },
  })
  queue.add(place.name)
}
