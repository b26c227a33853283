import type { LabelSelector, PodTemplate } from './types.ts'

/** Labels as `a=b,c=d`, sorted, or `<none>`. */
export function renderLabels(labels: Readonly<Record<string, string>> | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`)
  return pairs.length === 0 ? '<none>' : pairs.sort().join(',')
}

/** A label selector as kubectl writes it: `a=b,c in (d,e),!f`, or `<none>`. */
export function renderSelector(selector: LabelSelector | undefined): string {
  const terms = Object.entries(selector?.matchLabels ?? {}).map(
    ([key, value]) => [key, `${key}=${value}`] as [key: string, term: string],
  )
  for (const { key, operator, values = [] } of selector?.matchExpressions ?? []) {
    const list = [...values].sort().join(',')
    const word = { In: `${key} in (${list})`, NotIn: `${key} notin (${list})`, Exists: key, DoesNotExist: `!${key}` }
    terms.push([key, word[operator]])
  }
  const sorted = terms.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return sorted.length === 0 ? '<none>' : sorted.map(([, term]) => term).join(',')
}

/** At most three items, and how many more there are. */
export function renderSome(items: readonly string[], none: string): string {
  if (items.length === 0) return none
  const shown = items.slice(0, 3).join(',')
  return items.length > 3 ? `${shown} + ${items.length - 3} more...` : shown
}

/** The containers of a template, by name. */
export function containerNames(template: PodTemplate | undefined): string {
  return (template?.spec?.containers ?? []).map((container) => container.name).join(',')
}

/** The containers' images. */
export function containerImages(template: PodTemplate | undefined): string {
  return (template?.spec?.containers ?? []).map((container) => container.image ?? '').join(',')
}

/** The addresses or names that a load balancer answers at, sorted, without repeats. */
export function balancerAddresses(status: { ingress?: { ip?: string; hostname?: string }[] } | undefined): string[] {
  const all = (status?.ingress ?? []).map(({ ip, hostname }) => ip || hostname || '').filter((item) => item !== '')
  return [...new Set(all)].sort()
}
