type Json = unknown
type JsonObject = Record<string, Json>

/** The fields by which Kubernetes tells the items of a list apart, most telling first (OpenAPI x-kubernetes-list-map-keys). */
const itemKeys = [
  ['containerPort', 'protocol'],
  ['mountPath'],
  ['devicePath'],
  ['uid'],
  ['ip'],
  ['name'],
  ['port', 'protocol'],
  ['key'],
  ['type'],
]

/**
 * The merge patch (RFC 7386) that brings `live` to what `wanted` says: fields of `wanted` that differ, and null for what
 * `last` (the manifest applied before) had and `wanted` has no more. Fields that only the server set stay. Undefined when
 * there is nothing to do.
 */
export function threeWayPatch(last: JsonObject, wanted: JsonObject, live: JsonObject): JsonObject | undefined {
  const patch: JsonObject = {}
  for (const [key, value] of Object.entries(wanted)) {
    if (value === null || value === undefined) {
      if (key in live) patch[key] = null
      continue
    }
    const change = difference(last[key], value, live[key])
    if (change !== undefined) patch[key] = change
  }
  for (const key of Object.keys(last)) if (!(key in wanted) && key in live) patch[key] = null
  return Object.keys(patch).length === 0 ? undefined : patch
}

function difference(last: Json, wanted: Json, live: Json): Json {
  if (isObject(wanted)) {
    if (!isObject(live)) return wanted
    return threeWayPatch(isObject(last) ? last : {}, wanted, live)
  }
  if (Array.isArray(wanted)) return listDifference(Array.isArray(last) ? last : [], wanted, live)
  return wanted === live ? undefined : wanted
}

/** A merge patch replaces lists whole, so each item carries along what the server had set in its counterpart. */
function listDifference(last: Json[], wanted: Json[], live: Json): Json {
  if (!Array.isArray(live)) return wanted
  const merged = wanted.map((item, index) => {
    if (!isObject(item)) return item
    const counterpart = findItem(live, item, index)
    if (counterpart === undefined) return item
    const patch = threeWayPatch(findItem(last, item, index) ?? {}, item, counterpart)
    return patch === undefined ? counterpart : applyMergePatch(counterpart, patch)
  })
  return isEqual(merged, live) ? undefined : merged
}

function findItem(list: Json[], item: JsonObject, index: number): JsonObject | undefined {
  const keys = itemKeys.find(([first]) => first !== undefined && item[first] !== undefined)
  if (keys === undefined) return isObject(list[index]) ? list[index] : undefined
  const withDefault = (object: JsonObject, key: string) => object[key] ?? (key === 'protocol' ? 'TCP' : undefined)
  return list.filter(isObject).find((other) => keys.every((key) => withDefault(other, key) === withDefault(item, key)))
}

/** The value after a merge patch (RFC 7386). Neither argument is changed. */
export function applyMergePatch(value: Json, patch: Json): Json {
  if (!isObject(patch)) return patch
  const result: JsonObject = isObject(value) ? { ...value } : {}
  for (const [key, change] of Object.entries(patch)) {
    if (change === null) delete result[key]
    else result[key] = applyMergePatch(result[key], change)
  }
  return result
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isEqual(a: Json, b: Json): boolean {
  if (a === b) return true
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, i) => isEqual(item, b[i]))
  if (!isObject(a) || !isObject(b)) return false
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => key in b && isEqual(a[key], b[key]))
}
