import type { PodTemplate } from '../objects/index.ts'

/** The label by which a Deployment tells the pods of its ReplicaSets apart. */
export const podTemplateHashLabel = 'pod-template-hash'

/** Upstream's alphabet for names: no vowels and nothing that looks like another character (apimachinery `rand.SafeEncodeString`). */
const safe = 'bcdfghjklmnpqrstvwxz2456789'

/** A short name for a value that depends on its content alone, not on the order of its keys. `collisions` makes another one. */
export function hashOf(value: unknown, collisions = 0): string {
  let hash = fnv1a(canonical(value), 0x811c9dc5)
  if (collisions > 0) hash = fnv1a(String(collisions), hash)
  return [...String(hash)].map((character) => safe[character.charCodeAt(0) % safe.length]).join('')
}

/** Whether two templates make the same pods; the hash label itself does not count. */
export function sameTemplate(a: PodTemplate | undefined, b: PodTemplate | undefined): boolean {
  return canonical(withoutHash(a)) === canonical(withoutHash(b))
}

/** JSON with sorted keys and without what means the same as nothing: undefined, null, empty lists and empty maps. */
export function canonical(value: unknown): string {
  return JSON.stringify(simplify(value)) ?? ''
}

function withoutHash(template: PodTemplate | undefined): PodTemplate | undefined {
  if (template?.metadata?.labels?.[podTemplateHashLabel] === undefined) return template
  const { [podTemplateHashLabel]: _, ...labels } = template.metadata.labels
  return { ...template, metadata: { ...template.metadata, labels } }
}

function simplify(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map((item) => simplify(item) ?? null)
  if (typeof value !== 'object' || value === null) return value ?? undefined
  const entries = Object.entries(value)
    .map(([key, item]) => [key, simplify(item)] as const)
    .filter(([, item]) => item !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}

/** FNV-1a, 32 bits. */
function fnv1a(text: string, seed: number): number {
  let hash = seed
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash
}
