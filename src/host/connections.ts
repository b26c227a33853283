import {
  addressFamily,
  decodeConnection,
  IPCTNL_MSG_CT_DELETE,
  IPCTNL_MSG_CT_GET,
  IPCTNL_MSG_CT_NEW,
  NFNL_SUBSYS_CTNETLINK,
  NFPROTO_UNSPEC,
  NLM_F_CREATE,
  NLM_F_EXCL,
  nfnetlinkType,
  type TranslatedConnection,
  writeConnectionName,
  writeConnectionQuery,
  writeNetfilterHeader,
  writeTranslatedConnection,
} from '../netlink/index.ts'
import type { Connection, Network } from './contract.ts'
import type { NetlinkSocket } from './netlink-socket.ts'

const get = nfnetlinkType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET)
const create = nfnetlinkType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_NEW)
const remove = nfnetlinkType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE)

/** The conntrack entries that the filter lets through. */
export function listConnections(
  socket: NetlinkSocket,
  filter: Parameters<Network['connections']>[0] = {},
): Connection[] {
  const { family, protocol, mark } = filter
  return socket.dump(
    'list connections',
    get,
    (writer) => {
      writeNetfilterHeader(writer, family === undefined ? NFPROTO_UNSPEC : addressFamily(family))
      writeConnectionQuery(writer, mark === undefined ? {} : { mark })
    },
    (message) => {
      const connection = decodeConnection(message, protocol)
      return connection === undefined || (mark !== undefined && connection.mark !== mark) ? undefined : connection
    },
  )
}

/** Deletes the entry with this protocol, original direction and zone. */
export function deleteConnection(socket: NetlinkSocket, connection: Parameters<Network['deleteConnection']>[0]): void {
  socket.request(`delete connection ${renderConnection(connection)}`, remove, 0, (writer) => {
    writeNetfilterHeader(writer, addressFamily(connection.family))
    writeConnectionName(writer, connection)
  })
}

/** Adds an entry for a connection that began elsewhere; throws `exists` while another has one of its directions. */
export function addConnection(socket: NetlinkSocket, connection: TranslatedConnection): void {
  const flags = NLM_F_CREATE | NLM_F_EXCL
  socket.request(`add connection ${renderConnection(connection)}`, create, flags, (writer) => {
    writeNetfilterHeader(writer, addressFamily(connection.family))
    writeTranslatedConnection(writer, connection)
  })
}

function renderConnection({ protocol, original, zone }: Pick<Connection, 'protocol' | 'original' | 'zone'>): string {
  const { source, sourcePort, destination, destinationPort } = original
  const suffix = zone === undefined ? '' : ` zone ${zone}`
  return `protocol ${protocol} ${source} port ${sourcePort} -> ${destination} port ${destinationPort}${suffix}`
}
