import type { Address } from '../addr/index.ts'
import type { ChangeFeed, ObjectKey } from '../cluster/index.ts'
import { HostError } from '../host/index.ts'
import type { NodePlan } from '../nodeplan/index.ts'
import type { Rounds } from './rounds.ts'

/** How long a pod that the API server has not told of is waited for, in milliseconds. */
const patienceMs = 5000

/** Lets a new pod's start wait until the kernel holds its policies. */
export class Admission {
  readonly #plan: NodePlan
  readonly #feed: ChangeFeed
  readonly #rounds: Rounds
  readonly #waiting = new Set<{ readonly addresses: readonly Address[]; readonly resume: () => void }>()

  constructor(plan: NodePlan, feed: ChangeFeed, rounds: Rounds) {
    this.#plan = plan
    this.#feed = feed
    this.#rounds = rounds
  }

  /** Resolves when the pod is guarded; a pod that does not become known in time is a `HostError` of code `busy`. */
  async admit(pod: ObjectKey, addresses: readonly Address[]): Promise<void> {
    this.#plan.attach(pod, addresses)
    this.#feed.note('pods', pod)
    this.#rounds.wake()
    const guarded = await new Promise<boolean>((resolve) => {
      const one = {
        addresses,
        resume: () => {
          clearTimeout(timer)
          this.#waiting.delete(one)
          resolve(true)
        },
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(one)
        resolve(false)
      }, patienceMs)
      this.#waiting.add(one)
    })
    if (guarded) return
    const detail = `the API server has not told this node of it in ${patienceMs / 1000} s, or the kernel refuses its policies`
    throw new HostError('busy', `guard pod ${pod} with its policies`, 'EAGAIN', detail)
  }

  /** A round is in the kernel. */
  afterRound(): void {
    for (const one of [...this.#waiting]) if (this.#plan.guards(one.addresses)) one.resume()
  }
}
