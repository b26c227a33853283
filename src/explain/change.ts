import type { Because } from '../cluster/index.ts'
import type { Way } from './way.ts'

/** One thing that is not as before. */
export interface Change {
  readonly kind: 'opened' | 'closed' | 'changed'
  /** `high`: somebody outside, or who they are taken for; `medium`: connections within; `low`: the way and not the end. */
  readonly severity: 'high' | 'medium' | 'low'
  readonly what: 'connection' | Way['kind']
  /** `deployment/shop/web → deployment/shop/db`, or what the way is called. */
  readonly subject: string
  readonly says: string
  /** The object and field to blame. */
  readonly because: Because
}
