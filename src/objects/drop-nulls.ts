/**
 * Removes every `null` member, deeply and in place: Go decodes JSON null to the zero value, and writes that as absence
 * (`creationTimestamp: null` stands in every manifest that `kubectl create --dry-run` printed). List items stay.
 */
export function dropNulls(value: object): void {
  for (const [key, child] of Object.entries(value)) {
    if (child === null) {
      if (!Array.isArray(value)) delete (value as Record<string, unknown>)[key]
    } else if (typeof child === 'object') dropNulls(child)
  }
}
