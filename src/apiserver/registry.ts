import { apiVersionOf, findKind, type Kind, kinds } from '../objects/index.ts'

/** A resource that only takes POST and stores nothing. */
export interface ReviewKind {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
}

/** The reviews that are answered. */
export const reviewKinds: readonly ReviewKind[] = [
  { group: 'authentication.k8s.io', version: 'v1', kind: 'SelfSubjectReview', plural: 'selfsubjectreviews' },
  { group: 'authorization.k8s.io', version: 'v1', kind: 'SelfSubjectAccessReview', plural: 'selfsubjectaccessreviews' },
  { group: 'authorization.k8s.io', version: 'v1', kind: 'SelfSubjectRulesReview', plural: 'selfsubjectrulesreviews' },
]

/** One served group with its versions, the preferred first. */
export interface Group {
  readonly name: string
  readonly versions: readonly string[]
}

/** All kinds that are served now. The one place that has to learn of custom kinds. */
export interface Registry {
  find(group: string, version: string, plural: string): Kind | undefined
  /** The kinds of one group and version. */
  kindsOf(group: string, version: string): readonly Kind[]
  reviewsOf(group: string, version: string): readonly ReviewKind[]
  /** The core group first. */
  groups(): readonly Group[]
}

/** The registry of the built-in kinds. */
export function builtinRegistry(): Registry {
  const groups = new Map<string, Set<string>>([['', new Set(['v1'])]])
  for (const { group, version } of [...kinds, ...reviewKinds]) {
    groups.set(group, (groups.get(group) ?? new Set()).add(version))
  }
  return {
    find: findKind,
    kindsOf: (group, version) => kinds.filter((kind) => kind.group === group && kind.version === version),
    reviewsOf: (group, version) => reviewKinds.filter((kind) => kind.group === group && kind.version === version),
    groups: () => [...groups].map(([name, versions]) => ({ name, versions: [...versions] })),
  }
}

/** Whether anything is served under this group and version. */
export function serves(registry: Registry, group: string, version: string): boolean {
  return registry.groups().some((item) => item.name === group && item.versions.includes(version))
}

/** `v1` or `apps/v1` of every served group version. */
export function groupVersions(registry: Registry): readonly string[] {
  return registry
    .groups()
    .flatMap(({ name, versions }) => versions.map((version) => apiVersionOf({ group: name, version })))
}
