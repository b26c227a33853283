import type { Finding } from '../cluster/index.ts'
import type { NobodyPeer } from './model.ts'

/** The policy that is being read, and what was found wrong with it so far. */
export interface Reader {
  readonly object: string
  readonly findings: Finding[]
}

/** A peer that cannot be read, and the finding that says why. */
export function nobody(
  { object, findings }: Reader,
  field: string,
  code: string,
  says: string,
  remedy: string,
): NobodyPeer {
  findings.push({ code, object, field, says, try: remedy })
  return { kind: 'nobody', because: { object, field, value: says } }
}
