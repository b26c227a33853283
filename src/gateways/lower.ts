import type { ObjectKey } from '../cluster/index.ts'
import { type Line, renderConfig, renderMap, type Section, type Server } from '../haproxy/index.ts'
import { answeringBackends, lowerBackend, lowerServer } from './lower-backends.ts'
import { type LoweredCertificates, lowerCertificates } from './lower-certificates.ts'
import { frame, placeRouter } from './lower-frame.ts'
import { httpFrontend } from './lower-http.ts'
import { limitTables } from './lower-limits.ts'
import { entriesOf, type LoweredMaps, lowerMaps } from './lower-maps.ts'
import { calledIn, freeSpares, noSpares, type Spares } from './lower-spares.ts'
import { streamSections } from './lower-stream.ts'
import { authorityPath, mapPath, type Paths, type Place, pathsIn } from './lower-words.ts'
import type { BackendModel, Entrance, GatewayModel, ServerModel, Staple } from './model.ts'
import { perObject, perObjectGiven } from './remember.ts'
import { originsOf, type TlsOrigin } from './tls-origin.ts'
import { isCrypt } from './users.ts'

/** A gateway in HAProxy's words. What is only in the structure needs a reload, the rest can change while it runs. */
export interface LoweredGateway extends LoweredCertificates {
  readonly directory: string
  /** All but those of backends. */
  readonly sections: readonly Section[]
  /** Place by place as the model has them. */
  readonly backends: readonly LoweredBackend[]
  readonly spares: Spares
  readonly maps: LoweredMaps
  /** Read at a reload only: certificates of authorities and the router, by path. */
  readonly files: ReadonlyMap<string, string>
  /** Pods to which TLS is spoken by somebody else, by the socket where HAProxy expects them. */
  readonly origins: ReadonlyMap<string, TlsOrigin>
}

export interface LoweredBackend {
  readonly of: BackendModel
  readonly section: Section
  readonly servers: readonly Server[]
}

/** What was lowered last, and the Services that have changed since. */
export interface Since {
  readonly before: LoweredGateway
  readonly services: ReadonlySet<ObjectKey>
}

/** `router` is the text of the program for conditions and filters; `spares` grow from those of before (`nameBackends`). Only what is other than before is lowered. */
export function lowerGateway(
  model: GatewayModel,
  serversOf: (backend: BackendModel) => readonly ServerModel[],
  place: Place,
  router: string,
  since?: Since,
  spares = noSpares,
): LoweredGateway {
  const { directory } = place
  const paths = pathsIn(directory)
  const entrances = model.entrances.filter(({ protocol }) => protocol !== 'UDP')
  const backends = model.backends.filter(({ protocol }) => protocol !== 'udp')
  const tls = entrances.filter(({ protocol }) => protocol === 'TLS')
  const before = since?.before.directory === directory ? since.before : undefined
  return {
    directory,
    sections: [
      ...frame(directory, paths, entrances),
      ...entrances.flatMap((entrance) => frontendsOf(entrance, paths, place)),
      ...answeringBackends(),
      ...userLists(model),
      ...limitTables([...entrances, ...backends]),
    ],
    backends: backends.map((of, at) => {
      const last = before?.backends[at]
      if (last?.of === of && since?.services.has(of.service) === false) return last
      const servers = serversOf(of)
      const name = spares.names.get(of.id)
      return loweredBackends(of, [servers, directory, name], () => ({
        of,
        section: name === undefined ? sectionOf(of) : { ...sectionOf(of), name },
        servers: servers.map((server) => lowerServer(server, of, place)),
      }))
    }),
    spares,
    maps: lowerMaps({ entrances, userLists: model.userLists }, calledIn(spares), since?.before.maps),
    ...lowerCertificates(tls, model, place, before?.lists),
    origins: originsOf(model, serversOf, directory),
    files: new Map([
      [paths.router, placeRouter(router, directory, paths)],
      ...model.authorities.map(({ id, pem }): [string, string] => [authorityPath(directory, id), pem]),
    ]),
  }
}

/** What a client connects to does not depend on routes. */
function frontendsOf(entrance: Entrance, paths: Paths, place: Place): readonly Section[] {
  const { id, port, shownPort, protocol, listeners, trustedProxies, clientValidation, limits, because } = entrance
  const given = [id, port, shownPort, protocol, place.directory, because.object, because.field]
  const clients = [trustedProxies, clientValidation?.authority, clientValidation?.mode, limits]
  return frontends(listeners, [...given, ...clients], () => [
    ...streamSections(entrance, paths, place),
    ...(protocol === 'TCP' ? [] : [httpFrontend(entrance, paths, place)]),
  ])
}

/** Of a backend that is the same nothing is lowered again, nor of its servers. */
const sectionOf = perObject(lowerBackend)
const loweredBackends = perObjectGiven<BackendModel, LoweredBackend>()
const frontends = perObjectGiven<Entrance['listeners'], readonly Section[]>()
const textOf = perObjectGiven<Section, string>()

const noServers: readonly Server[] = []

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

/** The files of a gateway by path, to begin with or to reload from: what it would have been told at run time included. */
export function renderFiles(lowered: LoweredGateway): ReadonlyMap<string, string | Buffer> {
  const { directory, maps } = lowered
  const text = (section: Section, servers: readonly Server[]): string =>
    textOf(section, [servers], () => {
      const lines = servers.map(({ name, address, options }): Line => ['server', name, address, ...options])
      return renderConfig({ sections: [{ ...section, lines: [...section.lines, ...lines] }] })
    })
  const sections = [
    ...lowered.sections.map((section) => text(section, noServers)),
    ...lowered.backends.map(({ section, servers }) => text(section, servers)),
    ...freeSpares(lowered.spares).map((section) => text(section, noServers)),
  ]
  return new Map<string, string | Buffer>([
    ...lowered.certificates,
    ...[...lowered.staples].flatMap(([path, staple]): [string, string | Buffer][] => [
      [`${path}.issuer`, staple.issuer],
      [`${path}.ocsp`, bytesOf(staple)],
    ]),
    ...lowered.files,
    ...mapFiles(maps, [directory], () => renderMaps(lowered)),
    ...[...lowered.lists].map(([path, lines]): [string, string] => [path, `${lines.join('\n')}\n`]),
    [`${directory}/haproxy.cfg`, sections.join('\n')],
  ])
}

/** Pods that come and go change none of them. */
const mapFiles = perObjectGiven<LoweredMaps, readonly [string, string][]>()

function renderMaps({ directory, maps }: LoweredGateway): [string, string][] {
  return [...entriesOf(maps, maps.names)].map(([name, entries]) => [mapPath(directory, name), renderMap(entries)])
}
