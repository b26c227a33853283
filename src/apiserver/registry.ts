import { expressionErrors } from '../admission/index.ts'
import {
  type CustomKind,
  customKind,
  type Definition,
  defaultDefinition,
  definitions,
  schemasOf,
  validateDefinition,
} from '../customresources/index.ts'
import { apiVersionOf, findKind, getKind, type Kind, kinds } from '../objects/index.ts'
import { definitionOutline } from './definition-outline.ts'
import type { Entry } from './entry.ts'
import { Lapsing } from './lapsing.ts'
import type { Store } from './store.ts'

/** A resource that only takes POST and stores nothing. */
export interface ReviewKind {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly namespaced?: boolean
}

/** The reviews that are answered. */
export const reviewKinds: readonly ReviewKind[] = [
  { group: 'authentication.k8s.io', version: 'v1', kind: 'SelfSubjectReview', plural: 'selfsubjectreviews' },
  { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenReview', plural: 'tokenreviews' },
  { group: 'authorization.k8s.io', version: 'v1', kind: 'SubjectAccessReview', plural: 'subjectaccessreviews' },
  {
    group: 'authorization.k8s.io',
    version: 'v1',
    kind: 'LocalSubjectAccessReview',
    plural: 'localsubjectaccessreviews',
    namespaced: true,
  },
  { group: 'authorization.k8s.io', version: 'v1', kind: 'SelfSubjectAccessReview', plural: 'selfsubjectaccessreviews' },
  { group: 'authorization.k8s.io', version: 'v1', kind: 'SelfSubjectRulesReview', plural: 'selfsubjectrulesreviews' },
]

/** One served group with its versions, the preferred first. */
export interface Group {
  readonly name: string
  readonly versions: readonly string[]
}

/** All kinds that are served now, built-in and custom. */
export interface Registry {
  find(group: string, version: string, plural: string): Kind | undefined
  /** The kinds of one group and version. */
  kindsOf(group: string, version: string): readonly Kind[]
  reviewsOf(group: string, version: string): readonly ReviewKind[]
  /** The core group first. */
  groups(): readonly Group[]
  /** Changes with the definitions of a group's custom kinds; undefined for a group that has none. */
  stampOf(group: string): string | undefined
  /** Grows when the custom kinds change; what was derived from an earlier one is stale. */
  readonly generation: number
}

/** The definition kind with the rules that only a server needs. */
const definitionKind: Kind = {
  ...getKind('CustomResourceDefinition'),
  applyDefaults(object, old) {
    getKind('CustomResourceDefinition').applyDefaults(object, old)
    defaultDefinition(object)
  },
  validate: (object, old, subresource) => [
    ...getKind('CustomResourceDefinition').validate(object, old, subresource),
    ...validateDefinition(object, old),
  ],
}

/** Kinds with rules that only a server checks: what is written in CEL has to compile. */
const served = new Map<Kind, Kind>([
  [getKind('CustomResourceDefinition'), definitionKind],
  ...['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration', 'ValidatingAdmissionPolicy']
    .map(getKind)
    .map((kind): [Kind, Kind] => [kind, withExpressions(kind)]),
])

function withExpressions(kind: Kind): Kind {
  const validate: Kind['validate'] = (object, old, subresource) => [
    ...kind.validate(object, old, subresource),
    ...expressionErrors(object),
  ]
  return { ...kind, validate }
}

const builtins: readonly Kind[] = kinds.map((kind) => served.get(kind) ?? kind)

interface CustomEntry {
  readonly group: string
  readonly plural: string
  /** Which state of which definition this is. */
  readonly stamp: string
  /** Served versions; their kinds are made at first use, and thrown away with the definition's state. */
  readonly versions: ReadonlyMap<string, () => CustomKind>
}

/** The registry over a store: follows its CustomResourceDefinitions, each change from the moment of its commit. */
export function openRegistry(store: Store): Registry {
  const custom = new Map<string, CustomEntry>()
  let generation = 0
  let groups: readonly Group[] | undefined
  const take = (entry: Entry) => {
    const described = describe(entry)
    if (described === undefined) custom.delete(entry.key)
    else custom.set(entry.key, described)
  }
  for (const entry of store.collection(definitions).range('')) take(entry)
  store.subscribe(definitions, (events) => {
    generation++
    groups = undefined
    for (const { type, entry } of events) {
      if (type === 'DELETED') custom.delete(entry.key)
      else take(entry)
    }
  })
  const customKinds = (group: string, version: string) =>
    [...custom.values()].flatMap((item) => (item.group === group ? (item.versions.get(version)?.() ?? []) : []))
  return {
    find: (group, version, plural) => {
      const builtin = findKind(group, version, plural)
      if (builtin !== undefined) return served.get(builtin) ?? builtin
      const found = custom.get(`${plural}.${group}`)
      return found?.plural === plural ? found.versions.get(version)?.() : undefined
    },
    kindsOf: (group, version) => [
      ...builtins.filter((kind) => kind.group === group && kind.version === version),
      ...customKinds(group, version),
    ],
    reviewsOf: (group, version) => reviewKinds.filter((kind) => kind.group === group && kind.version === version),
    groups: () => {
      groups ??= allGroups(custom.values())
      return groups
    },
    stampOf: (group) => {
      const own = [...custom.values()].filter((item) => item.group === group)
      return own.length === 0 ? undefined : own.map((item) => item.stamp).join()
    },
    get generation() {
      return generation
    },
  }
}

/** What a definition brings while it is established; undefined before that. */
function describe(entry: Entry): CustomEntry | undefined {
  const definition = definitionOutline(entry)
  const { spec, status } = definition
  const established = status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True')
  if (!established) return undefined
  const schemas = new Lapsing(() => schemasOf(entry.decode() as Definition))
  const versions = new Map(
    spec.versions
      .filter((version) => version.served)
      .map((version) => {
        let kind: CustomKind | undefined
        return [
          version.name,
          () => (kind ??= customKind(definition, version, () => schemas.get().get(version.name)!)),
        ] as const
      }),
  )
  const stamp = `${definition.metadata.uid}:${entry.revision}`
  return { group: spec.group, plural: spec.names.plural, stamp, versions }
}

function allGroups(custom: Iterable<CustomEntry>): Group[] {
  const groups = new Map<string, Set<string>>([['', new Set(['v1'])]])
  for (const { group, version } of [...kinds, ...reviewKinds])
    groups.set(group, (groups.get(group) ?? new Set()).add(version))
  for (const { group, versions } of [...custom].sort((a, b) => (a.group < b.group ? -1 : 1))) {
    const known = groups.get(group) ?? new Set()
    for (const version of versions.keys()) known.add(version)
    groups.set(group, known)
  }
  return [...groups].map(([name, versions]) => ({ name, versions: [...versions].sort(byPriority) }))
}

/** Upstream's order of versions: stable before beta before alpha, newer before older, then anything else by name. */
export function byPriority(a: string, b: string): number {
  const [x, y] = [priorityOf(a), priorityOf(b)]
  for (const [index, part] of x.entries()) if (part !== y[index]) return y[index]! - part
  return a < b ? -1 : a > b ? 1 : 0
}

function priorityOf(version: string): [stage: number, major: number, minor: number] {
  const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version)
  if (match === null) return [0, 0, 0]
  const stage = match[2] === undefined ? 3 : match[2] === 'beta' ? 2 : 1
  return [stage, Number(match[1]), Number(match[3] ?? 0)]
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
