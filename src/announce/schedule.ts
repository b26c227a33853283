/**
 * When a node tells neighbours that it holds an address, in milliseconds after it took it: at once, then past a neighbour's
 * locktime of 1 s (Linux `net.ipv4.neigh.*.locktime`) while switches learn, then for ever, so that a switch that forgets the
 * address sooner than a router does not cut it off.
 */
const firstMs = [0, 1100, 2200, 3300, 5000]

/** The pause between two tellings after the first five seconds, in milliseconds. */
const refreshMs = 60_000

/** When telling number `index`, counted from 0, is due after the address was taken, in milliseconds. */
export function announcementMs(index: number): number {
  const last = firstMs.length - 1
  return firstMs[index] ?? (firstMs[last] ?? 0) + (index - last) * refreshMs
}
