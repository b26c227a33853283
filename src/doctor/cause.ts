import type { Examination } from './examination.ts'
import type { Rung } from './probe.ts'

/** A change of one object, as `kubectl patch` takes it. */
export interface Patch {
  readonly kind: string
  readonly namespace: string
  readonly name: string
  readonly type: 'merge' | 'json'
  readonly body: unknown
}

/** The smallest thing to do. */
export interface Fix {
  readonly says: string
  /** Absent where the remedy is not in an object. */
  readonly patch?: Patch
}

/** One reason why the subject does not answer. */
export interface Cause {
  /** The rule that found it, by the name of its file. */
  readonly rule: string
  /** `certain`: the evidence leaves no other. `likely`: the usual one for this evidence. `possible`: worth a look. */
  readonly confidence: 'certain' | 'likely' | 'possible'
  readonly object: string
  readonly field: string
  readonly value: string
  readonly says: string
  /** What was seen, and where. */
  readonly proof: readonly string[]
  /** What else looks like this, and what tells it apart. */
  readonly twin?: string
  readonly fix: Fix
  /** The lowest rung that it explains. */
  readonly rung: Rung
}

/** Evidence in, causes out. Total: what was not collected yields nothing. */
export interface Rule {
  /** Rows of the fault catalogue that it covers. */
  readonly covers: readonly string[]
  judge(examination: Examination): readonly Omit<Cause, 'rule'>[]
}
