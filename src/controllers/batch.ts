/**
 * Runs `count` calls in batches of 1, 2, 4, …: an error of the first call, which would be that of all, costs one call and
 * not hundreds (upstream's slowStartBatch). Stops after the batch in which a call
 * failed; answers how many succeeded, and the first error.
 */
export async function slowStart(
  count: number,
  call: (index: number) => Promise<void>,
): Promise<{ succeeded: number; error?: unknown }> {
  let succeeded = 0
  for (let from = 0, width = 1; from < count; from += width, width *= 2) {
    const size = Math.min(width, count - from)
    const results = await Promise.allSettled(Array.from({ length: size }, (_, i) => call(from + i)))
    const failed = results.find((result) => result.status === 'rejected')
    succeeded += results.filter((result) => result.status === 'fulfilled').length
    if (failed !== undefined) return { succeeded, error: failed.reason }
  }
  return { succeeded }
}

/** Runs `call` for each item, at most `limit` at a time, and throws the first error after all have ended. */
export async function forEachLimited<T>(
  items: readonly T[],
  limit: number,
  call: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0
  const errors: unknown[] = []
  const worker = async () => {
    while (next < items.length) await call(items[next++] as T).catch((error) => errors.push(error))
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker))
  if (errors.length > 0) throw errors[0]
}
