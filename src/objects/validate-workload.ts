import type { FieldError } from './contract.ts'
import { complaints, forbidden, immutable, invalid, nonNegative, notSupported, required } from './field-error.ts'
import { dns1123Subdomain } from './names.ts'
import { sameMeaning } from './same-meaning.ts'
import type {
  DaemonSet,
  Deployment,
  LabelSelector,
  PodTemplate,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from './types.ts'
import { validateAnnotations, validateLabels } from './validate-metadata.ts'
import { validatePodSpec } from './validate-pod.ts'
import { isEmptySelector, selects, validateSelector } from './validate-selector.ts'

interface Templated {
  readonly selector?: LabelSelector
  readonly template?: PodTemplate
}

/** Upstream's `ValidateDeployment` and its update. */
export function validateDeployment({ spec }: Deployment, old: Deployment | undefined): FieldError[] {
  if (spec === undefined) return [required('spec.selector'), required('spec.template')]
  const { minReadySeconds = 0, progressDeadlineSeconds } = spec
  const errors = [
    ...nonNegative('spec.replicas', spec.replicas),
    ...validateTemplated(spec, 'deployment'),
    ...validateStrategy(spec.strategy),
    ...nonNegative('spec.minReadySeconds', minReadySeconds),
    ...nonNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
  ]
  if (progressDeadlineSeconds !== undefined) {
    errors.push(...nonNegative('spec.progressDeadlineSeconds', progressDeadlineSeconds))
    if (progressDeadlineSeconds <= minReadySeconds)
      errors.push(
        invalid('spec.progressDeadlineSeconds', progressDeadlineSeconds, 'must be greater than minReadySeconds'),
      )
  }
  return [...errors, ...validateFixedSelector(spec, old?.spec)]
}

/** Upstream's `ValidateReplicaSet` and its update. */
export function validateReplicaSet({ spec }: ReplicaSet, old: ReplicaSet | undefined): FieldError[] {
  if (spec === undefined) return [required('spec.selector')]
  return [
    ...nonNegative('spec.replicas', spec.replicas),
    ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...validateTemplated(spec, 'deployment'),
    ...validateFixedSelector(spec, old?.spec),
  ]
}

/** Upstream's `ValidateReplicationController`. */
export function validateReplicationController({ spec = {} }: ReplicationController): FieldError[] {
  const { selector = {}, template } = spec
  const errors = [...nonNegative('spec.minReadySeconds', spec.minReadySeconds)]
  const isEmpty = Object.keys(selector).length === 0
  if (isEmpty) errors.push(required('spec.selector'))
  if (spec.replicas === undefined) errors.push(required('spec.replicas'))
  errors.push(...nonNegative('spec.replicas', spec.replicas))
  if (template === undefined) return [...errors, required('spec.template')]
  errors.push(...validateTemplate(template, isEmpty ? undefined : { matchLabels: selector }))
  const policy = template.spec?.restartPolicy
  if (policy !== undefined && policy !== 'Always')
    errors.push(notSupported('spec.template.spec.restartPolicy', policy, ['Always']))
  return errors
}

/** Upstream's `ValidateDaemonSet` and its update. */
export function validateDaemonSet({ spec }: DaemonSet, old: DaemonSet | undefined): FieldError[] {
  if (spec === undefined) return [required('spec.selector'), required('spec.template')]
  const path = 'spec.updateStrategy'
  const { type, rollingUpdate } = spec.updateStrategy ?? {}
  const errors = [...validateTemplated(spec, 'daemonset'), ...nonNegative('spec.minReadySeconds', spec.minReadySeconds)]
  errors.push(...nonNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit))
  if (type === 'RollingUpdate') {
    if (rollingUpdate === undefined) errors.push(required(`${path}.rollingUpdate`))
    else errors.push(...validateDaemonSetSurge(rollingUpdate, `${path}.rollingUpdate`))
  } else if (type !== 'OnDelete') errors.push(notSupported(path, spec.updateStrategy, ['RollingUpdate', 'OnDelete']))
  return [...errors, ...validateFixedSelector(spec, old?.spec)]
}

/** Upstream's `ValidateStatefulSet` and its update. */
export function validateStatefulSet({ spec }: StatefulSet, old: StatefulSet | undefined): FieldError[] {
  if (spec === undefined) return [required('spec.selector'), required('spec.template')]
  const { podManagementPolicy = '', updateStrategy = {}, serviceName } = spec
  const errors = [
    ...nonNegative('spec.replicas', spec.replicas),
    ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...nonNegative('spec.ordinals.start', spec.ordinals?.start),
    ...validateTemplated(spec, 'statefulset', claimNames(spec)),
  ]
  if (serviceName && old === undefined)
    errors.push(...complaints('spec.serviceName', serviceName, dns1123Subdomain(serviceName)))
  if (podManagementPolicy === '') errors.push(required('spec.podManagementPolicy'))
  else if (podManagementPolicy !== 'OrderedReady' && podManagementPolicy !== 'Parallel')
    errors.push(invalid('spec.podManagementPolicy', podManagementPolicy, "must be 'OrderedReady' or 'Parallel'"))
  const { type, rollingUpdate } = updateStrategy
  const path = 'spec.updateStrategy'
  if (type === undefined) errors.push(required(path))
  else if (type === 'OnDelete' && rollingUpdate !== undefined)
    errors.push(invalid(`${path}.rollingUpdate`, rollingUpdate, "only allowed for updateStrategy 'RollingUpdate'"))
  else if (type !== 'OnDelete' && type !== 'RollingUpdate')
    errors.push(invalid(path, updateStrategy, "must be 'RollingUpdate' or 'OnDelete'"))
  errors.push(...nonNegative(`${path}.rollingUpdate.partition`, rollingUpdate?.partition))
  if (old !== undefined && !sameMeaning(fixedPart(spec), fixedPart(old.spec)))
    errors.push(
      forbidden(
        'spec',
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
      ),
    )
  return errors
}

/** The volumes that pods have without the template's naming them. */
function claimNames({ volumeClaimTemplates = [] }: StatefulSet['spec']): string[] {
  return volumeClaimTemplates.map(({ metadata }) => metadata.name)
}

/** What an update of a StatefulSet must leave as it is. */
function fixedPart(spec: StatefulSet['spec']): unknown {
  const { replicas, ordinals, template, updateStrategy, revisionHistoryLimit, minReadySeconds, ...rest } = spec
  const { persistentVolumeClaimRetentionPolicy: _policy, ...fixed } = rest as Record<string, unknown>
  return fixed
}

/** Selector and template of a set whose pods always restart. */
function validateTemplated(
  { selector, template }: Templated,
  noun: string,
  volumes: readonly string[] = [],
): FieldError[] {
  const errors: FieldError[] = []
  if (selector === undefined) errors.push(required('spec.selector'))
  else {
    errors.push(...validateSelector(selector, 'spec.selector'))
    if (isEmptySelector(selector))
      errors.push(invalid('spec.selector', selector, `empty selector is invalid for ${noun}`))
  }
  if (template === undefined) return [...errors, required('spec.template')]
  errors.push(...validateTemplate(template, selector, volumes))
  const policy = template.spec?.restartPolicy
  if (policy !== undefined && policy !== 'Always')
    errors.push(notSupported('spec.template.spec.restartPolicy', policy, ['Always']))
  return errors
}

/** A pod template whose labels must match the selector of its set; `volumes` are there besides its own. */
export function validateTemplate(
  template: PodTemplate,
  selector: LabelSelector | undefined,
  volumes: readonly string[] = [],
): FieldError[] {
  const path = 'spec.template'
  const { labels = {}, annotations } = template.metadata ?? {}
  const errors: FieldError[] = []
  if (selector !== undefined && !isEmptySelector(selector) && !selects(selector, labels))
    errors.push(invalid(`${path}.metadata.labels`, labels, '`selector` does not match template `labels`'))
  errors.push(...validateLabels(labels, `${path}.labels`), ...validateAnnotations(annotations, `${path}.annotations`))
  return [...errors, ...validatePodSpec(template.spec ?? { containers: [] }, `${path}.spec`, volumes)]
}

function validateFixedSelector(spec: Templated, old: Templated | undefined): FieldError[] {
  if (old === undefined || sameMeaning(spec.selector, old.selector)) return []
  return [immutable('spec.selector', spec.selector)]
}

type Strategy = NonNullable<Deployment['spec']['strategy']>

function validateStrategy(strategy: Strategy | undefined): FieldError[] {
  const path = 'spec.strategy'
  const { type, rollingUpdate } = strategy ?? {}
  if (type === 'Recreate')
    return rollingUpdate === undefined
      ? []
      : [forbidden(`${path}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'")]
  if (type !== 'RollingUpdate') return [notSupported(path, strategy, ['Recreate', 'RollingUpdate'])]
  if (rollingUpdate === undefined)
    return [required(`${path}.rollingUpdate`, 'this should be defaulted and never be nil')]
  const { maxSurge = 0, maxUnavailable = 0 } = rollingUpdate
  const errors = [
    ...validateShare(maxUnavailable, `${path}.rollingUpdate.maxUnavailable`),
    ...validateShare(maxSurge, `${path}.rollingUpdate.maxSurge`),
  ]
  if (share(maxUnavailable) === 0 && share(maxSurge) === 0)
    errors.push(invalid(`${path}.rollingUpdate.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0'))
  if (typeof maxUnavailable === 'string' && share(maxUnavailable) > 100)
    errors.push(invalid(`${path}.rollingUpdate.maxUnavailable`, maxUnavailable, 'must not be greater than 100%'))
  return errors
}

function validateDaemonSetSurge(
  { maxUnavailable = 0, maxSurge = 0 }: { maxUnavailable?: number | string; maxSurge?: number | string },
  path: string,
): FieldError[] {
  const errors = [
    ...validateShare(maxUnavailable, `${path}.maxUnavailable`),
    ...validateShare(maxSurge, `${path}.maxSurge`),
  ]
  const both = share(maxUnavailable) > 0 && share(maxSurge) > 0
  if (both) errors.push(invalid(`${path}.maxSurge`, maxSurge, 'may not be set when maxUnavailable is non-zero'))
  if (share(maxUnavailable) === 0 && share(maxSurge) === 0)
    errors.push(required(`${path}.maxUnavailable`, 'cannot be 0 when maxSurge is 0'))
  return errors
}

function share(value: number | string): number {
  return typeof value === 'number' ? value : Number.parseInt(value, 10)
}

function validateShare(value: number | string, field: string): FieldError[] {
  if (typeof value === 'number') return nonNegative(field, value)
  if (/^[0-9]+%$/.test(value)) return []
  return [
    invalid(
      field,
      value,
      "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
    ),
  ]
}
