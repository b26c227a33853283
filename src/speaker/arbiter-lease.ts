import { Arbiter, arbiterMs } from '../announce/index.ts'
import { ApiError, type Client, type Informer } from '../client/index.ts'
import type { KubeObject } from '../objects/index.ts'
import { leases, speakerObjects } from './resources.ts'

/** How often it is looked whether the vote may be taken or has to be renewed, in milliseconds. */
const lookMs = 50

interface Lease extends KubeObject {
  spec?: { holderIdentity?: string; leaseDurationSeconds?: number; renewTime?: string }
}

/** The API server's vote, as a Lease that a node writes while the votes of other nodes are no majority. */
export class ArbiterLease {
  readonly #client: Client
  readonly #node: string
  readonly #arbiter: Arbiter
  readonly #informer: Informer<Lease>
  readonly #onVote: (forMs: number) => void
  #isNeeded = false
  #isWriting = false
  #timer: NodeJS.Timeout | undefined

  /** `onVote` is told each time for how many milliseconds more the vote counts. */
  constructor(client: Client, node: string, onVote: (forMs: number) => void) {
    this.#client = client
    this.#node = node
    this.#onVote = onVote
    this.#arbiter = new Arbiter(node)
    const { namespace, name } = speakerObjects
    this.#informer = client.informer<Lease>(leases, { namespace, fieldSelector: `metadata.name=${name}` })
    this.#informer.onChange((_, lease) => this.#observe(lease))
    // It tries again by itself; until it has seen the Lease there is no vote.
    this.#informer.start().catch(() => undefined)
  }

  setNeeded(isNeeded: boolean): void {
    this.#isNeeded = isNeeded
    clearInterval(this.#timer)
    if (isNeeded) {
      this.#timer = setInterval(() => this.#look(), lookMs)
      this.#look()
    } else void this.#giveBack()
  }

  close(): void {
    clearInterval(this.#timer)
    this.#informer.close()
  }

  #look(): void {
    if (this.#isWriting || !this.#informer.synced) return
    const now = performance.now()
    const record = this.#arbiter.mayWrite(now)
    if (record !== undefined) void this.#write(record.version, now)
    else if (this.#informer.size === 0) void this.#write(undefined, now)
  }

  async #write(version: string | undefined, askedAt: number): Promise<void> {
    this.#isWriting = true
    try {
      const lease = leaseOf(this.#node, version)
      const written = await (version === undefined
        ? this.#client.create<Lease>(leases, lease)
        : this.#client.update<Lease>(leases, lease))
      const now = performance.now()
      const record = { holder: this.#node, version: written.metadata.resourceVersion ?? '' }
      this.#onVote(Math.max(0, this.#arbiter.written(record, askedAt, now) - now))
    } catch {
      // Another was first, or the server is away: looked at again in a moment.
    } finally {
      this.#isWriting = false
    }
  }

  /** The next one that needs it need not wait until it has run out. */
  async #giveBack(): Promise<void> {
    const lease = [...this.#informer.values()][0]
    if (lease?.spec?.holderIdentity !== this.#node) return
    this.#onVote(0)
    try {
      await this.#client.update<Lease>(leases, leaseOf('', lease.metadata.resourceVersion))
    } catch (error) {
      if (!(error instanceof ApiError)) return
    }
  }

  #observe(lease: Lease | undefined): void {
    if (lease === undefined) return
    const record = { holder: lease.spec?.holderIdentity ?? '', version: lease.metadata.resourceVersion ?? '' }
    this.#arbiter.observe(record, performance.now())
    if (this.#isNeeded) this.#look()
  }
}

function leaseOf(holder: string, resourceVersion: string | undefined): Lease {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { ...speakerObjects, ...(resourceVersion !== undefined && { resourceVersion }) },
    spec: {
      ...(holder !== '' && { holderIdentity: holder }),
      leaseDurationSeconds: Math.ceil(arbiterMs / 1000),
      renewTime: new Date().toISOString().replace('Z', '000Z'),
    },
  }
}
