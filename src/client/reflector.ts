import type { KubeObject } from '../objects/index.ts'
import { pause, startBackoff } from './backoff.ts'
import { ApiError, type ListOptions, type Resource } from './contract.ts'
import { collectionPath, listQuery } from './path.ts'
import type { Reachability } from './reachability.ts'
import { type Rest, withKind } from './rest.ts'
import type { Store } from './store.ts'
import type { Transport } from './transport.ts'
import { readWatch, type WatchEvent } from './watch.ts'

const pageSize = 500
/** Upstream's informers ask for 5 to 10 minutes, at random, so that not all watches end together. */
const minWatchSeconds = 300
/** How long a kind that is not installed may go unnoticed once it is. */
const absentKindMs = 2000

/** What a reflector needs, and whom it tells. */
export interface ReflectorOptions<T extends KubeObject> {
  readonly rest: Rest
  readonly transport: Transport
  readonly reachability: Reachability
  readonly resource: Resource
  readonly selection: Pick<ListOptions, 'namespace' | 'labelSelector' | 'fieldSelector'>
  readonly store: Store<T>
  readonly stallMs: number
  /** The server may not know the kind: then there are no objects of it, and it is asked again now and then. */
  readonly optional: boolean
  /** The first list is in the store, or the stream moves again. */
  readonly onProgress: () => void
  readonly onTrouble: (error: Error) => void
}

/** Keeps a store equal to the server: lists once, follows, and lists again only when its place in history has expired. */
export async function reflect<T extends KubeObject>(options: ReflectorOptions<T>, signal: AbortSignal): Promise<void> {
  const { reachability } = options
  const backoff = startBackoff(100, 10_000)
  // Whoever waits goes on at once when the server can be reached again.
  const rest = () => pause(backoff.nextMs(), AbortSignal.any([signal, reachability.signal]))
  reachability.start()
  const follow = follower(options, signal)
  /** Where to go on; undefined before the first list and after 410. */
  let place: string | undefined
  let listFrom: string | undefined = '0'
  while (!signal.aborted) {
    const epoch = reachability.signal
    try {
      if (place === undefined) {
        place = await listAll(options, listFrom)
        if (signal.aborted) return
        options.onProgress()
      }
      const startedAt = performance.now()
      await follow(place, (version) => {
        place = version
        backoff.reset()
        options.onProgress()
      })
      // A server that ends watches at once must not be asked in a loop.
      if (performance.now() - startedAt > 1000) backoff.reset()
      else await rest()
    } catch (error) {
      if (signal.aborted) return
      if (epoch.aborted) {
        backoff.reset()
        continue
      }
      if (isExpired(error)) {
        place = undefined
        // A cached list ("0") could be the same too-old state again.
        listFrom = undefined
      } else if (options.optional && isUnknownKind(error)) {
        place = undefined
        options.store.replace([])
        options.onProgress()
        await pause(absentKindMs, signal)
        continue
      } else options.onTrouble(error as Error)
      await rest()
    }
  }
}

/** Pages through the list, hands it to the store whole, and answers its resourceVersion. */
async function listAll<T extends KubeObject>(options: ReflectorOptions<T>, from: string | undefined): Promise<string> {
  const { rest, resource, selection, store } = options
  const items: T[] = []
  let token: string | undefined
  for (;;) {
    const page: Awaited<ReturnType<typeof rest.list<T>>> = await rest
      .list<T>(resource, {
        ...selection,
        limit: pageSize,
        ...(token === undefined ? from !== undefined && { resourceVersion: from } : { continue: token }),
      })
      .catch((error) => {
        if (token === undefined || !isExpired(error)) throw error
        items.length = 0
        return rest.list<T>(resource, selection)
      })
    for (const item of page.items) items.push(item)
    token = page.metadata.continue || undefined
    if (token === undefined) {
      store.replace(items)
      return page.metadata.resourceVersion
    }
  }
}

function follower<T extends KubeObject>(options: ReflectorOptions<T>, signal: AbortSignal) {
  const { transport, resource, selection, store, reachability } = options
  /** Servers without bookmarks may be silent as long as the watch lasts. */
  let seenBookmark = false
  return (from: string, onPlace: (version: string) => void): Promise<void> => {
    const timeoutSeconds = Math.floor(minWatchSeconds * (1 + Math.random()))
    const path =
      collectionPath(resource, selection.namespace) +
      listQuery({ ...selection, resourceVersion: from }, { watch: true, allowWatchBookmarks: true, timeoutSeconds })
    const onEvent = (event: Exclude<WatchEvent, { type: 'ERROR' }>) => {
      if (event.type === 'BOOKMARK') seenBookmark = true
      else if (event.type === 'DELETED') store.remove(event.object as T)
      else store.set(withKind(resource, event.object as T))
      onPlace(event.object.metadata.resourceVersion ?? from)
    }
    const silenceMs = () => (seenBookmark ? options.stallMs : (timeoutSeconds + 30) * 1000)
    const onHeard = () => reachability.heard()
    const until = AbortSignal.any([signal, reachability.signal])
    return readWatch(transport, { path, signal: until, silenceMs, onEvent, onHeard })
  }
}

function isExpired(error: unknown): boolean {
  return error instanceof ApiError && (error.code === 410 || error.reason === 'Expired' || error.reason === 'Gone')
}

function isUnknownKind(error: unknown): boolean {
  return error instanceof ApiError && error.code === 404
}
