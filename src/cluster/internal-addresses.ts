import { type Address, findAddress } from '../addr/index.ts'
import type { Node } from '../objects/index.ts'

/** The addresses of a Node inside the cluster (`InternalIP`), in its order; text that is no address is left out. */
export function internalAddresses(node: Node | undefined): Address[] {
  return (node?.status?.addresses ?? []).flatMap(({ type, address }) =>
    type === 'InternalIP' ? (findAddress(address) ?? []) : [],
  )
}
