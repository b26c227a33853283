import { matches } from '../cluster/index.ts'
import { type Condition, errors, type Pod, type PodDisruptionBudget } from '../objects/index.ts'
import { admitBody, writtenBy } from './admission-request.ts'
import { type Answer, json } from './answer.ts'
import { parseBody } from './body.ts'
import type { Call, Core } from './core.ts'
import { deleteObject, dryRunOf, parseDeleteOptions } from './deletion.ts'
import { restrictEviction } from './node-restriction.ts'
import { Refusal } from './refusal.ts'
import { success } from './review.ts'
import { keyOf, type Scope } from './scope.ts'
import type { Transaction } from './store.ts'
import { copyOf, isRecord, timestamp } from './value.ts'

const budgets = 'policy/poddisruptionbudgets'
const refusal = "Cannot evict pod as it would violate the pod's disruption budget."
/** So many evictions may wait to be seen by the disruption controller. */
const mostDisrupted = 2000

/** POST of an Eviction: the pod is deleted if its disruption budget allows it (policy/v1), else 429. */
export async function postEviction(core: Core, scope: Scope, call: Call): Promise<Answer> {
  const body = await parseBody(await call.body(), call.headers['content-type'])
  const kind = { group: 'policy', version: 'v1', kind: 'Eviction' }
  const asked = dryRunOf(call.query.getAll('dryRun'))
  const value = await admitBody(core, writtenBy(scope, call, asked), 'CREATE', kind, body)
  if (!isRecord(value)) throw new Refusal(errors.badRequest('the body is not an Eviction'))
  const name = isRecord(value.metadata) ? value.metadata.name : undefined
  if (name !== undefined && name !== scope.name)
    throw new Refusal(errors.badRequest('name in URL does not match name in Eviction object'))
  const given = isRecord(value.deleteOptions) ? value.deleteOptions : {}
  const options = parseDeleteOptions({ ...given, kind: 'DeleteOptions' }, call.query)
  const plain = { ...scope, subresource: undefined }
  await core.store.write((transaction) => {
    const pod = transaction.find(scope.collection, keyOf(scope.namespace, scope.name!))?.value as Pod | undefined
    if (pod === undefined) throw new Refusal(errors.notFound(scope.kind, scope.name!))
    restrictEviction(scope, pod)
    if (!needsNoBudget(pod)) spend(pod, transaction)
    markTarget(scope, transaction)
    deleteObject(plain, options, core.allocator, transaction)
  }, options.dryRun || asked)
  return json(success(201), 201)
}

/** Nothing is disrupted when the pod does not run, or is going already. */
function needsNoBudget({ metadata, status }: Pod): boolean {
  return metadata.deletionTimestamp !== undefined || ['Succeeded', 'Failed', 'Pending'].includes(status?.phase ?? '')
}

/** Takes one disruption from the pod's budget, if it has one. Throws when there is none to take. */
function spend(pod: Pod, transaction: Transaction): void {
  const { namespace, name, labels = {} } = pod.metadata
  const found = [...transaction.range(budgets, `${namespace}/`)].filter(({ value }) => {
    const { selector } = (value as PodDisruptionBudget).spec ?? {}
    return selector !== undefined && matches(selector, labels)
  })
  if (found.length > 1) {
    const message = 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.'
    // A 500 is upstream's answer to this, and says that trying again does not help.
    throw new Refusal({ ...errors.internalError(message), message })
  }
  const entry = found[0]
  if (entry === undefined) return
  const budget = copyOf(entry.value) as PodDisruptionBudget
  if (!isReady(pod) && mayGoUnready(budget)) return
  const status = checked(budget)
  status.disruptionsAllowed = (status.disruptionsAllowed ?? 0) - 1
  status.disruptedPods = { ...status.disruptedPods, [name]: timestamp() }
  if (status.disruptionsAllowed === 0) exhaust(status)
  transaction.put(budgets, entry.key, budget)
}

function isReady({ status }: Pod): boolean {
  return status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True'
}

/** A pod that is not ready may go when enough others are, or always (KEP-3017). */
function mayGoUnready({ spec, status }: PodDisruptionBudget): boolean {
  if (spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true
  const { currentHealthy = 0, desiredHealthy = 0 } = status ?? {}
  return currentHealthy >= desiredHealthy && desiredHealthy > 0
}

/** The budget's status, if it says that a pod may go. */
function checked({ metadata, status = {} }: PodDisruptionBudget): NonNullable<PodDisruptionBudget['status']> {
  const { name, generation = 0 } = metadata
  const target = { group: 'policy', plural: 'poddisruptionbudget' }
  if ((status.observedGeneration ?? 0) < generation)
    throw tooMany(10, `The disruption budget ${name} is still being processed by the server.`)
  const { disruptionsAllowed = 0, desiredHealthy = 0, currentHealthy = 0, disruptedPods = {} } = status
  if (disruptionsAllowed < 0)
    throw new Refusal(errors.forbiddenBecause(target, name, 'pdb disruptions allowed is negative'))
  if (Object.keys(disruptedPods).length > mostDisrupted) {
    const cause = 'DisruptedPods map too big - too many evictions not confirmed by PDB controller'
    throw new Refusal(errors.forbiddenBecause(target, name, cause))
  }
  if (disruptionsAllowed === 0)
    throw tooMany(
      undefined,
      `The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`,
    )
  return status
}

function tooMany(retryAfterSeconds: number | undefined, message: string): Refusal {
  return new Refusal(errors.tooManyRequests(refusal, [{ reason: 'DisruptionBudget', message }], retryAfterSeconds))
}

function exhaust(status: NonNullable<PodDisruptionBudget['status']>): void {
  const others = (status.conditions ?? []).filter(({ type }) => type !== 'DisruptionAllowed')
  const condition: Condition = {
    type: 'DisruptionAllowed',
    status: 'False',
    reason: 'InsufficientPods',
    message: '',
    lastTransitionTime: timestamp(),
    ...(status.observedGeneration === undefined ? {} : { observedGeneration: status.observedGeneration }),
  }
  status.conditions = [...others, condition]
}

/** The pod says why it goes (KEP-3329). */
function markTarget(scope: Scope, transaction: Transaction): void {
  const key = keyOf(scope.namespace, scope.name!)
  const pod = copyOf(transaction.find(scope.collection, key)!.value) as Pod
  const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== 'DisruptionTarget')
  const condition: Condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
    lastTransitionTime: timestamp(),
  }
  pod.status = { ...pod.status, conditions: [...others, condition] }
  transaction.put(scope.collection, key, pod)
}
