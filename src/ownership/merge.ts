import type { Element } from './element.ts'
import type { FieldType } from './field-type.ts'
import { isHollow, isRecord, itemsByElement, resolve, typeOfField } from './value.ts'

/**
 * What `live` becomes when `applied` is put over it; neither is changed, and the result shares parts with both. Nothing is
 * removed; a list keeps the live order where the configuration does not touch it, and takes the configuration's where it does.
 */
export function merge(type: FieldType, live: unknown, applied: unknown): unknown {
  if (applied === undefined) return live
  if (live === undefined || type.kind === 'leaf' || (isHollow(live) && isHollow(applied))) return applied
  const as = resolve(type, applied === null ? live : applied)
  if (as.kind === 'leaf' || resolve(type, live).kind !== as.kind) return applied
  return as.kind === 'list' ? mergeItems(as, live, applied) : mergeFields(as, live, applied)
}

function mergeFields(type: FieldType, live: unknown, applied: unknown): unknown {
  if (!isRecord(live) || !isRecord(applied)) return isRecord(live) ? live : applied
  const merged: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(live)) merged[name] = merge(typeOfField(type, name), value, applied[name])
  for (const [name, value] of Object.entries(applied)) if (!Object.hasOwn(live, name)) merged[name] = value
  return merged
}

function mergeItems(type: FieldType & { kind: 'list' }, live: unknown, applied: unknown): unknown {
  const from = itemsByElement(type, live)
  const to = itemsByElement(type, applied)
  if (from === undefined || to === undefined) return applied
  const merged: unknown[] = []
  for (const element of mergeOrder([...from.keys()], [...to.keys()])) {
    const old = from.get(element) ?? []
    const now = to.get(element) ?? []
    if (now.length === 0) merged.push(...old)
    else if (old.length === 1 && now.length === 1) merged.push(merge(type.items, old[0], now[0]))
    else merged.push(...now)
  }
  return merged
}

/** The order of a merged list: shared items as the configuration has them, live ones before what is new at their place. */
export function mergeOrder(live: readonly Element[], applied: readonly Element[]): readonly Element[] {
  const inLive = new Set(live)
  const inApplied = new Set(applied)
  const shared = applied.filter((element) => inLive.has(element))
  const order: Element[] = []
  let next = 0
  let met = 0
  for (const element of applied) {
    for (; next < live.length && live[next] !== element; next++) {
      if (!inApplied.has(live[next]!)) order.push(live[next]!)
      else if (live[next] === shared[met]) break
    }
    order.push(element)
    if (live[next] === element) next++
    if (shared[met] === element) met++
  }
  for (; next < live.length; next++) if (!inApplied.has(live[next]!)) order.push(live[next]!)
  return order
}
