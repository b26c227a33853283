/** The entries of a map file, unique by key: what a request is looked up with, and what it gets. */
export type MapEntries = ReadonlyMap<string, string>

/** Whether a text can be the key of a map: the file has no quotes, so a key ends at the first blank. */
export function isMapKey(key: string): boolean {
  return key !== '' && !/[\s\0]/.test(key) && !key.startsWith('#')
}

/** The text of a map file, in the order of the entries. Throws on keys or values that would read back as another entry. */
export function renderMap(entries: MapEntries): string {
  return [...entries].map(([key, value]) => `${renderEntry(key, value)}\n`).join('')
}

export function renderEntry(key: string, value: string): string {
  if (!isMapKey(key)) throw new TypeError(`${JSON.stringify(key)} is no key of a map`)
  if (value === '' || /[\n\r\0]/.test(value)) throw new TypeError(`${JSON.stringify(value)} is no value of a map`)
  return `${key} ${value}`
}
