import { selects } from '../endpoints/index.ts'
import type { Answer } from '../explain/index.ts'
import type { Pod, Service } from '../objects/index.ts'
import type { Cause, Rule } from './cause.ts'
import { type Examination, explainProbe, type Tested } from './examination.ts'
import { ladder } from './ladder.ts'
import { applyPatch } from './patch.ts'
import { isReady } from './pod-state.ts'
import type { Probe } from './probe.ts'
import { policyDenies } from './rules/policy-denies.ts'
import { portNotInPod } from './rules/port-not-in-pod.ts'
import { sourceRanges } from './rules/source-ranges.ts'
import { trafficPolicyLocal } from './rules/traffic-policy-local.ts'
import { subjectsOf } from './subject.ts'
import { copyOf, withService } from './trial.ts'

/** Rules that objects alone suffice for. */
const byObjects: Readonly<Record<string, Rule>> = {
  'port-not-in-pod': portNotInPod,
  'policy-denies': policyDenies,
  'traffic-policy-local': trafficPolicyLocal,
  'source-ranges': sourceRanges,
}

/** What the first cause hides: what objects say of the same probes once it is mended. Possible, for nobody has tried it. */
export function findHidden(examination: Examination, first: Cause): readonly Cause[] {
  const then = mended(examination, first)
  if (then === undefined) return []
  return Object.entries(byObjects).flatMap(([rule, { judge }]) =>
    judge(then).map(
      (cause): Cause => ({
        rule,
        ...cause,
        confidence: 'possible',
        says: `once that is mended, ${cause.says}`,
        proof: ['the objects say so of the same probes; nobody could try it yet'],
      }),
    ),
  )
}

/** The examination as objects foretell it with the first cause mended; undefined where that is not in a Service or a pod. */
function mended(examination: Examination, { rule, fix }: Cause): Examination | undefined {
  const { snapshot, subject, stand, tested } = examination
  const { service } = subject
  const kind = fix.patch?.kind
  if (kind !== 'Service' && rule !== 'pods-not-ready') return undefined
  const after = kind === 'Service' && fix.patch !== undefined ? applyPatch(service, fix.patch) : service
  const then = withService(rule === 'pods-not-ready' ? withReadyPods(examination) : snapshot, after)
  const subjects = subjectsOf(then, after as Service, {})
  const own = typeof subjects === 'string' ? undefined : subjects.find(({ port }) => port.port === subject.port.port)
  if (own === undefined) return undefined
  const bad = new Map(tested.filter(({ good }) => !good).map((one) => [one.probe.id, one]))
  const foretold = ladder(then, own, stand).flatMap((probe): Tested[] => {
    const one = bad.get(probe.id)
    const answer = explainProbe({ ...examination, snapshot: then }, probe)
    // What got through before does so still, and what was not tried then is only foretold.
    if (one === undefined && examination.tested.some((other) => other.probe.id === probe.id)) return []
    const result = one?.result ?? { probe, tries: [{ outcome: { kind: 'silence' }, ms: 0, wire: undefined }] }
    return answer?.verdict.kind === 'deny' && !isOnPurpose(answer, probe)
      ? [{ result, probe, good: false, answer }]
      : []
  })
  return { ...examination, snapshot: then, subject: own, tested: foretold, disagreements: [] }
}

/** A policy may well keep out who is no client: nodes, and endpoints of one another. */
function isOnPurpose({ verdict }: Answer, { from, rung }: Probe): boolean {
  return /policy\//.test(verdict.because.object) && (from.kind === 'node' || rung === 'hairpin')
}

function withReadyPods({ snapshot, subject }: Examination) {
  const copy = copyOf(snapshot)
  for (const [key, pod] of snapshot.pods)
    if (selects(subject.service, pod) && !isReady(pod)) copy.put('pods', key, ready(pod))
  return copy
}

function ready(pod: Pod): Pod {
  const { deletionTimestamp: _, ...metadata } = pod.metadata
  const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== 'Ready')
  const conditions = [...others, { type: 'Ready', status: 'True' as const }]
  return { ...pod, metadata, status: { ...pod.status, conditions } }
}
