import { type Line, renderConfig, renderMap, type Section, type Server } from '../haproxy/index.ts'
import { covers, hostText } from './host.ts'
import { answeringBackends, lowerBackend, lowerServer } from './lower-backends.ts'
import { frame, placeRouter } from './lower-frame.ts'
import { httpFrontend } from './lower-http.ts'
import { limitTables } from './lower-limits.ts'
import { type Entries, lowerMaps } from './lower-maps.ts'
import { streamSections } from './lower-stream.ts'
import { authorityPath, certificatePath, type Place, pathsIn } from './lower-words.ts'
import type { BackendModel, Certificate, Entrance, GatewayModel, ListenerModel, ServerModel, Staple } from './model.ts'
import { perObject, perObjectGiven } from './remember.ts'
import { originsOf, type TlsOrigin } from './tls-origin.ts'
import { isCrypt } from './users.ts'

/** A gateway in HAProxy's words. What is only in the structure needs a reload, the rest can change while it runs. */
export interface LoweredGateway {
  readonly sections: readonly Section[]
  /** By path. */
  readonly maps: ReadonlyMap<string, Entries>
  readonly servers: ReadonlyMap<string, readonly Server[]>
  /** PEM by path. */
  readonly certificates: ReadonlyMap<string, string>
  /** By path of the certificate. */
  readonly staples: ReadonlyMap<string, Staple>
  /** Which certificate is for which names, one list for each entrance with TLS; the first line is for all other names. */
  readonly lists: ReadonlyMap<string, readonly string[]>
  /** Read at a reload only: certificates of authorities and the router, by path. */
  readonly files: ReadonlyMap<string, string>
  /** Pods to which TLS is spoken by somebody else, by the socket where HAProxy expects them. */
  readonly origins: ReadonlyMap<string, TlsOrigin>
}

/** `router` is the text of the program for conditions and filters. */
export function lowerGateway(
  model: GatewayModel,
  serversOf: (backend: BackendModel) => readonly ServerModel[],
  place: Place,
  router: string,
): LoweredGateway {
  const { directory } = place
  const paths = pathsIn(directory)
  const entrances = model.entrances.filter(({ protocol }) => protocol !== 'UDP')
  const backends = model.backends.filter(({ protocol }) => protocol !== 'udp')
  const tls = entrances.filter(({ protocol }) => protocol === 'TLS')
  const certificates: (readonly [path: string, certificate: Pick<Certificate, 'pem' | 'staple'>])[] = [
    ...tls.map((one) => [defaultPath(directory, one), defaultOf(one, model, place)] as const),
    ...model.certificates.map((one) => [certificatePath(directory, one.id), one] as const),
  ]
  return {
    sections: [
      ...frame(directory, paths, entrances),
      ...entrances.flatMap((entrance) => [
        ...streamSections(entrance, paths, place),
        ...(entrance.protocol === 'TCP' ? [] : [httpFrontend(entrance, paths, place)]),
      ]),
      ...answeringBackends(),
      ...userLists(model),
      ...limitTables(backends),
      ...backends.map(sectionOf),
    ],
    maps: mapsOf(model, entrances, directory),
    servers: new Map(
      backends.map((backend) => {
        const servers = serversOf(backend)
        const lower = () => servers.map((server) => lowerServer(server, backend, place))
        return [backend.id, loweredServers(backend, [servers, directory], lower)]
      }),
    ),
    certificates: new Map(certificates.map(([path, { pem }]) => [path, pem])),
    staples: new Map(
      certificates.flatMap(([path, { staple }]) =>
        staple !== undefined && staple.expiresMs > place.nowMs ? [[path, staple] as const] : [],
      ),
    ),
    lists: new Map(tls.map((entrance) => [`${directory}/${entrance.id}.list`, listLines(entrance, model, directory)])),
    origins: originsOf(model, serversOf, directory),
    files: new Map([
      [paths.router, placeRouter(router, directory, paths)],
      ...model.authorities.map(({ id, pem }): [string, string] => [authorityPath(directory, id), pem]),
    ]),
  }
}

/** Of a backend that is the same nothing is lowered again, nor of its servers. */
const sectionOf = perObject(lowerBackend)
const loweredServers = perObjectGiven<BackendModel, readonly Server[]>()
const textOf = perObjectGiven<Section, string>()

const bytesOf = perObject(({ response }: Staple) => Buffer.from(response, 'base64'))

/** Those whose hashes only HAProxy can check. */
function userLists({ userLists: lists }: GatewayModel): Section[] {
  return lists
    .map(({ id, users }) => ({ id, users: users.filter(([, hash]) => isCrypt(hash)) }))
    .filter(({ users }) => users.length > 0)
    .map(({ id, users }) => {
      return {
        keyword: 'userlist',
        name: id,
        lines: users.map(([name, hash]): Line => ['user', name, 'password', hash]),
      }
    })
}

/** The last maps of each model: pods that come and go change none of them. */
const known = new WeakMap<GatewayModel, { readonly directory: string; readonly maps: ReadonlyMap<string, Entries> }>()

function mapsOf(model: GatewayModel, entrances: readonly Entrance[], directory: string): ReadonlyMap<string, Entries> {
  const last = known.get(model)
  if (last?.directory === directory) return last.maps
  const maps = lowerMaps({ ...model, entrances }, pathsIn(directory), directory)
  known.set(model, { directory, maps })
  return maps
}

/** The files of a gateway by path, to begin with or to reload from: what it would have been told at run time included. */
export function renderFiles(lowered: LoweredGateway, directory: string): ReadonlyMap<string, string | Buffer> {
  const sections = lowered.sections.map((section) => {
    const servers = (section.keyword === 'backend' && lowered.servers.get(section.name ?? '')) || []
    return textOf(section, [servers], () => {
      const lines = servers.map(({ name, address, options }): Line => ['server', name, address, ...options])
      return renderConfig({ sections: [{ ...section, lines: [...section.lines, ...lines] }] })
    })
  })
  return new Map<string, string | Buffer>([
    ...lowered.certificates,
    ...[...lowered.staples].flatMap(([path, staple]): [string, string | Buffer][] => [
      [`${path}.issuer`, staple.issuer],
      [`${path}.ocsp`, bytesOf(staple)],
    ]),
    ...lowered.files,
    ...[...lowered.maps].map(([path, entries]): [string, string] => [path, renderMap(entries)]),
    ...[...lowered.lists].map(([path, lines]): [string, string] => [path, `${lines.join('\n')}\n`]),
    [`${directory}/haproxy.cfg`, sections.join('\n')],
  ])
}

function defaultPath(directory: string, { id }: Entrance): string {
  return certificatePath(directory, `default.${id}`)
}

/** What names get that no line of the list is for: the certificate of the listener for all names, or nobody's. */
function defaultOf({ listeners }: Entrance, { certificates }: GatewayModel, place: Place) {
  const id = listeners.find(({ host }) => host.kind === 'any')?.certificates[0]
  return certificates.find((one) => one.id === id) ?? { pem: place.defaultCertificate }
}

/** Of several certificates of a listener the first is for all its names, the others for those that are written in them. */
function listLines(entrance: Entrance, { certificates }: GatewayModel, directory: string): string[] {
  const { listeners } = entrance
  const byId = new Map(certificates.map((one) => [one.id, one]))
  const isAsking = listeners.some(({ clientAuthority }) => clientAuthority !== undefined)
  const lines = new Map<string, string>()
  const add = (name: string, path: string, { clientAuthority }: ListenerModel): void => {
    if (!lines.has(name)) lines.set(name, [path, ...asking(clientAuthority, directory), name].join(' '))
  }
  for (const listener of listeners) {
    const [first] = listener.certificates
    if (listener.host.kind === 'any' || listener.mode === 'passthrough') continue
    if (first !== undefined) add(hostText(listener.host), certificatePath(directory, first), listener)
    else if (isAsking) add(hostText(listener.host), defaultPath(directory, entrance), listener)
  }
  for (const listener of listeners) {
    const { host, certificates: own } = listener
    for (const id of host.kind === 'any' ? own : own.slice(1)) {
      const written = (byId.get(id)?.names ?? [])
        .filter((name) => /^[a-z0-9.*-]+$/.test(name))
        .filter((name) =>
          covers(host, name.startsWith('*.') ? { kind: 'suffix', name: name.slice(2) } : { kind: 'exact', name }),
        )
      for (const name of written) add(name, certificatePath(directory, id), listener)
    }
  }
  const rest = listeners.find(({ host }) => host.kind === 'any')
  // Without `!*` the names in it would be taken from the other lines.
  const byDefault = [defaultPath(directory, entrance), ...asking(rest?.clientAuthority, directory), '!*'].join(' ')
  return [byDefault, ...(isAsking ? apart(lines) : lines.values())]
}

/** What a connection for the names of a line is asked. */
function asking(authority: string | undefined, directory: string): string[] {
  return authority === undefined ? [] : [`[ca-file ${authorityPath(directory, authority)} verify optional]`]
}

/** HAProxy would rather take a wildcard's ECDSA than a name's RSA, and with it what the wildcard asks: so wildcards leave out the names that have lines. */
function apart(lines: ReadonlyMap<string, string>): string[] {
  const names = [...lines.keys()]
  return [...lines].map(([name, line]) => {
    if (!name.startsWith('*.')) return line
    const own = names.filter((one) => one.endsWith(name.slice(1)) && !one.slice(0, 1 - name.length).includes('.'))
    return [line, ...own.filter((one) => one !== name).map((one) => `!${one}`)].join(' ')
  })
}
