import type { Cause } from './cause.ts'
import type { ControlResult } from './control.ts'
import type { Emitter } from './emitter.ts'
import type { Examination, Tested } from './examination.ts'
import type { Owners } from './owners.ts'
import type { Rung } from './probe.ts'

/** What the doctor says of one port of a Service, or of one request. */
export interface Diagnosis {
  /** What was looked at: `service/shop/web port 80/tcp`, `https://shop.example/`. */
  readonly subject: string
  /** `healthy`: all that could be tried answers. `sick`: a cause is named. `unexplained`: something fails and no rule knows why. `untried`: no probe could be sent. */
  readonly kind: 'healthy' | 'sick' | 'unexplained' | 'untried'
  readonly says: string
  /** The best first. */
  readonly causes: readonly Cause[]
  readonly firstFailing: Rung | undefined
  readonly tested: readonly Tested[]
  readonly controls: readonly ControlResult[]
  /** Who answers for the external addresses. */
  readonly owners: readonly Owners[]
  /** Who made the 5xx that a client saw, where one did. */
  readonly emitter: Emitter | undefined
  /** The pod that stood for clients. */
  readonly client: string | undefined
  /** What could not be tried, and why. */
  readonly unseen: readonly string[]
  /** What remedies are tried on; absent where a request leads to no Service. */
  readonly examination: Examination | undefined
}
