import { ApiError, type Client } from '../client/index.ts'
import { type Lease, Leases } from '../objects/index.ts'

/** How a Lease is held; upstream's defaults are 15, 10 and 2 seconds. */
export interface ElectionOptions {
  readonly namespace: string
  readonly name: string
  readonly identity: string
  readonly leaseSeconds?: number
  /** A leader that could not renew for so long stops by itself, well before others may take over. */
  readonly renewDeadlineMs?: number
  readonly retryMs?: number
  /** Called on winning; `stop` resolves when the work has ended, and is awaited before the lease is sought again. */
  readonly onLead: () => Promise<{ stop(): Promise<void> }>
  readonly onTrouble?: (message: string) => void
}

/** What was last seen in the Lease, and when, by our own clock: times written by others are never compared with it. */
export interface Observation {
  readonly record: string
  readonly at: number
}

/** Whether the lease may be taken: ours, given up, or not renewed for its duration since we first saw this state of it. */
export function mayTake(lease: Lease, identity: string, seen: Observation, now: number): boolean {
  const { holderIdentity, leaseDurationSeconds = 15 } = lease.spec ?? {}
  if (!holderIdentity || holderIdentity === identity) return true
  return now >= seen.at + leaseDurationSeconds * 1000
}

/** The observation after this look at the lease: its time moves only when the lease did. */
export function observe(lease: Lease, seen: Observation | undefined, now: number): Observation {
  const record = JSON.stringify(lease.spec ?? {})
  return seen?.record === record ? seen : { record, at: now }
}

/** Seeks the lease until closed; leads while it holds it. */
export function startElection(client: Client, options: ElectionOptions): { close(): Promise<void> } {
  const { leaseSeconds = 15, renewDeadlineMs = 10_000, retryMs = 2_000 } = options
  let closed = false
  let wake: () => void = () => {}
  const pause = () =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, retryMs * (1 + Math.random() * 0.2))
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  const trouble = (error: unknown) => options.onTrouble?.(`lease ${options.name}: ${(error as Error).message}`)

  const run = async () => {
    let seen: Observation | undefined
    let work: Promise<{ stop(): Promise<void> }> | undefined
    let renewedAt = 0
    const stop = async () => {
      const ended = work
      work = undefined
      await ended?.then((one) => one.stop()).catch(trouble)
    }
    while (!closed) {
      // Counted from before the request: the others count from when they see it.
      const startedAt = performance.now()
      const leftMs = work === undefined ? renewDeadlineMs : renewedAt + renewDeadlineMs - startedAt
      try {
        // A request that hangs must not make a leader out of one who cannot renew.
        const result = await within(leftMs, tryLease(client, options, leaseSeconds, seen))
        seen = result.seen
        if (!result.held) await stop()
        else {
          renewedAt = startedAt
          work ??= options.onLead()
          // Not awaited: the lease is to be renewed while the work is still starting.
          work.catch(trouble)
        }
      } catch (error) {
        trouble(error)
      }
      if (performance.now() - renewedAt >= renewDeadlineMs) await stop()
      if (!closed) await pause()
    }
    const led = work !== undefined
    await stop()
    if (led) await release(client, options).catch(trouble)
  }
  const done = run()
  return {
    close() {
      closed = true
      wake()
      return done
    },
  }
}

async function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer for ${Math.round(ms)} ms`)), Math.max(0, ms))
  })
  answer.catch(() => {})
  return Promise.race([answer, late]).finally(() => clearTimeout(timer))
}

async function tryLease(
  client: Client,
  { namespace, name, identity }: ElectionOptions,
  leaseSeconds: number,
  before: Observation | undefined,
): Promise<{ held: boolean; seen: Observation | undefined }> {
  const time = microTime(Date.now())
  const mine = { holderIdentity: identity, leaseDurationSeconds: leaseSeconds, renewTime: time }
  const lease = await client.find<Lease>(Leases, namespace, name)
  if (lease === undefined) {
    const spec = { ...mine, acquireTime: time, leaseTransitions: 0 }
    const metadata = { name, namespace }
    return conflictIsNo(before, () =>
      client.create<Lease>(Leases, { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec }),
    )
  }
  const seen = observe(lease, before, performance.now())
  if (!mayTake(lease, identity, seen, performance.now())) return { held: false, seen }
  const isOurs = lease.spec?.holderIdentity === identity
  const spec = {
    ...lease.spec,
    ...mine,
    ...(!isOurs && { acquireTime: time, leaseTransitions: (lease.spec?.leaseTransitions ?? 0) + 1 }),
  }
  return conflictIsNo(seen, () => client.update<Lease>(Leases, { ...lease, spec }))
}

/** Another one was faster. */
async function conflictIsNo(
  seen: Observation | undefined,
  write: () => Promise<Lease>,
): Promise<{ held: boolean; seen: Observation | undefined }> {
  try {
    return { held: true, seen: observe(await write(), seen, performance.now()) }
  } catch (error) {
    if (error instanceof ApiError && error.code === 409) return { held: false, seen }
    throw error
  }
}

async function release(client: Client, { namespace, name, identity }: ElectionOptions): Promise<void> {
  const lease = await client.find<Lease>(Leases, namespace, name)
  if (lease?.spec?.holderIdentity !== identity) return
  // An empty holder is refused; nobody is the absence of one.
  const { holderIdentity: _, ...rest } = lease.spec
  const spec = { ...rest, leaseDurationSeconds: 1, renewTime: microTime(Date.now()) }
  await client.update(Leases, { ...lease, spec })
}

function microTime(now: number): string {
  return new Date(now).toISOString().replace('Z', '000Z')
}
