/**
 * Gives the endpoints of a port their indexes, which are dense: who stays keeps its place, who comes takes a free one,
 * and the last ones move into what is still free. The answer is in the order of indexes. An endpoint that is wanted more than
 * once has as many places.
 */
export function placeEndpoints(before: readonly string[], wanted: readonly string[]): readonly string[] {
  if (before.length === 0) return wanted
  const missing = new Map<string, number>()
  for (const endpoint of wanted) missing.set(endpoint, (missing.get(endpoint) ?? 0) + 1)
  const placed = before.map((endpoint): string | undefined => {
    const times = missing.get(endpoint) ?? 0
    if (times === 0) return undefined
    missing.set(endpoint, times - 1)
    return endpoint
  })
  const coming = [...missing].flatMap(([endpoint, times]) => new Array<string>(times).fill(endpoint))
  let next = 0
  for (let i = 0; i < placed.length && next < coming.length; i++) placed[i] ??= coming[next++]
  for (; next < coming.length; next++) placed.push(coming[next])
  for (let i = 0; i < placed.length; i++) {
    while (placed.length > i && placed.at(-1) === undefined) placed.pop()
    if (i < placed.length) placed[i] ??= placed.pop()
  }
  return placed as string[]
}
