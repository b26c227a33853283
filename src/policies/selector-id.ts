import type { LabelSelector } from '../objects/index.ts'
import type { PodsPeer } from './model.ts'

const operators: ReadonlySet<string> = new Set(['In', 'NotIn', 'Exists', 'DoesNotExist'])

/** Whether every requirement is one that Kubernetes knows. */
export function isReadable({ matchExpressions }: LabelSelector): boolean {
  return (matchExpressions ?? []).every(({ operator }) => operators.has(operator))
}

/** Canonical text: selectors with equal texts select alike, whatever the order of their parts. */
export function selectorId({ matchLabels, matchExpressions }: LabelSelector): string {
  const parts = Object.entries(matchLabels ?? {}).map(([key, value]) => `${key}=${value}`)
  for (const { key, operator, values } of matchExpressions ?? []) {
    parts.push(`${key} ${operator} ${[...(values ?? [])].sort().join('|')}`.trimEnd())
  }
  return parts.length < 2 ? (parts[0] ?? '') : parts.sort().join(',')
}

/** A selector in words, for explanations. */
export function sayLabels(selector: LabelSelector): string {
  const text = selectorId(selector)
  return text === '' ? 'all' : text
}

/** A peer in words. */
export function sayPeer({ namespaces, pods }: PodsPeer): string {
  const where = namespaces.kind === 'one' ? namespaces.namespace : `namespaces ${sayLabels(namespaces.selector)}`
  return `pods ${sayLabels(pods)} in ${where}`
}
