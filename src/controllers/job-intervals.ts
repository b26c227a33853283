/** The indexes of a list like `0,2-4`, as Jobs' statuses and success policies write them; what cannot be read is left out. */
export function parseIndexes(text: string | undefined, completions: number): Set<number> {
  const indexes = new Set<number>()
  for (const part of (text ?? '').split(',')) {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? []
    for (let index = Number(first); index <= Math.min(Number(last), completions - 1); index++) indexes.add(index)
  }
  return indexes
}

/** The shortest list of the indexes: `0,2-4`. Two neighbours are written `0,1`, as upstream does. */
export function renderIndexes(indexes: Iterable<number>): string {
  const sorted = [...indexes].sort((a, b) => a - b)
  const parts: string[] = []
  for (let i = 0; i < sorted.length; ) {
    let end = i
    while (sorted[end + 1] === sorted[end]! + 1) end++
    const [first, last] = [sorted[i]!, sorted[end]!]
    parts.push(first === last ? `${first}` : last === first + 1 ? `${first},${last}` : `${first}-${last}`)
    i = end + 1
  }
  return parts.join(',')
}
