import type { Answer } from '../explain/index.ts'
import type { Cause } from './cause.ts'
import { isMissed } from './control.ts'
import type { Diagnosis } from './diagnosis.ts'
import { findEmitter } from './emitter.ts'
import { type Collected, type Examination, examine, isMeant, type Tested } from './examination.ts'
import { findHidden } from './hidden.ts'
import { findBad, type ProbeResult, rungs, wasSent } from './probe.ts'
import type { RequestExamination } from './request.ts'
import { requestRules, rules } from './rules/index.ts'
import { proofOf, serviceOf } from './words.ts'

const weight = { certain: 0, likely: 1, possible: 2 } as const

/** Judges what was collected: pure, so that a saved examination is judged alike anywhere. */
export function diagnose(collected: Collected): Diagnosis {
  const examination = examine(collected)
  const { tested, subject, controls } = examination
  const found = judgeAll(examination)
  const failing = failures(tested)
  const name = `${serviceOf(subject)} port ${subject.port.port}/${subject.transport}`
  const plain = rank([...found, ...byModel(failing, found)])
  const [first] = plain
  const causes = first === undefined ? plain : rank([...plain, ...findHidden(examination, first)])
  const unread = collected.nodes.flatMap(({ node, unread = [] }) => unread.map((says) => `rules of ${node}: ${says}`))
  const unseen = [
    ...collected.results.filter((one) => !wasSent(one)).flatMap(whyUnseen),
    ...unread,
    ...(collected.unasked ?? []),
  ]
  return conclude({
    subject: name,
    causes,
    tested,
    controls,
    owners: collected.owners ?? [],
    client: collected.stand.client,
    examination,
    unseen,
  })
}

/** Judges a request through a gateway, with the diagnosis of the Service that its route leads to. */
export function diagnoseRequest(examination: RequestExamination): Diagnosis {
  const { request, tested, backend } = examination
  const found = Object.entries(requestRules).flatMap(([rule, { judge }]) =>
    judge(examination).map((cause): Cause => ({ rule, ...cause })),
  )
  const all = [...(backend?.tested ?? []), ...tested]
  const controls = backend?.controls ?? []
  // What is meant so for the Service's other clients may still be what keeps the gateway out.
  const behind = backend?.kind === 'healthy' && backend.examination !== undefined ? judgeAll(backend.examination) : []
  const causes = rank([...found, ...(backend?.causes ?? []), ...behind])
  const name = `${request.scheme}://${request.host}${request.path}`
  return conclude({
    subject: name,
    causes,
    tested: all,
    controls,
    owners: backend?.owners ?? [],
    client: backend?.client,
    examination: backend?.examination,
    unseen: [...(backend?.unseen ?? []), ...(tested.length === 0 ? ['no request could be sent to a gateway'] : [])],
  })
}

function judgeAll(examination: Examination): Cause[] {
  return Object.entries(rules).flatMap(([rule, { judge }]) =>
    judge(examination).map((cause): Cause => ({ rule, ...cause })),
  )
}

function conclude(
  seen: Pick<Diagnosis, 'subject' | 'causes' | 'tested' | 'controls' | 'owners' | 'client' | 'examination' | 'unseen'>,
): Diagnosis {
  const { subject, causes, tested, controls } = seen
  const failing = failures(tested)
  const firstFailing = rungs.find((rung) => failing.some(({ probe }) => probe.rung === rung))
  const unseen = [...new Set([...seen.unseen, ...controls.filter(isMissed).flatMap((one) => one.unseen ?? [])])]
  const base = { ...seen, firstFailing, unseen, emitter: findEmitter(tested, controls) }
  const [first] = causes
  if (first !== undefined && (failing.length > 0 || first.confidence === 'certain'))
    return { ...base, kind: 'sick', says: `${subject}: ${first.says} (${first.field} of ${first.object})` }
  if (failing.length > 0) {
    const says = `${subject}: ${firstFailing} fails, and nothing that is known explains it`
    return { ...base, kind: 'unexplained', says }
  }
  if (tested.length === 0)
    return {
      ...base,
      kind: 'untried',
      causes: [],
      says: `${subject}: nothing could be tried; its objects alone show no fault`,
    }
  const meant = tested.filter((one) => isMeant(one, tested)).length
  const but = meant === 0 ? '' : `; ${meant} probes of others than clients are kept out by policies, as they say`
  const says = `${subject} answers everywhere it was tried (${tested.length - meant} probes${but})`
  return { ...base, kind: 'healthy', causes: [], says }
}

function failures(tested: readonly Tested[]): readonly Tested[] {
  return tested.filter((one) => !one.good && !isMeant(one, tested))
}

function whyUnseen(result: ProbeResult): string[] {
  const bad = findBad(result)
  return bad?.kind === 'unseen' ? [bad.says] : []
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
