export { isRecord, type JsonRecord } from '../objects/index.ts'

/** A private copy of a JSON value. */
export function copyOf<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T
}

/** Now, as Kubernetes writes times: whole seconds, UTC. */
export function timestamp(at = Date.now()): string {
  const second = Math.floor(at / 1000)
  if (second !== latest.second) latest = { second, text: `${new Date(second * 1000).toISOString().slice(0, 19)}Z` }
  return latest.text
}

// Every write asks, and thousands come in one second.
let latest = { second: Number.NaN, text: '' }
