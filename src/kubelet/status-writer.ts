import { ApiError, type Client } from '../client/index.ts'
import { type Pod, Pods } from '../objects/index.ts'

const retryMs = 1000

/** Writes one pod's status when it has changed: one write at a time, and changes that come together go together. */
export class StatusWriter {
  readonly #client: Client
  readonly #compute: () => { pod: Pod; status: NonNullable<Pod['status']> }
  readonly #onGone: () => void
  #timer: NodeJS.Timeout | undefined
  #dueAt = Number.POSITIVE_INFINITY
  #writing: Promise<void> | undefined
  #written = ''
  #stopped = false

  /** `onGone` is called when the API server does not know the pod any more. */
  constructor(client: Client, compute: () => { pod: Pod; status: NonNullable<Pod['status']> }, onGone: () => void) {
    this.#client = client
    this.#compute = compute
    this.#onGone = onGone
  }

  /** Says that the status may have changed; it is written after `delayMs` at the latest. */
  touch(delayMs: number): void {
    const dueAt = performance.now() + delayMs
    if (this.#stopped || dueAt >= this.#dueAt) return
    this.#dueAt = dueAt
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.flush(), delayMs)
  }

  /** Writes what there is to write now. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#dueAt = Number.POSITIVE_INFINITY
    while (this.#writing !== undefined) await this.#writing
    if (this.#stopped) return
    this.#writing = this.#write().finally(() => {
      this.#writing = undefined
    })
    await this.#writing
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  async #write(): Promise<void> {
    const { pod, status } = this.#compute()
    const { namespace, name, uid } = pod.metadata
    const text = JSON.stringify(status)
    if (text === this.#written) return
    try {
      await this.#client.patch(
        Pods,
        namespace,
        name,
        'strategic',
        { metadata: { uid }, status: replacing(status) },
        { subresource: 'status' },
      )
      this.#written = text
    } catch (error) {
      // A uid that does not match (409) is another pod of the same name.
      if (error instanceof ApiError && (error.code === 404 || error.code === 409)) this.#onGone()
      else this.touch(retryMs)
    }
  }
}

/** Addresses of a sandbox that is gone would stay beside those of the new one: a strategic merge knows these lists' items by their `ip`. */
function replacing(status: NonNullable<Pod['status']>): object {
  const whole = (list: readonly object[] | undefined) => list && [...list, { $patch: 'replace' }]
  return { ...status, podIPs: whole(status.podIPs), hostIPs: whole(status.hostIPs) }
}
