import { type Clock, systemClock } from '../clock.ts'
import type { Discovery, InstanceList } from '../instance.ts'
import { type ApiServer, openApiServer } from './api-server.ts'
import { type Credentials, loadCredentials } from './credentials.ts'
import { type EndpointSlice, type PortChoice, SliceSet } from './slices.ts'

/** Which Service, and how to reach the API server. */
export interface EndpointSlicesOptions {
  readonly service: string
  /** The credentials' own namespace unless given, then `default`. */
  readonly namespace?: string
  readonly port?: PortChoice
  readonly family?: 4 | 6
  readonly kubeconfig?: string
  readonly credentials?: Credentials
  readonly clock?: Clock
  /** For tests: what to list and watch with. */
  readonly server?: ApiServer
}

const longestWaitMs = 30_000

/**
 * Follows the EndpointSlices of a Service by list and watch: changes arrive when they happen. When the API server is away, the last list stays and is marked stale.
 */
export function endpointSlices(options: EndpointSlicesOptions): Discovery {
  return {
    source: `EndpointSlices of ${options.namespace === undefined ? '' : `${options.namespace}/`}${options.service}`,
    subscribe(listener) {
      const follower = new Follower(options, listener)
      void follower.run()
      return () => follower.close()
    },
  }
}

class Follower {
  readonly #options: EndpointSlicesOptions
  readonly #listener: (list: InstanceList) => void
  readonly #set: SliceSet
  readonly #clock: Clock
  readonly #abort = new AbortController()
  #server: ApiServer | undefined
  #path = ''
  #failures = 0
  #isListed = false

  constructor(options: EndpointSlicesOptions, listener: (list: InstanceList) => void) {
    this.#options = options
    this.#listener = listener
    this.#clock = options.clock ?? systemClock
    this.#set = new SliceSet(options.service, options.port, options.family)
  }

  async run(): Promise<void> {
    while (!this.#abort.signal.aborted) {
      try {
        await this.#open()
        const version = await this.#list()
        await this.#watch(version)
      } catch (error) {
        if (this.#abort.signal.aborted) return
        this.#failures++
        this.#tell(error instanceof Error ? error.message : String(error))
        const waitMs = Math.min(longestWaitMs, 200 * 2 ** Math.min(this.#failures, 10)) * (0.5 + Math.random() / 2)
        await new Promise<void>((resolve) => {
          const cancel = this.#clock.after(waitMs, resolve)
          this.#abort.signal.addEventListener(
            'abort',
            () => {
              cancel()
              resolve()
            },
            { once: true },
          )
        })
      }
    }
  }

  close(): void {
    this.#abort.abort()
    if (this.#options.server === undefined) this.#server?.close()
  }

  async #open(): Promise<void> {
    if (this.#server !== undefined) return
    const credentials =
      this.#options.credentials ??
      (this.#options.server === undefined ? await loadCredentials(this.#options.kubeconfig) : { server: '' })
    this.#server = this.#options.server ?? openApiServer(credentials)
    const namespace = encodeURIComponent(this.#options.namespace ?? credentials.namespace ?? 'default')
    const selector = encodeURIComponent(`kubernetes.io/service-name=${this.#options.service}`)
    this.#path = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?labelSelector=${selector}`
  }

  async #list(): Promise<string> {
    const list = await this.#server!.get<{ metadata: { resourceVersion: string }; items: EndpointSlice[] | null }>(
      this.#path,
      this.#abort.signal,
    )
    this.#set.replace(list.items ?? [])
    this.#failures = 0
    this.#isListed = true
    this.#tell()
    return list.metadata.resourceVersion
  }

  /** Follows until the server ends the watch, which it does every few minutes; throws when a new list is needed. */
  async #watch(from: string): Promise<void> {
    let version = from
    while (!this.#abort.signal.aborted) {
      const path = `${this.#path}&watch=true&allowWatchBookmarks=true&resourceVersion=${version}`
      const begunMs = this.#clock.now()
      for await (const event of this.#server!.watch<EndpointSlice>(path, this.#abort.signal)) {
        if (event.type === 'ERROR') {
          const { code, message } = event.object as { code?: number; message?: string }
          // The history is gone: not the server's fault, so list again at once.
          if (code === 410) return
          throw new Error(message ?? `the watch failed with code ${code}`)
        }
        version = event.object.metadata.resourceVersion ?? version
        if (event.type === 'BOOKMARK') continue
        if (event.type === 'DELETED') this.#set.delete(event.object)
        else this.#set.put(event.object)
        this.#tell()
      }
      // A watch that ends at once would be asked for without a pause.
      if (this.#clock.now() - begunMs < 100) throw new Error('the watch ended at once')
    }
  }

  #tell(trouble?: string): void {
    if (this.#abort.signal.aborted) return
    const instances = this.#set.instances()
    if (trouble === undefined) this.#listener({ instances })
    else if (this.#isListed) this.#listener({ instances, stale: true, trouble })
    else this.#listener({ instances: [], stale: true, trouble })
  }
}
