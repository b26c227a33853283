import { errors, warningsOf } from '../objects/index.ts'
import { type Form, negotiate } from './accept.ts'
import { admitted, type Gate } from './admission-gate.ts'
import { writtenBy } from './admission-request.ts'
import { type Answer, statusAnswer } from './answer.ts'
import { applyConfiguration, readConfiguration } from './apply.ts'
import { mediaType, parseBody } from './body.ts'
import type { Call, Core } from './core.ts'
import { decodeObject, fieldValidationOf } from './decode.ts'
import { type DeleteOptions, deleteObject, dryRunOf, parseDeleteOptions } from './deletion.ts'
import type { Entry } from './entry.ts'
import { trackWrites } from './field-manager.ts'
import { listPage, renderPage, revisionOf } from './list.ts'
import { applyPatch, readPatch } from './patch.ts'
import { Refusal } from './refusal.ts'
import { keyOf, type Scope } from './scope.ts'
import { parseSelector } from './selector.ts'
import type { Transaction } from './store.ts'
import { includeObjectOf, renderObject } from './table.ts'
import { asStored, entryAs, storedScope } from './version-view.ts'
import { createObject, updateObject, type Written } from './write.ts'

/** An object in the form that the client accepts. */
export async function objectAnswer(scope: Scope, call: Call, entry: Entry, code: number): Promise<Answer> {
  const form = negotiate(call.headers.accept)
  return inForm(form, renderObject(scope.kind, entry, form, includeObjectOf(call.query)), code)
}

async function inForm(form: Form, body: Buffer | string, code: number): Promise<Answer> {
  if (form.kind !== 'yaml') return { code, type: typeOf(form), body }
  const { stringify } = await import('yaml')
  return { code, type: 'application/yaml', body: stringify(JSON.parse(body.toString())) }
}

function typeOf(form: Form): string {
  if (form.kind === 'table') return `application/json;as=Table;g=meta.k8s.io;v=${form.version}`
  return 'application/json'
}

/** GET of one object; the resourceVersion may not lie in the future. */
export async function getObject(core: Core, scope: Scope, call: Call): Promise<Answer> {
  const asked = revisionOf(call.query.get('resourceVersion') ?? '')
  if (asked > core.store.revision) throw new Refusal(errors.resourceVersionTooLarge(asked, core.store.revision))
  return objectAnswer(scope, call, getEntry(core, scope), 200)
}

/** The stored object of a scope; 404 when there is none. */
export function getEntry(core: Core, scope: Scope): Entry {
  const entry = core.store.collection(scope.collection).find(keyOf(scope.namespace, scope.name!))
  if (entry === undefined) throw new Refusal(errors.notFound(scope.kind, scope.name!))
  return entry
}

/** GET of a collection. */
export async function listObjects(core: Core, scope: Scope, call: Call): Promise<Answer> {
  const { query } = call
  const form = negotiate(call.headers.accept)
  const selector = parseSelector(scope.kind, query.get('labelSelector'), query.get('fieldSelector'))
  const page = listPage(core.store, scope, selector, query)
  return inForm(form, renderPage(scope.kind, page, form, includeObjectOf(query)), 200)
}

/** POST of a new object. */
export async function postObject(core: Core, scope: Scope, call: Call): Promise<Answer> {
  const value = await parseBody(await call.body(), call.headers['content-type'])
  const object = asStored(scope.kind, decodeObject(scope.kind, value, fieldValidationOf(call.query), call.warn))
  const dryRun = dryRunOf(call.query.getAll('dryRun'))
  const stored = storedScope(scope)
  const track = trackWrites(stored, call)
  const written = await admitted(core, writtenBy(stored, call, dryRun), (transaction, gate) =>
    createObject(stored, object, core.allocator, transaction, track, gate),
  )
  return writtenAnswer(scope, call, written.entry, 201)
}

/** PUT of a whole object or of its status. */
export async function putObject(core: Core, scope: Scope, call: Call): Promise<Answer> {
  const value = await parseBody(await call.body(), call.headers['content-type'])
  const object = decodeObject(scope.kind, value, fieldValidationOf(call.query), call.warn)
  return answerWrite(core, scope, call, () => object)
}

/** PATCH of an object or of its status. */
export async function patchObject(core: Core, scope: Scope, call: Call): Promise<Answer> {
  if (mediaType(call.headers['content-type']) === applyPatch) return applyObject(core, scope, call)
  const patch = await readPatch(scope.kind, await call.body(), call.headers['content-type'])
  const validation = fieldValidationOf(call.query)
  return answerWrite(core, scope, call, (current) =>
    decodeObject(
      scope.kind,
      patch.apply(JSON.parse(entryAs(scope.kind, current).json.toString())),
      validation,
      call.warn,
      patch.text,
    ),
  )
}

async function answerWrite(core: Core, scope: Scope, call: Call, change: Parameters<typeof updateObject>[1]) {
  const dryRun = dryRunOf(call.query.getAll('dryRun'))
  const stored = storedScope(scope)
  const track = trackWrites(stored, call)
  const changeStored = (current: Entry) => asStored(scope.kind, change(current))
  const { entry } = await admitted(core, writtenBy(stored, call, dryRun), (transaction, gate) =>
    updateObject(stored, changeStored, core.allocator, transaction, track, gate),
  )
  return writtenAnswer(scope, call, entry, 200)
}

async function applyObject(core: Core, scope: Scope, call: Call): Promise<Answer> {
  const { applied, ...options } = await readConfiguration(scope, call)
  const configuration = { ...options, applied: asStored(scope.kind, applied) }
  const stored = storedScope(scope)
  const written = writtenBy(stored, call, dryRunOf(call.query.getAll('dryRun')))
  const { entry, created } = await admitted(core, written, (transaction, gate) =>
    applyConfiguration(stored, configuration, core.allocator, transaction, gate),
  )
  return writtenAnswer(scope, call, entry, created ? 201 : 200)
}

/** A written object, with what there is to say about it. */
function writtenAnswer(scope: Scope, call: Call, entry: Entry, code: number): Promise<Answer> {
  if (scope.subresource === undefined) for (const text of warningsOf(scope.kind, entry.value)) call.warn(text)
  return objectAnswer(scope, call, entry, code)
}

/** DELETE of one object: a Status when it is gone, the object while something holds it. */
export async function removeOne(core: Core, scope: Scope, call: Call): Promise<Answer> {
  const { options, value } = await readDeleteOptions(call)
  const { entry, removed } = await admitted(
    core,
    writtenBy(storedScope(scope), call, options.dryRun, value),
    (transaction, gate) => deleteObject(storedScope(scope), options, core.allocator, transaction, gate),
  )
  if (!removed) return objectAnswer(scope, call, entry, 200)
  return statusAnswer(errors.deleted(scope.kind, scope.name!, entry.value.metadata.uid ?? ''))
}

/** DELETE of a collection: every object that the selectors match, in one step where no admission is asked; answers their list. */
export async function removeCollection(core: Core, scope: Scope, call: Call): Promise<Answer> {
  const { options, value } = await readDeleteOptions(call)
  const { query } = call
  const selector = parseSelector(scope.kind, query.get('labelSelector'), query.get('fieldSelector'))
  const prefix = scope.namespace === undefined ? '' : `${scope.namespace}/`
  const matching = (entries: Iterable<Entry>) =>
    [...entries]
      .filter((entry) => selector.matches(entry.value))
      .map((entry) => scopeOfEntry(storedScope(scope), entry))
  let written: Written[]
  if (core.plans.idle) {
    written = await core.store.write(
      (transaction) =>
        matching(transaction.range(scope.collection, prefix)).map((one) =>
          deleteObject(one, options, core.allocator, transaction),
        ),
      options.dryRun,
    )
  } else {
    written = []
    for (const one of matching(core.store.collection(scope.collection).range(prefix)))
      written.push(...(await removeAdmitted(core, one, call, options, value)))
  }
  const entries = written.map(({ entry }) => entry)
  const page = { entries, revision: core.store.revision, next: undefined, remaining: undefined }
  return inForm({ kind: 'json' }, renderPage(scope.kind, page, { kind: 'json' }, 'Metadata'), 200)
}

function scopeOfEntry(scope: Scope, { value }: Entry): Scope {
  const { name, namespace } = value.metadata
  return { ...scope, name, namespace: scope.kind.namespaced ? namespace : undefined }
}

/** Deletes one object of a collection under admission; nothing when it is gone already. */
async function removeAdmitted(
  core: Core,
  one: Scope,
  call: Call,
  options: DeleteOptions,
  value: unknown,
): Promise<Written[]> {
  try {
    const work = (transaction: Transaction, gate: Gate | undefined) =>
      deleteObject(one, options, core.allocator, transaction, gate)
    return [await admitted(core, writtenBy(one, call, options.dryRun, value), work)]
  } catch (error) {
    if (error instanceof Refusal && error.status.code === 404) return []
    throw error
  }
}

async function readDeleteOptions(call: Call): Promise<{ readonly options: DeleteOptions; readonly value: unknown }> {
  const body = await call.body()
  const type = mediaType(call.headers['content-type'])
  // Go's clients may send an empty body under a protobuf type.
  const value = body.length === 0 ? undefined : await parseBody(body, type)
  return { options: parseDeleteOptions(value, call.query), value }
}
