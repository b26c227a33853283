import type { KubeObject } from '../objects/index.ts'
import type { Patch } from './cause.ts'

interface Operation {
  readonly op: 'add' | 'replace'
  readonly path: string
  readonly value: unknown
}

/** The object as it would be after a patch of a rule's own making: a merge patch (RFC 7386), or operations that set one field each (RFC 6902). */
export function applyPatch<T extends KubeObject>(object: T, { type, body }: Patch): T {
  if (type === 'merge') return merge(object, body) as T
  const copy = structuredClone(object)
  for (const { path, value } of body as readonly Operation[]) {
    const words = path.slice(1).split('/')
    const last = words.pop() ?? ''
    const holder = words.reduce<Record<string, unknown>>(
      (at, word) => (at[word] ?? {}) as Record<string, unknown>,
      copy as never,
    )
    if (Array.isArray(holder) && last === '-') holder.push(value)
    else holder[last] = value
  }
  return copy
}

function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const base = typeof target === 'object' && target !== null && !Array.isArray(target) ? target : {}
  const result: Record<string, unknown> = { ...base }
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key]
    else result[key] = merge(result[key], value)
  }
  return result
}
