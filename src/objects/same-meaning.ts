/** Whether two JSON values mean the same to Kubernetes: as deep equality, but a missing or null list equals an empty one. */
export function sameMeaning(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (isEmpty(a) && isEmpty(b)) return true
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false
    return a.every((item, index) => sameMeaning(item, b[index]))
  }
  if (!isRecord(a) || !isRecord(b)) return false
  for (const key of Object.keys(a)) if (!sameMeaning(a[key], b[key])) return false
  for (const key of Object.keys(b)) if (!(key in a) && !sameMeaning(undefined, b[key])) return false
  return true
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || (Array.isArray(value) && value.length === 0)
}
