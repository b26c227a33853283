import { type Address, familyOf } from '../addr/index.ts'
import {
  decodeAddress,
  IFA_F_NODAD,
  IFA_F_TENTATIVE,
  NLM_F_CREATE,
  NLM_F_EXCL,
  RTM_DELADDR,
  RTM_GETADDR,
  RTM_NEWADDR,
  writeAddress,
  writeAddressQuery,
} from '../netlink/index.ts'
import type { LinkAddress } from './contract.ts'
import { indexOf, listLinks } from './links.ts'
import type { NetlinkSocket } from './netlink-socket.ts'

export function listAddresses(socket: NetlinkSocket): LinkAddress[] {
  const names = new Map(listLinks(socket).map((link) => [link.index, link.name]))
  return socket.dump('list addresses', RTM_GETADDR, writeAddressQuery, (message) => {
    const found = decodeAddress(message)
    const link = found && names.get(found.linkIndex)
    if (found === undefined || link === undefined) return undefined
    const { address, prefixLength, flags } = found
    return { address, prefixLength, link, ...((flags & IFA_F_TENTATIVE) === 0 ? {} : { tentative: true }) }
  })
}

export function addAddress(
  socket: NetlinkSocket,
  link: string,
  address: Address,
  prefixLength: number,
  options: { detectDuplicates?: boolean } = {},
): void {
  const step = `add address ${address}/${prefixLength} to link ${link}`
  const linkIndex = indexOf(socket, step, link)
  const flags = familyOf(address) === 6 && options.detectDuplicates !== true ? IFA_F_NODAD : 0
  socket.request(step, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, (writer) =>
    writeAddress(writer, { address, prefixLength, linkIndex, flags, scope: 0 }),
  )
}

export function deleteAddress(socket: NetlinkSocket, link: string, address: Address, prefixLength: number): void {
  const step = `delete address ${address}/${prefixLength} from link ${link}`
  const linkIndex = indexOf(socket, step, link)
  socket.request(step, RTM_DELADDR, 0, (writer) =>
    writeAddress(writer, { address, prefixLength, linkIndex, flags: 0, scope: 0 }),
  )
}
