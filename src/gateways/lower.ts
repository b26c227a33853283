import { type Line, renderConfig, renderMap, type Section, type Server } from '../haproxy/index.ts'
import { covers, hostText } from './host.ts'
import { answeringBackends, lowerBackend, lowerServer } from './lower-backends.ts'
import { frame, placeRouter } from './lower-frame.ts'
import { httpFrontend } from './lower-http.ts'
import { limitTables } from './lower-limits.ts'
import { type Entries, lowerMaps } from './lower-maps.ts'
import { streamSections } from './lower-stream.ts'
import { authorityPath, certificatePath, type Place, pathsIn } from './lower-words.ts'
import type { BackendModel, Entrance, GatewayModel, ServerModel } from './model.ts'
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
    certificates: new Map([
      ...tls.map((entrance): [string, string] => [
        defaultPath(directory, entrance),
        defaultPem(entrance, model, place),
      ]),
      ...model.certificates.map(({ id, pem }): [string, string] => [certificatePath(directory, id), pem]),
    ]),
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
export function renderFiles(lowered: LoweredGateway, directory: string): ReadonlyMap<string, string> {
  const sections = lowered.sections.map((section) => {
    const servers = (section.keyword === 'backend' && lowered.servers.get(section.name ?? '')) || []
    return textOf(section, [servers], () => {
      const lines = servers.map(({ name, address, options }): Line => ['server', name, address, ...options])
      return renderConfig({ sections: [{ ...section, lines: [...section.lines, ...lines] }] })
    })
  })
  return new Map([
    ...lowered.certificates,
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
function defaultPem({ listeners }: Entrance, { certificates }: GatewayModel, place: Place): string {
  const id = listeners.find(({ host }) => host.kind === 'any')?.certificates[0]
  return certificates.find((one) => one.id === id)?.pem ?? place.defaultCertificate
}

/** Of several certificates of a listener the first is for all its names, the others for those that are written in them. */
function listLines(entrance: Entrance, { certificates }: GatewayModel, directory: string): string[] {
  const byId = new Map(certificates.map((one) => [one.id, one]))
  const lines = new Map<string, string>()
  for (const { host, certificates: own } of entrance.listeners) {
    for (const [at, id] of own.entries()) {
      const written = (byId.get(id)?.names ?? [])
        .filter((name) => /^[a-z0-9.*-]+$/.test(name))
        .filter((name) =>
          covers(host, name.startsWith('*.') ? { kind: 'suffix', name: name.slice(2) } : { kind: 'exact', name }),
        )
      const names = at === 0 && host.kind !== 'any' ? [hostText(host)] : written
      for (const name of names) if (!lines.has(name)) lines.set(name, `${certificatePath(directory, id)} ${name}`)
    }
  }
  return [defaultPath(directory, entrance), ...lines.values()]
}
