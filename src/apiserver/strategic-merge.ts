import { errors, type Shape, structType } from '../objects/index.ts'
import { Refusal } from './refusal.ts'
import { isRecord, type JsonRecord } from './value.ts'

const setOrder = '$setElementOrder/'
const deletePrimitives = '$deleteFromPrimitiveList/'

/** What the schema says about one field: how its list merges, and the shape of what is in it. */
interface Field {
  readonly shape: Shape | undefined
  readonly merges: boolean
  readonly mergeKey: string | undefined
}

/** Applies a strategic merge patch; `target` may be changed and shared. 400 when the patch's directives make no sense. */
export function applyStrategicMergePatch(target: unknown, patch: unknown, shape: Shape): unknown {
  if (!isRecord(patch)) throw refuse('the patch is not an object')
  return mergeRecord(isRecord(target) ? target : {}, patch, shape)
}

function mergeRecord(target: JsonRecord, patch: JsonRecord, shape: Shape | undefined): JsonRecord {
  if (Object.hasOwn(patch, '$patch')) {
    const { $patch: directive, ...rest } = patch
    if (directive === 'delete') return {}
    if (directive === 'replace') return withoutDirectives(rest) as JsonRecord
    if (directive !== 'merge') throw refuse(`unknown patch type found: ${String(directive)}`)
  }
  retainKeys(target, patch)
  const names = new Set(Object.keys(patch).map(fieldName))
  names.delete('')
  for (const name of names) {
    const merged = mergeField(target[name], name, patch, fieldOf(shape, name))
    if (merged === undefined) delete target[name]
    else target[name] = merged
  }
  return target
}

/** The field that a key of a patch is about; empty for directives about the object itself. */
function fieldName(key: string): string {
  if (key.startsWith(setOrder)) return key.slice(setOrder.length)
  if (key.startsWith(deletePrimitives)) return key.slice(deletePrimitives.length)
  return key === '$patch' || key === '$retainKeys' ? '' : key
}

function mergeField(current: unknown, name: string, patch: JsonRecord, field: Field): unknown {
  let value = current
  const removed = patch[deletePrimitives + name]
  if (removed !== undefined) {
    const gone = new Set(listOf(removed, deletePrimitives + name).map(String))
    if (Array.isArray(value)) value = value.filter((item) => !gone.has(String(item)))
  }
  if (Object.hasOwn(patch, name)) {
    const change = patch[name]
    if (change === null) return undefined
    value = mergeValue(value, change, field)
  }
  const order = patch[setOrder + name]
  if (order === undefined || !Array.isArray(value) || !field.merges) return value
  return sortByOrder(value, listOf(order, setOrder + name), Array.isArray(current) ? current : [], field.mergeKey)
}

function mergeValue(current: unknown, change: unknown, field: Field): unknown {
  if (isRecord(change)) return mergeRecord(isRecord(current) ? current : {}, change, field.shape)
  if (!Array.isArray(change)) return change
  if (!field.merges) return withoutDirectives(change)
  const list = Array.isArray(current) ? current : []
  if (field.mergeKey === undefined) return unique([...list, ...change])
  return mergeList(list, change, field.mergeKey, itemShape(field.shape))
}

function mergeList(current: unknown[], changes: unknown[], mergeKey: string, shape: Shape | undefined): unknown[] {
  const items = changes.map((change) => {
    if (isRecord(change)) return change
    throw refuse(`an item of a list that is merged by "${mergeKey}" is not an object`)
  })
  // Taken as it is: kubelets replace a Node's addresses so, of which two may have the type that is their merge key.
  if (items.some((item) => item.$patch === 'replace' && keyOf(item, mergeKey) === undefined))
    return withoutDirectives(items) as unknown[]
  let result = [...current]
  for (const item of items) {
    const key = keyOf(item, mergeKey)
    if (key === undefined) throw refuse(`map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`)
    const matches = (other: unknown) => isRecord(other) && keyOf(other, mergeKey) === key
    if (item.$patch === 'delete') result = result.filter((other) => !matches(other))
    else {
      const at = result.findIndex(matches)
      const merged = mergeRecord(at < 0 ? {} : (result[at] as JsonRecord), item, shape)
      if (at < 0) result.push(merged)
      else result[at] = merged
    }
  }
  return result
}

/**
 * Items named by `$setElementOrder` stand in its order; the server's other items keep theirs and go in front of the first
 * named item that followed them on the server.
 */
function sortByOrder(list: unknown[], order: unknown[], server: unknown[], mergeKey: string | undefined): unknown[] {
  const identity = (item: unknown) => (mergeKey === undefined || !isRecord(item) ? String(item) : keyOf(item, mergeKey))
  const wanted = new Map(order.map((item, index) => [identity(item), index]))
  const before = new Map(server.map((item, index) => [identity(item), index]))
  const place = (item: unknown) => wanted.get(identity(item))
  const named = list.filter((item) => place(item) !== undefined).sort((a, b) => place(a)! - place(b)!)
  const others = list.filter((item) => place(item) === undefined)
  const result: unknown[] = []
  for (const item of named) {
    const index = before.get(identity(item))
    while (others.length > 0 && index !== undefined) {
      const other = before.get(identity(others[0]))
      if (other === undefined || other >= index) break
      result.push(others.shift())
    }
    result.push(item)
  }
  return [...result, ...others]
}

function retainKeys(target: JsonRecord, patch: JsonRecord): void {
  if (!Object.hasOwn(patch, '$retainKeys')) return
  const kept = new Set(listOf(patch.$retainKeys, '$retainKeys'))
  for (const key of Object.keys(target)) if (!kept.has(key)) delete target[key]
}

function fieldOf(shape: Shape | undefined, name: string): Field {
  if (shape?.kind === 'map') return { shape: shape.values, merges: false, mergeKey: undefined }
  if (shape?.kind !== 'struct') return { shape: undefined, merges: false, mergeKey: undefined }
  const property = structType(shape.type).properties.get(name)
  return {
    shape: property?.shape,
    merges: property?.patchStrategy?.includes('merge') ?? false,
    mergeKey: property?.patchMergeKey,
  }
}

function itemShape(shape: Shape | undefined): Shape | undefined {
  return shape?.kind === 'list' ? shape.items : undefined
}

function keyOf(item: JsonRecord, mergeKey: string): string | undefined {
  const value = Object.hasOwn(item, mergeKey) ? item[mergeKey] : undefined
  return value === undefined || value === null ? undefined : String(value)
}

function unique(list: unknown[]): unknown[] {
  return [...new Map(list.map((item) => [JSON.stringify(item), item])).values()]
}

function listOf(value: unknown, directive: string): unknown[] {
  if (Array.isArray(value)) return value
  throw refuse(`${directive} is not a list`)
}

/** The value as it is stored when nothing was there before: directives and nulls are instructions, not content. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.filter((item) => !(isRecord(item) && Object.hasOwn(item, '$patch'))).map(withoutDirectives)
  }
  if (!isRecord(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, item]) => !key.startsWith('$') && item !== null)
      .map(([key, item]) => [key, withoutDirectives(item)]),
  )
}

function refuse(message: string): Refusal {
  return new Refusal(errors.badRequest(`invalid strategic merge patch: ${message}`))
}
