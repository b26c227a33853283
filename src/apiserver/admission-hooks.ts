import {
  type Attributes,
  deniedStatus,
  matchedVersion,
  namespaceSelected,
  objectSelected,
  type ReviewAnswer,
  variablesOf,
} from '../admission/index.ts'
import { errors, type KubeObject } from '../objects/index.ts'
import type { Hook, Plan } from './admission-plan.ts'
import { decider, type Remarks } from './admission-policies.ts'
import { jsonPatcher } from './json-patch.ts'
import { Refusal } from './refusal.ts'
import type { Reader } from './store.ts'
import { copyOf } from './value.ts'
import type { WebhookCaller } from './webhook-call.ts'

/** What asking webhooks needs. */
export interface Asker {
  readonly caller: WebhookCaller
  readonly reader: Reader
}

/** The object as the mutating webhooks leave it, one after the other; undefined for a deletion. Throws the refusal of the first that denies. */
export async function runMutating(
  asker: Asker,
  { mutating }: Plan,
  attributes: Attributes,
  remarks: Remarks,
): Promise<KubeObject | undefined> {
  let object = attributes.object
  // What each left behind: one that asks for it sees the object again when later ones have changed it.
  const left = new Map<Hook, string>()
  const turn = async (hook: Hook) => {
    const asked = await ask(asker, hook, { ...attributes, object }, remarks, true)
    if (asked === undefined) return
    if (asked.answer.patch !== undefined) object = await patched(hook, object, attributes, asked)
    left.set(hook, JSON.stringify(object))
  }
  for (const hook of mutating) await turn(hook)
  for (const hook of mutating) {
    if (hook.webhook.reinvocationPolicy !== 'IfNeeded' || !left.has(hook)) continue
    if (left.get(hook) !== JSON.stringify(object)) await turn(hook)
  }
  return object
}

/** Asks all validating webhooks at once; throws the refusal of the first, in their order, that denies. */
export async function runValidating(
  asker: Asker,
  { validating }: Plan,
  attributes: Attributes,
  remarks: Remarks,
): Promise<void> {
  const asked = await Promise.allSettled(validating.map((hook) => ask(asker, hook, attributes, remarks, false)))
  for (const result of asked) if (result.status === 'rejected') throw result.reason
}

interface Asked {
  readonly answer: ReviewAnswer
  readonly version: string
}

/** Asks one webhook; undefined when it has no say, or cannot be reached and may be left out. */
async function ask(
  { caller, reader }: Asker,
  { webhook, conditions }: Hook,
  attributes: Attributes,
  remarks: Remarks,
  mutating: boolean,
): Promise<Asked | undefined> {
  const version = matchedVersion(webhook.rules, webhook.matchPolicy, attributes.target)
  if (version === undefined || !objectSelected(webhook.objectSelector, attributes)) return undefined
  const find = (name: string) => reader.find('/namespaces', name)?.value
  if (!namespaceSelected(webhook.namespaceSelector, attributes, find)) return undefined
  const optional = webhook.failurePolicy === 'Ignore'
  if (webhook.matchConditions?.length) {
    const holds = conditions(variablesOf(attributes, decider(reader, attributes.user)))
    if (holds.kind === 'no' || (holds.kind === 'error' && optional)) return undefined
    if (holds.kind === 'error') throw new Refusal(forbidden(attributes, holds.because))
  }
  const answer = await caller.ask(webhook, attributes, version, mutating)
  if (typeof answer === 'string') {
    if (!optional)
      throw new Refusal(errors.internalError(`failed calling webhook ${JSON.stringify(webhook.name)}: ${answer}`))
    remarks.annotations.set(`failed-open.webhook.admission.k8s.io/${webhook.name}`, answer)
    return undefined
  }
  remarks.warnings.push(...answer.warnings)
  for (const [key, text] of Object.entries(answer.annotations)) remarks.annotations.set(`${webhook.name}/${key}`, text)
  if (!answer.allowed) throw new Refusal(deniedStatus(webhook.name, answer.status))
  return { answer, version }
}

function forbidden({ target, name }: Attributes, cause: string) {
  return errors.forbiddenBecause({ group: target.group, plural: target.resource }, name, cause)
}

/** The object after a webhook's patch, made in the version that the webhook saw. */
async function patched(
  { webhook }: Hook,
  object: KubeObject | undefined,
  { target, kind }: Attributes,
  { answer, version }: Asked,
): Promise<KubeObject> {
  const name = JSON.stringify(webhook.name)
  if (object === undefined || target.operation === 'CONNECT') {
    const message = `admission webhook ${name} attempted to modify the object, which is not supported for this operation`
    throw new Refusal(errors.internalError(message))
  }
  const seen = copyOf(object)
  const ownKind = kind.group === target.group && kind.version === target.version
  if (ownKind && version !== target.version) seen.apiVersion = `${target.group}/${version}`
  try {
    const patch = await jsonPatcher(answer.patch)
    const result = patch(seen) as KubeObject
    if (typeof result?.metadata !== 'object' || result.metadata === null) throw new Error('the object has no metadata')
    return { ...result, apiVersion: object.apiVersion }
  } catch (error) {
    throw new Refusal(errors.internalError(`admission webhook ${name}: ${(error as Error).message}`))
  }
}
