import {
  type Condition,
  cleanupFinalizer,
  type Definition,
  type DefinitionNames,
  definitions,
} from '../customresources/index.ts'
import type { KubeObject } from '../objects/index.ts'
import { definitionOutline } from './definition-outline.ts'
import type { Scope } from './scope.ts'
import type { Transaction } from './store.ts'
import { copyOf, timestamp } from './value.ts'

/** What the controllers of apiextensions do after a write of a definition, done within the write: names, conditions, versions, finalizer. */
export function admitDefinition(scope: Pick<Scope, 'collection'>, object: KubeObject, transaction: Transaction): void {
  if (scope.collection !== definitions) return
  const definition = object as Definition
  const { metadata, spec } = definition
  const deleting = metadata.deletionTimestamp !== undefined
  if (!deleting && !metadata.finalizers?.includes(cleanupFinalizer))
    metadata.finalizers = [...(metadata.finalizers ?? []), cleanupFinalizer]
  const conflicts = conflictsOf(definition, transaction)
  const accepted = conflicts.length === 0
  const old = definition.status?.conditions ?? []
  const established = accepted || old.some(({ type, status }) => type === 'Established' && status === 'True')
  const names = accepted ? copyOf(spec.names) : (definition.status?.acceptedNames ?? { plural: '', kind: '' })
  const storage = spec.versions.find((version) => version.storage)?.name ?? ''
  definition.status = {
    conditions: mergeConditions(old, [
      accepted
        ? condition('NamesAccepted', true, 'NoConflicts', 'no conflicts found')
        : condition('NamesAccepted', false, conflicts[0]!.reason, conflicts[0]!.message),
      established
        ? condition('Established', true, 'InitialNamesAccepted', 'the initial names have been accepted')
        : condition('Established', false, 'NotAccepted', 'not all names are accepted'),
      ...(deleting
        ? [condition('Terminating', true, 'InstanceDeletionInProgress', 'CustomResource deletion is in progress')]
        : []),
    ]),
    acceptedNames: names,
    storedVersions: [...new Set([...(definition.status?.storedVersions ?? []), storage])],
  }
}

interface Conflict {
  readonly reason: string
  readonly message: string
}

/** Names are unique within a group: what another established definition uses is taken. */
function conflictsOf({ metadata, spec }: Definition, transaction: Transaction): Conflict[] {
  const resources = new Set<string>()
  const kinds = new Set<string>()
  for (const entry of transaction.range(definitions, '')) {
    const other = definitionOutline(entry)
    if (other.metadata.name === metadata.name || other.spec.group !== spec.group) continue
    const names: DefinitionNames | undefined = other.status?.acceptedNames
    if (names === undefined) continue
    for (const name of [names.plural, names.singular, ...(names.shortNames ?? [])]) if (name) resources.add(name)
    for (const name of [names.kind, names.listKind]) if (name) kinds.add(name)
  }
  const { plural, singular, shortNames = [], kind, listKind } = spec.names
  const taken = (reason: string, name: string | undefined, used: ReadonlySet<string>): Conflict[] =>
    name && used.has(name) ? [{ reason, message: `${JSON.stringify(name)} is already in use` }] : []
  return [
    ...taken('PluralConflict', plural, resources),
    ...taken('SingularConflict', singular, resources),
    ...shortNames.flatMap((name) => taken('ShortNamesConflict', name, resources)),
    ...taken('KindConflict', kind, kinds),
    ...taken('ListKindConflict', listKind, kinds),
  ]
}

function condition(type: string, holds: boolean, reason: string, message: string): Condition {
  return { type, status: holds ? 'True' : 'False', reason, message, lastTransitionTime: timestamp() }
}

/** New conditions in the place of old ones; the time stays while the status does. */
function mergeConditions(old: readonly Condition[], current: readonly Condition[]): Condition[] {
  const fresh = current.map((item) => {
    const before = old.find(({ type }) => type === item.type)
    return before?.status === item.status ? { ...item, lastTransitionTime: before.lastTransitionTime } : item
  })
  return [...fresh, ...old.filter(({ type }) => !current.some((item) => item.type === type))]
}
