import type { Finding } from '../cluster/index.ts'

/** The policy that is being read, and what was found wrong with it so far. */
export interface Reader {
  readonly object: string
  readonly namespace: string
  readonly findings: Finding[]
}
