import { cleanupFinalizer, type Definition, definitions } from '../customresources/index.ts'
import type { Core } from './core.ts'
import { definitionOutline } from './definition-outline.ts'
import { deleteObject } from './deletion.ts'
import { collectionOf, type Scope } from './scope.ts'
import { systemUser } from './seed.ts'
import type { Transaction } from './store.ts'
import { copyOf } from './value.ts'
import { replaceState } from './write.ts'

/** Deletes the objects of definitions that are being deleted, and lets a definition go once they are gone. Runs for the life of the store. */
export function startCleanup(core: Core): void {
  const waiting = new Map<string, () => void>()
  const visit = (name: string) => {
    const entry = core.store.collection(definitions).find(name)
    const definition = entry && definitionOutline(entry)
    const going = definition?.metadata.deletionTimestamp !== undefined
    if (definition === undefined || !going || !definition.metadata.finalizers?.includes(cleanupFinalizer)) {
      waiting.get(name)?.()
      waiting.delete(name)
      return
    }
    if (!waiting.has(name)) {
      // What finalizers hold is deleted when it goes; each change of the collection asks again.
      const { group, names } = definition.spec
      waiting.set(
        name,
        core.store.subscribe(collectionOf({ group, plural: names.plural }), () => visit(name)),
      )
    }
    core.store.write((transaction) => clean(core, name, transaction)).catch((error) => console.error(error))
  }
  core.store.subscribe(definitions, (events) => {
    for (const { entry } of events) visit(entry.key)
  })
  for (const { key } of core.store.collection(definitions).range('')) visit(key)
}

function clean(core: Core, name: string, transaction: Transaction): void {
  const current = transaction.find(definitions, name)
  const definition = current?.value as Definition | undefined
  if (current === undefined || definition?.metadata.deletionTimestamp === undefined) return
  const { group, names, scope, versions } = definition.spec
  const kind = versions.map((version) => core.registry.find(group, version.name, names.plural)).find((item) => item)
  const collection = collectionOf({ group, plural: names.plural })
  if (kind !== undefined) {
    for (const { value } of [...transaction.range(collection, '')]) {
      if (value.metadata.deletionTimestamp !== undefined) continue
      const namespace = scope === 'Namespaced' ? value.metadata.namespace : undefined
      const one: Scope = {
        kind,
        collection,
        namespace,
        name: value.metadata.name,
        subresource: undefined,
        user: systemUser,
      }
      deleteObject(one, background, core.allocator, transaction)
    }
    if (!transaction.range(collection, '').next().done) return
  }
  const object = copyOf(definition)
  object.metadata.finalizers = object.metadata.finalizers?.filter((item) => item !== cleanupFinalizer)
  const definitionKind = core.registry.find('apiextensions.k8s.io', 'v1', 'customresourcedefinitions')!
  const self = {
    kind: definitionKind,
    collection: definitions,
    namespace: undefined,
    name,
    subresource: undefined,
    user: systemUser,
  }
  replaceState(self, current, object, core.allocator, transaction)
}

const background = { gracePeriodSeconds: 0, propagationPolicy: undefined, preconditions: {}, dryRun: false } as const
