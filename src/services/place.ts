/**
 * Gives the endpoints of a port their indexes, which are dense: who stays keeps its place, who comes takes a free one,
 * and the last ones move into what is still free. The answer is in the order of indexes.
 */
export function placeEndpoints(before: readonly string[], wanted: readonly string[]): readonly string[] {
  if (before.length === 0) return wanted
  const staying = new Set(wanted)
  const placed: (string | undefined)[] = before.map((endpoint) => (staying.has(endpoint) ? endpoint : undefined))
  const known = new Set(before)
  const coming = wanted.filter((endpoint) => !known.has(endpoint))
  let next = 0
  for (let i = 0; i < placed.length && next < coming.length; i++) placed[i] ??= coming[next++]
  for (; next < coming.length; next++) placed.push(coming[next])
  for (let i = 0; i < placed.length; i++) {
    while (placed.length > i && placed.at(-1) === undefined) placed.pop()
    if (i < placed.length) placed[i] ??= placed.pop()
  }
  return placed as string[]
}
