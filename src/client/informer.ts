import type { KubeObject } from '../objects/index.ts'
import type { Informer } from './contract.ts'
import { type ReflectorOptions, reflect } from './reflector.ts'
import { type ChangeCallback, openStore } from './store.ts'

type Source<T extends KubeObject> = Omit<ReflectorOptions<T>, 'store' | 'onProgress'>

/** One cache and one watch for everyone who asked for the same; ends when the last one closed. */
export interface SharedInformer<T extends KubeObject> {
  /** A view of one user, with callbacks of its own. */
  open(): Informer<T>
}

/** A shared informer that does nothing until someone starts it. */
export function shareInformer<T extends KubeObject>(source: Source<T>, onUnused: () => void): SharedInformer<T> {
  const callbacks = new Set<ChangeCallback<T>>()
  const store = openStore<T>((old, current, key) => {
    // A copy: a callback that subscribes another one replays the cache to it, this change included.
    for (const callback of [...callbacks]) if (callbacks.has(callback)) tell(callback, old, current, key)
  })
  const stop = new AbortController()
  let users = 0
  let started: Promise<void> | undefined
  let synced = false
  let trouble: Error | undefined

  const start = () => {
    started ??= new Promise<void>((resolve, reject) => {
      const onProgress = () => {
        synced = true
        trouble = undefined
        resolve()
      }
      const onTrouble = (error: Error) => {
        trouble = error
        source.onTrouble(error)
      }
      stop.signal.addEventListener('abort', () => reject(new Error(`informer of ${source.resource.plural}: closed`)))
      reflect({ ...source, store, onProgress, onTrouble }, stop.signal).catch(reject)
    })
    // Whoever awaits gets the refusal; a start that nobody awaits must not end the process when it is closed.
    started.catch(() => {})
    return started
  }

  const open = (): Informer<T> => {
    users++
    const own = new Set<ChangeCallback<T>>()
    let open = true
    return {
      start,
      get synced() {
        return synced
      },
      get trouble() {
        return trouble
      },
      get: (key) => store.objects.get(key),
      values: () => store.objects.values(),
      get size() {
        return store.objects.size
      },
      onChange(callback) {
        // A wrapper, so that one function may be given twice.
        const entry: ChangeCallback<T> = (old, current, key) => callback(old, current, key)
        for (const [key, object] of store.objects) tell(entry, undefined, object, key)
        callbacks.add(entry)
        own.add(entry)
        return () => {
          callbacks.delete(entry)
          own.delete(entry)
        }
      },
      close() {
        if (!open) return
        open = false
        for (const entry of own) callbacks.delete(entry)
        if (--users > 0) return
        stop.abort()
        onUnused()
      },
    }
  }
  return { open }
}

/** A callback that throws is a bug in it, reported loudly, but it must neither starve the others nor break the stream. */
function tell<T>(callback: ChangeCallback<T>, old: T | undefined, current: T | undefined, key: string): void {
  try {
    callback(old, current, key)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
