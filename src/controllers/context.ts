import type { Prefix } from '../addr/index.ts'
import type { Client, Informer, InformerOptions, Resource } from '../client/index.ts'
import type { KubeObject } from '../objects/index.ts'
import type { EventRecorder } from './events.ts'
import { openQueue, type Queue, type QueueOptions } from './queue.ts'

/** What the operator may choose; every field has a default. */
export interface ControllersOptions {
  /** Names as in upstream's `--controllers`: `*` is all, `-name` leaves one out. Default `['*']`. */
  readonly controllers?: readonly string[]
  /** Work only while holding the Lease `kube-system/plumb-controllers`. Default off. */
  readonly leaderElect?: boolean
  /** Who holds the Lease. Default the host's name and a random part. */
  readonly identity?: string
  /** Prefixes that nodes get their podCIDRs out of, one per family; without them that controller does not run. */
  readonly clusterPrefixes?: readonly Prefix[]
  /** Default 24. */
  readonly nodeCIDRMaskSizeIPv4?: number
  /** Default 64. */
  readonly nodeCIDRMaskSizeIPv6?: number
  /** PEM text for the ConfigMap `kube-root-ca.crt`; without it that controller does not run. */
  readonly clusterCa?: string
  /** A node whose Lease is older is not ready. Default 40,000 ms. */
  readonly nodeMonitorGracePeriodMs?: number
  /** An AddressMove that no node carries out for so long has failed. Default 60,000 ms. */
  readonly addressMoveDeadlineMs?: number
  /** Default 100. */
  readonly maxEndpointsPerSlice?: number
  /** Terminated pods that are kept. Default 12,500. */
  readonly terminatedPodThreshold?: number
  /** Told of failures that are retried, in words. */
  readonly onTrouble?: (message: string) => void
}

/** What a controller works with. */
export interface Context {
  readonly client: Client
  readonly options: ControllersOptions
  readonly events: EventRecorder
  /** In ms since 1970. */
  readonly now: () => number
  /** The informer of a kind, shared by all controllers; started once every controller has subscribed. */
  informer<T extends KubeObject>(resource: Resource, options?: Pick<InformerOptions, 'optional'>): Informer<T>
  /** A queue that begins to work when the informers are synced, and that ends with the controllers. */
  queue(options: Omit<QueueOptions, 'onError'>): Queue
  /** Runs when the informers are synced. */
  onSynced(start: () => void): void
  /** Runs when the controllers end. */
  onClose(stop: () => void | Promise<void>): void
  readonly onTrouble: (message: string) => void
}

/** Subscribes to informers and opens queues; all work happens later, in the queues. */
export type Controller = (context: Context) => void

/** A context, and the two switches of its life. */
export function openContext(
  client: Client,
  options: ControllersOptions,
  events: EventRecorder,
): Context & { start(): Promise<void>; close(): Promise<void> } {
  const informers = new Map<string, Informer<KubeObject>>()
  const starts: (() => void)[] = []
  const stops: (() => void | Promise<void>)[] = []
  let synced = false
  let closed = false
  const onTrouble = options.onTrouble ?? (() => {})
  const onSynced = (start: () => void) => (synced ? start() : void starts.push(start))
  return {
    client,
    options,
    events,
    now: Date.now,
    onTrouble,
    onSynced,
    informer<T extends KubeObject>(resource: Resource, informerOptions = {}) {
      const key = `${resource.group}/${resource.version}/${resource.plural}`
      const known = informers.get(key) ?? client.informer<KubeObject>(resource, informerOptions)
      informers.set(key, known)
      return known as unknown as Informer<T>
    },
    queue(queueOptions) {
      const queue = openQueue({
        ...queueOptions,
        onError: (key, error, attempt) => {
          // A conflict only says that the cache is a moment behind.
          const { reason, message } = error as { reason?: string; message?: string }
          if (reason !== 'Conflict' || attempt > 3)
            onTrouble(`${queueOptions.name}: ${key}: ${message ?? String(error)}`)
        },
      })
      onSynced(() => queue.start())
      stops.push(() => queue.close())
      return queue
    },
    onClose: (stop) => void stops.push(stop),
    async start() {
      await Promise.all([...informers.values()].map((informer) => informer.start()))
      if (closed) return
      synced = true
      for (const start of starts.splice(0)) start()
    },
    async close() {
      closed = true
      await Promise.all(stops.splice(0).map((stop) => stop()))
      for (const informer of informers.values()) informer.close()
    },
  }
}
