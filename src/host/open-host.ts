import type { Host } from './contract.ts'
import { createNamespace, openNamespace, openOwnNamespace } from './namespace.ts'
import { sendPacket } from './raw-packet.ts'
import { bindUdp, connectTcp, listenTcp } from './stream-sockets.ts'

/** The Linux host of this process. Opens nothing but the descriptor of the process's own namespace; every call gives the same host. */
export function openHost(): Host {
  return {
    own: openOwnNamespace(),
    createNamespace,
    openNamespace,
    listenTcp,
    bindUdp,
    connectTcp,
    sendPacket,
  }
}
