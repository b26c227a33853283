import { createHash } from 'node:crypto'
import type { AddressClaim } from '../cluster/index.ts'

/** The nodes that may hold the address, best first: by preference, then by rendezvous hash, so that a node's loss moves its own addresses alone. */
export function rankNodes({ address, eligible, preference }: AddressClaim): readonly string[] {
  const scored = [...new Set(eligible)].map((node) => ({
    node,
    preference: preference?.get(node) ?? 0,
    hash: createHash('sha256').update(`${node}#${address}`).digest('hex'),
  }))
  return scored.sort((a, b) => b.preference - a.preference || (a.hash < b.hash ? -1 : 1)).map(({ node }) => node)
}
