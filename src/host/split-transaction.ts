import type { Operation, Transaction } from '../nft/index.ts'

/**
 * Cuts a transaction in two near the middle, keeping its order, or gives undefined when it is one indivisible step.
 * A chain's flush stays together with the rules that follow it, so that no packet meets the chain half written.
 */
export function splitTransaction(transaction: Transaction): readonly [Transaction, Transaction] | undefined {
  const [only] = transaction
  if (transaction.length === 1 && only !== undefined) return splitElements(only)
  const cut = nearestCut(transaction)
  return cut === undefined ? undefined : [transaction.slice(0, cut), transaction.slice(cut)]
}

function splitElements(operation: Operation): readonly [Transaction, Transaction] | undefined {
  if (operation.kind !== 'add-elements' && operation.kind !== 'delete-elements') return undefined
  if (operation.elements.length < 2) return undefined
  const half = operation.elements.length >> 1
  return [
    [{ ...operation, elements: operation.elements.slice(0, half) }],
    [{ ...operation, elements: operation.elements.slice(half) }],
  ]
}

/** The allowed cut that is nearest to the middle by weight, where each element and each operation weighs one. */
function nearestCut(transaction: Transaction): number | undefined {
  const weights = transaction.map((operation) => ('elements' in operation ? operation.elements.length : 0) + 1)
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  let best: { cut: number; distance: number } | undefined
  let before = 0
  for (let cut = 1; cut < transaction.length; cut++) {
    before += weights[cut - 1]!
    if (belongTogether(transaction[cut - 1]!, transaction[cut]!)) continue
    const distance = Math.abs(total / 2 - before)
    if (best === undefined || distance < best.distance) best = { cut, distance }
  }
  return best?.cut
}

function belongTogether(first: Operation, second: Operation): boolean {
  if (second.kind !== 'add-rule') return false
  if (first.kind !== 'flush-chain' && first.kind !== 'add-rule') return false
  return first.family === second.family && first.table === second.table && first.chain === second.chain
}
