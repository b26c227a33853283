import type { Candidate } from './model.ts'

/** An endpoint as the maps hold it: `10.244.0.7 . 53`. */
export function renderTarget({ address, port }: Pick<Candidate, 'address' | 'port'>): string {
  return `${address} . ${port}`
}
