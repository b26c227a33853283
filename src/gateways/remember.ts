import { isSameList } from './keyed.ts'

/** A function of an object that is asked for again and again: its answer is kept as long as the object lives. */
export function perObject<Key extends object, Value>(make: (key: Key) => Value): (key: Key) => Value {
  const known = new WeakMap<Key, Value>()
  return (key) => {
    const found = known.get(key)
    if (found !== undefined) return found
    const made = make(key)
    known.set(key, made)
    return made
  }
}

/** The same for what depends on more: it is made anew when something of `given` is another than the last time. */
export function perObjectGiven<Key extends object, Value>(): (
  key: Key,
  given: readonly unknown[],
  make: () => Value,
) => Value {
  const known = new WeakMap<Key, { given: readonly unknown[]; value: Value }>()
  return (key, given, make) => {
    const found = known.get(key)
    if (found !== undefined && isSameList(found.given, given)) return found.value
    const value = make()
    known.set(key, { given, value })
    return value
  }
}
