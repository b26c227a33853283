import type { Address } from '../addr/index.ts'
import { keyOf } from '../cluster/index.ts'
import type { Setting } from './setting.ts'

/** Who is behind an address and port: `deployment/shop/web:8080`, or the address where no pod has it. */
export function sayBehind({ snapshot, workloadOf }: Setting, address: Address, port: number): string {
  const pod = snapshot.findPod(address)
  if (pod !== undefined) return `${workloadOf.get(keyOf(pod)) ?? `pod/${keyOf(pod)}`}:${port}`
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

/** Each once, in order. */
export function distinct(texts: Iterable<string>): readonly string[] {
  return [...new Set(texts)].sort()
}
