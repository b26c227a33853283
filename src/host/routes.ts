import { type Address, type Family, families, hostPrefix, prefixFamily } from '../addr/index.ts'
import {
  decodeRoute,
  NLM_F_CREATE,
  NLM_F_REPLACE,
  type RouteMessage,
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RT_SCOPE_NOWHERE,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
  RTM_DELROUTE,
  RTM_F_CLONED,
  RTM_GETROUTE,
  RTM_NEWROUTE,
  RTN_BLACKHOLE,
  RTN_LOCAL,
  RTN_PROHIBIT,
  RTN_UNICAST,
  RTN_UNREACHABLE,
  RTNH_F_ONLINK,
  writeRoute,
  writeRouteLookup,
  writeRouteQuery,
} from '../netlink/index.ts'
import { HostError, type Network, type Route } from './contract.ts'
import { findLinkName, indexOf, listLinks } from './links.ts'
import type { NetlinkSocket } from './netlink-socket.ts'

/** The RTPROT_* that Plumb's own routes and rules carry. */
export const plumbProtocol = 0x50

const typeOfKind = {
  unicast: RTN_UNICAST,
  local: RTN_LOCAL,
  blackhole: RTN_BLACKHOLE,
  unreachable: RTN_UNREACHABLE,
  prohibit: RTN_PROHIBIT,
} as const
type Kind = keyof typeof typeOfKind
const kindOfType = new Map(Object.entries(typeOfKind).map(([kind, type]) => [type as number, kind as Kind]))
const scopes = { global: RT_SCOPE_UNIVERSE, link: RT_SCOPE_LINK, host: RT_SCOPE_HOST } as const

/** Routes of the kinds that the contract knows; multicast and broadcast ones, and cached ones, are left out. */
export function listRoutes(socket: NetlinkSocket, filter: Parameters<Network['routes']>[0] = {}): Route[] {
  const names = new Map(listLinks(socket).map((link) => [link.index, link.name]))
  return families
    .filter((family) => filter.family === undefined || family === filter.family)
    .flatMap((family) => listFamily(socket, family, filter, (index) => names.get(index)))
}

function listFamily(
  socket: NetlinkSocket,
  family: Family,
  filter: { table?: number; protocol?: number },
  nameOf: (index: number) => string | undefined,
): Route[] {
  const { table, protocol } = filter
  try {
    return socket.dump(
      `list IPv${family} routes`,
      RTM_GETROUTE,
      (writer) =>
        writeRouteQuery(writer, {
          family,
          ...(table === undefined ? {} : { table }),
          ...(protocol === undefined ? {} : { protocol }),
        }),
      (message) => {
        const route = decodeRoute(message)
        if (route === undefined || (route.flags & RTM_F_CLONED) !== 0) return undefined
        if (table !== undefined && route.table !== table) return undefined
        if (protocol !== undefined && route.protocol !== protocol) return undefined
        return toRoute(route, nameOf)
      },
    )
  } catch (error) {
    // A table that holds nothing yet does not exist for the kernel.
    if (error instanceof HostError && error.errno === 'ENOENT' && table !== undefined) return []
    throw error
  }
}

export function setRoute(socket: NetlinkSocket, route: Route): void {
  const step = `set route ${renderRoute(route)}`
  const message = toMessage(socket, step, route, plumbProtocol)
  socket.request(step, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, (writer) => writeRoute(writer, message))
}

/** Deletes the first route that has everything that `route` says. */
export function deleteRoute(socket: NetlinkSocket, route: Route): void {
  const step = `delete route ${renderRoute(route)}`
  const { scope, ...message } = toMessage(socket, step, route, 0)
  socket.request(step, RTM_DELROUTE, 0, (writer) =>
    // RT_SCOPE_NOWHERE is how a deletion says "of any scope".
    writeRoute(writer, { ...message, scope: route.scope === undefined ? RT_SCOPE_NOWHERE : scope }),
  )
}

/** Which route a packet would take; undefined when there is none. */
export function lookupRoute(
  socket: NetlinkSocket,
  destination: Address,
  options: { source?: Address; inputInterface?: string; mark?: number } = {},
): Route | undefined {
  const step = `look up the route to ${destination}`
  const { source, mark, inputInterface } = options
  const lookup = {
    destination,
    ...(source === undefined ? {} : { source }),
    ...(mark === undefined ? {} : { mark }),
    ...(inputInterface === undefined ? {} : { inputIndex: indexOf(socket, step, inputInterface) }),
  }
  try {
    const found = socket.get(step, RTM_GETROUTE, (writer) => writeRouteLookup(writer, lookup), decodeRoute)
    if (found === undefined) return undefined
    const name = found.linkIndex === undefined ? undefined : findLinkName(socket, found.linkIndex)
    return toRoute(found, () => name)
  } catch (error) {
    const kind = error instanceof HostError ? refusal(error, options) : 'other'
    if (kind === 'other') throw error
    return kind === undefined ? undefined : { destination: hostPrefix(destination), kind }
  }
}

/** The kernel answers with the error that a sender would get, not with the route that causes it. */
function refusal(error: HostError, options: { source?: Address }): Kind | undefined | 'other' {
  switch (error.errno) {
    case 'ENETUNREACH':
      return undefined
    case 'EHOSTUNREACH':
      return 'unreachable'
    case 'EACCES':
      return 'prohibit'
    case 'EINVAL':
      // A source that is not ours is refused with the same errno.
      return options.source === undefined ? 'blackhole' : 'other'
    default:
      return 'other'
  }
}

function toMessage(socket: NetlinkSocket, step: string, route: Route, protocol: number): RouteMessage {
  const kind = route.kind ?? 'unicast'
  const { gateway, source, metric, mtu } = route
  return {
    destination: route.destination,
    type: typeOfKind[kind],
    scope: scopes[route.scope ?? defaultScope(route, kind)],
    table: route.table ?? RT_TABLE_MAIN,
    protocol: route.protocol ?? protocol,
    flags: route.onlink === true ? RTNH_F_ONLINK : 0,
    ...(gateway === undefined ? {} : { gateway }),
    ...(route.link === undefined ? {} : { linkIndex: indexOf(socket, step, route.link) }),
    ...(source === undefined ? {} : { source }),
    ...(metric === undefined ? {} : { metric }),
    ...(mtu === undefined ? {} : { mtu }),
  }
}

/** As ip-route(8): what is reached directly has link scope, what is here host scope. IPv6 has no scopes. */
function defaultScope(route: Route, kind: Kind): 'global' | 'link' | 'host' {
  if (kind === 'local') return 'host'
  return kind === 'unicast' && route.gateway === undefined && prefixFamily(route.destination) === 4 ? 'link' : 'global'
}

function toRoute(message: RouteMessage, nameOf: (index: number) => string | undefined): Route | undefined {
  const kind = kindOfType.get(message.type)
  if (kind === undefined) return undefined
  const { destination, gateway, linkIndex, source, table, metric, protocol, mtu, scope } = message
  const link = linkIndex === undefined ? undefined : nameOf(linkIndex)
  return {
    destination,
    kind,
    table,
    protocol,
    scope: scope === RT_SCOPE_LINK ? 'link' : scope === RT_SCOPE_HOST ? 'host' : 'global',
    ...(gateway === undefined ? {} : { gateway }),
    ...(link === undefined ? {} : { link }),
    ...(source === undefined ? {} : { source }),
    ...(metric === undefined ? {} : { metric }),
    ...(mtu === undefined ? {} : { mtu }),
    ...((message.flags & RTNH_F_ONLINK) === 0 ? {} : { onlink: true }),
  }
}

function renderRoute(route: Route): string {
  const kind = route.kind === undefined || route.kind === 'unicast' ? '' : `${route.kind} `
  const via = route.gateway === undefined ? '' : ` via ${route.gateway}`
  const link = route.link === undefined ? '' : ` dev ${route.link}`
  const table = route.table === undefined ? '' : ` table ${route.table}`
  return `${kind}${route.destination}${via}${link}${table}`
}
