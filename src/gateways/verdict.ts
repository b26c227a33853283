import type { Condition } from '../objects/index.ts'

/** What a condition says, before it has a type, a generation and a time. */
export interface Verdict {
  readonly ok: boolean
  /** CamelCase, from the specification. */
  readonly reason: string
  readonly message: string
}

export function verdict(ok: boolean, reason: string, message: string): Verdict {
  return { ok, reason, message }
}

/** A condition without a time: whoever writes it keeps the time of an equal one. */
export function condition(type: string, { ok, reason, message }: Verdict, generation: number): Condition {
  return { type, status: ok ? 'True' : 'False', reason, message, observedGeneration: generation }
}
