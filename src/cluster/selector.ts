import type { LabelSelector } from '../objects/index.ts'

/** Labels of an object. */
export type Labels = Readonly<Record<string, string>>

/** The map form, as in a Service's `spec.selector`: every pair must be there. */
export type MapSelector = Readonly<Record<string, string>>

/**
 * Whether a selector selects an object with these labels. An absent selector selects nothing, an empty one everything
 * (apimachinery `LabelSelectorAsSelector`). A map is told from a LabelSelector by its values, which are strings.
 */
export function matches(selector: LabelSelector | MapSelector | undefined, labels: Labels | undefined): boolean {
  if (selector === undefined) return false
  const present = labels ?? {}
  if (!isLabelSelector(selector)) return hasAll(selector, present)
  if (selector.matchLabels !== undefined && !hasAll(selector.matchLabels, present)) return false
  return (selector.matchExpressions ?? []).every((expression) => satisfies(expression, present))
}

function isLabelSelector(selector: LabelSelector | MapSelector): selector is LabelSelector {
  const { matchLabels, matchExpressions } = selector as LabelSelector
  return typeof matchLabels === 'object' || Array.isArray(matchExpressions)
}

function hasAll(wanted: MapSelector, labels: Labels): boolean {
  for (const key of Object.keys(wanted)) if (!Object.hasOwn(labels, key) || labels[key] !== wanted[key]) return false
  return true
}

type LabelExpression = NonNullable<LabelSelector['matchExpressions']>[number]

/** `NotIn` also selects objects that lack the key (apimachinery `Requirement.Matches`). An unknown operator selects nothing. */
function satisfies({ key, operator, values }: LabelExpression, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined
  switch (operator) {
    case 'In':
      return value !== undefined && (values ?? []).includes(value)
    case 'NotIn':
      return value === undefined || !(values ?? []).includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    default:
      operator satisfies never
      return false
  }
}

/** Whether one of several selectors matches; none means all, as in lists of node selectors. */
export function matchesAny(selectors: readonly LabelSelector[] | undefined, labels: Labels | undefined): boolean {
  return selectors === undefined || selectors.length === 0 || selectors.some((selector) => matches(selector, labels))
}
