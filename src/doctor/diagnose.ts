import type { Answer } from '../explain/index.ts'
import type { Cause } from './cause.ts'
import { type Collected, type Examination, examine, type Tested } from './examination.ts'
import { findBad, type Rung, rungs } from './probe.ts'
import { rules } from './rules/index.ts'
import { proofOf, serviceOf } from './words.ts'

/** What the doctor says of one port of a Service. */
export interface Diagnosis {
  readonly examination: Examination
  /** `healthy`: all that could be tried answers. `sick`: a cause is named. `unexplained`: something fails and no rule knows why. */
  readonly kind: 'healthy' | 'sick' | 'unexplained'
  readonly says: string
  /** The best first. */
  readonly causes: readonly Cause[]
  readonly firstFailing: Rung | undefined
  /** What could not be tried, and why. */
  readonly unseen: readonly string[]
}

const weight = { certain: 0, likely: 1, possible: 2 } as const

/** Judges what was collected: pure, so that a saved examination is judged alike anywhere. */
export function diagnose(collected: Collected): Diagnosis {
  const examination = examine(collected)
  const { tested } = examination
  const failing = tested.filter((one) => !one.good && !isUnseen(one))
  const found = Object.entries(rules).flatMap(([rule, { judge }]) =>
    judge(examination).map((cause): Cause => ({ rule, ...cause })),
  )
  const causes = rank([...found, ...byModel(failing, found)])
  const firstFailing = rungs.find((rung) => failing.some(({ probe }) => probe.rung === rung))
  const unseen = [
    ...new Set(
      tested.filter(isUnseen).flatMap(({ result }) => {
        const bad = findBad(result)
        return bad?.kind === 'unseen' ? [bad.says] : []
      }),
    ),
  ]
  const [first] = causes
  const sick = first !== undefined && (failing.length > 0 || first.confidence === 'certain')
  const name = `${serviceOf(examination.subject)} port ${examination.subject.port.port}/${examination.subject.transport}`
  if (sick) return { examination, kind: 'sick', says: `${name}: ${first.says}`, causes, firstFailing, unseen }
  if (failing.length > 0) {
    const says = `${name}: ${firstFailing} fails, and nothing that is known explains it`
    return { examination, kind: 'unexplained', says, causes, firstFailing, unseen }
  }
  const count = tested.length - tested.filter(isUnseen).length
  return {
    examination,
    kind: 'healthy',
    says: `${name} answers everywhere it was tried (${count} probes)`,
    causes: [],
    firstFailing,
    unseen,
  }
}

function isUnseen({ result }: Tested): boolean {
  return result.tries.every(({ outcome }) => outcome.kind === 'unseen')
}

/** What the model foretold and no rule has words for. */
function byModel(
  failing: readonly Tested[],
  known: readonly { readonly object: string; readonly field: string }[],
): Cause[] {
  const denied = failing.flatMap((one): { one: Tested; answer: Answer }[] =>
    one.answer?.verdict.kind === 'deny' ? [{ one, answer: one.answer }] : [],
  )
  const fresh = denied.filter(
    ({ answer: { verdict } }) =>
      !known.some(
        ({ object, field }) =>
          object === verdict.because.object || (object === verdict.because.object && field === verdict.because.field),
      ),
  )
  const [first] = fresh
  if (first === undefined || known.length > 0) return []
  const { verdict } = first.answer
  return [
    {
      rule: 'model',
      confidence: 'likely',
      ...verdict.because,
      says: verdict.says,
      proof: [proofOf(first.one)],
      fix: { says: `change ${verdict.because.field} of ${verdict.because.object}` },
      rung: first.one.probe.rung,
    },
  ]
}

/** The surest first, of equals that of the lowest rung; one cause for each object and field. */
function rank(causes: readonly Cause[]): readonly Cause[] {
  const sorted = causes
    .map((cause, at) => ({ cause, at }))
    .sort(
      (a, b) =>
        weight[a.cause.confidence] - weight[b.cause.confidence] ||
        rungs.indexOf(a.cause.rung) - rungs.indexOf(b.cause.rung) ||
        a.at - b.at,
    )
    .map(({ cause }) => cause)
  return [
    ...new Map([...sorted].reverse().map((cause) => [`${cause.object} ${cause.field}`, cause])).values(),
  ].reverse()
}
