/** A JSON object. */
export type JsonRecord = Record<string, unknown>

/** Whether the value is a JSON object (no list, not null). */
export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
