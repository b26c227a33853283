/** After so long without the awaited events the cache is believed again (upstream's ExpectationsTimeout). */
const expiryMs = 5 * 60_000

/**
 * What a controller has asked for and its cache has not shown yet. While something is owed, the controller must not count
 * objects: it would create twice.
 */
export interface Expectations {
  expectCreations(key: string, count: number): void
  /** One creation was seen, or failed. */
  creationSeen(key: string): void
  expectDeletions(key: string, uids: readonly string[]): void
  /** The deletion of this object was seen, or failed. */
  deletionSeen(key: string, uid: string): void
  satisfied(key: string): boolean
  forget(key: string): void
}

interface Debt {
  creations: number
  readonly deletions: Set<string>
  since: number
}

/** No expectations; `now` in ms. */
export function openExpectations(now: () => number = Date.now): Expectations {
  const debts = new Map<string, Debt>()
  const open = (key: string): Debt => {
    const debt = debts.get(key) ?? { creations: 0, deletions: new Set(), since: 0 }
    debt.since = now()
    debts.set(key, debt)
    return debt
  }
  const settle = (key: string, debt: Debt) => {
    if (debt.creations <= 0 && debt.deletions.size === 0) debts.delete(key)
  }
  return {
    expectCreations(key, count) {
      open(key).creations += count
    },
    creationSeen(key) {
      const debt = debts.get(key)
      if (debt === undefined) return
      debt.creations--
      settle(key, debt)
    },
    expectDeletions(key, uids) {
      const debt = open(key)
      for (const uid of uids) debt.deletions.add(uid)
    },
    deletionSeen(key, uid) {
      const debt = debts.get(key)
      if (debt === undefined) return
      debt.deletions.delete(uid)
      settle(key, debt)
    },
    satisfied(key) {
      const debt = debts.get(key)
      return debt === undefined || now() - debt.since > expiryMs
    },
    forget: (key) => void debts.delete(key),
  }
}
