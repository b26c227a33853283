import { matches } from '../cluster/index.ts'
import type { AdmissionRule, KubeObject, LabelSelector, MatchResources } from '../objects/index.ts'
import type { Attributes, Target } from './attributes.ts'

const group = 'admissionregistration.k8s.io'

/** What decides about writes is itself written without being asked: a mistake in it could not be mended otherwise. */
export function isExempt(target: Target): boolean {
  return target.group === group
}

/**
 * The version under which rules match a write: its own, or with the policy `Equivalent` another one of the same resource;
 * undefined when none matches.
 */
export function matchedVersion(
  rules: readonly AdmissionRule[] | undefined,
  policy: string | undefined,
  target: Target,
): string | undefined {
  const others = policy === 'Exact' ? [] : target.versions.filter((version) => version !== target.version)
  return [target.version, ...others].find((version) => (rules ?? []).some((rule) => ruleMatches(rule, target, version)))
}

function ruleMatches(rule: AdmissionRule, target: Target, version: string): boolean {
  const { operations, apiGroups, apiVersions, resources = [], scope = '*' } = rule
  if (!includes(operations, target.operation) || !includes(apiGroups, target.group)) return false
  if (!includes(apiVersions, version)) return false
  if (scope !== '*' && (scope === 'Namespaced') !== target.namespaced) return false
  return resources.some((item) => {
    const [resource = '', subresource = ''] = item.split('/')
    return (
      (resource === '*' || resource === target.resource) && (subresource === '*' || subresource === target.subresource)
    )
  })
}

function includes(list: readonly string[] | undefined, value: string): boolean {
  return list?.some((item) => item === '*' || item === value) ?? false
}

/** What is known of namespaces: the stored Namespace of that name, if any. */
export type FindNamespace = (name: string) => KubeObject | undefined

/** Whether a write is in a selected namespace: that of its object, or for a Namespace the object itself; other cluster-scoped objects always are. */
export function namespaceSelected(
  selector: LabelSelector | undefined,
  { target, namespace, object, oldObject }: Attributes,
  find: FindNamespace,
): boolean {
  if (selector === undefined || isEmpty(selector)) return true
  const self = target.group === '' && target.resource === 'namespaces'
  if (!target.namespaced && !self) return true
  const subject = self && target.subresource === '' ? (object ?? oldObject) : find(namespace)
  return matches(selector, subject?.metadata.labels ?? {})
}

/** Whether the labels of the new or of the old object are selected. */
export function objectSelected(selector: LabelSelector | undefined, { object, oldObject }: Attributes): boolean {
  if (selector === undefined || isEmpty(selector)) return true
  return [object, oldObject].some(
    (item) => item?.metadata !== undefined && matches(selector, item.metadata.labels ?? {}),
  )
}

function isEmpty({ matchLabels, matchExpressions }: LabelSelector): boolean {
  return Object.keys(matchLabels ?? {}).length === 0 && (matchExpressions ?? []).length === 0
}

/** The version under which a policy's or binding's resources include a write; no rules at all include everything. */
export function resourcesMatch(
  match: MatchResources | undefined,
  attributes: Attributes,
  find: FindNamespace,
): string | undefined {
  const { target } = attributes
  if (match === undefined) return target.version
  if (!namespaceSelected(match.namespaceSelector, attributes, find)) return undefined
  if (!objectSelected(match.objectSelector, attributes)) return undefined
  const named = (rules: readonly AdmissionRule[] | undefined) =>
    (rules ?? []).filter(({ resourceNames: names }) => !names?.length || names.includes(attributes.name))
  if (matchedVersion(named(match.excludeResourceRules), match.matchPolicy, target) !== undefined) return undefined
  if (!match.resourceRules?.length) return target.version
  return matchedVersion(named(match.resourceRules), match.matchPolicy, target)
}
