/** Lists without which no object of their kind is: null means that there is nothing in them. */
const lists: ReadonlySet<string> = new Set(['endpoints'])

/**
 * Removes every `null` member, deeply and in place: Go decodes JSON null to the zero value, and writes that as absence
 * (`creationTimestamp: null` stands in every manifest that `kubectl create --dry-run` printed) or, for a list that is never left out,
 * as null again (`endpoints` of an EndpointSlice whose Service has none): that becomes empty. List items stay.
 */
export function dropNulls(value: object): void {
  for (const [key, child] of Object.entries(value)) {
    if (child === null) {
      if (Array.isArray(value)) continue
      const object = value as Record<string, unknown>
      if (lists.has(key)) object[key] = []
      else delete object[key]
    } else if (typeof child === 'object') dropNulls(child)
  }
}

/** Reads what an API server answered, with nothing null in it. Throws as `JSON.parse` does. */
export function parseObjects(text: string): unknown {
  const value: unknown = JSON.parse(text)
  if (typeof value === 'object' && value !== null && /:\s*null\b/.test(text)) dropNulls(value)
  return value
}
