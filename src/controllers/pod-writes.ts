import { ApiError } from '../client/index.ts'
import { type KubeObject, type Pod, Pods } from '../objects/index.ts'
import { slowStart } from './batch.ts'
import type { Context } from './context.ts'
import type { Expectations } from './expectations.ts'

/** Whose pods are written, and who hears of it. */
export interface PodWriter {
  readonly context: Context
  readonly owner: KubeObject
  /** The owner's key in `expectations`. */
  readonly key: string
  readonly expectations: Expectations
  /** For events: `replicaset-controller`. */
  readonly component: string
}

/** A refusal to make or remove pods. */
export interface WriteFailure {
  readonly reason: 'FailedCreate' | 'FailedDelete'
  readonly message: string
  readonly error: unknown
}

/** Makes pods, expecting each before it is asked for. Answers the first refusal; a namespace that is being deleted is none. */
export async function createPods(writer: PodWriter, pods: readonly Pod[]): Promise<WriteFailure | undefined> {
  const { context, owner, key, expectations, component } = writer
  if (pods.length === 0) return undefined
  expectations.expectCreations(key, pods.length)
  let asked = 0
  const { error } = await slowStart(pods.length, async (index) => {
    asked++
    try {
      const pod = await context.client.create<Pod>(Pods, pods[index] as Pod)
      context.events.record(owner, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`, component)
    } catch (error) {
      expectations.creationSeen(key)
      throw error
    }
  })
  for (; asked < pods.length; asked++) expectations.creationSeen(key)
  if (error === undefined || isTerminating(error)) return undefined
  const message = (error as Error).message
  context.events.record(owner, 'Warning', 'FailedCreate', `Error creating: ${message}`, component)
  return { reason: 'FailedCreate', message, error }
}

/** Removes pods, expecting each. Answers the first refusal; a pod that is gone already is none. */
export async function deletePods(writer: PodWriter, pods: readonly Pod[]): Promise<WriteFailure | undefined> {
  const { context, owner, key, expectations, component } = writer
  if (pods.length === 0) return undefined
  expectations.expectDeletions(
    key,
    pods.map((pod) => pod.metadata.uid ?? ''),
  )
  const results = await Promise.allSettled(
    pods.map(async ({ metadata: { namespace, name, uid = '' } }) => {
      try {
        await context.client.delete(Pods, namespace, name, { preconditions: { uid } })
        context.events.record(owner, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`, component)
      } catch (error) {
        expectations.deletionSeen(key, uid)
        // 409: another pod has taken the name, so this one is gone.
        if (!(error instanceof ApiError && (error.code === 404 || error.code === 409))) throw error
      }
    }),
  )
  const failed = results.find((result) => result.status === 'rejected')
  if (failed === undefined) return undefined
  const message = (failed.reason as Error).message
  context.events.record(owner, 'Warning', 'FailedDelete', `Error deleting: ${message}`, component)
  return { reason: 'FailedDelete', message, error: failed.reason }
}

/** The namespace is going away: nothing new can be made in it, and nothing needs to. */
export function isTerminating(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    error.status.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating') === true
  )
}
