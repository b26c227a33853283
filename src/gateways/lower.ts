import type { ObjectKey } from '../cluster/index.ts'
import { type Line, renderConfig, renderMap, type Section, type Server } from '../haproxy/index.ts'
import { covers, hostText } from './host.ts'
import { answeringBackends, lowerBackend, lowerServer } from './lower-backends.ts'
import { frame, placeRouter } from './lower-frame.ts'
import { httpFrontend } from './lower-http.ts'
import { limitTables } from './lower-limits.ts'
import { entriesOf, type LoweredMaps, lowerMaps } from './lower-maps.ts'
import { calledIn, freeSpares, noSpares, type Spares } from './lower-spares.ts'
import { streamSections } from './lower-stream.ts'
import { authorityPath, certificatePath, mapPath, type Paths, type Place, pathsIn } from './lower-words.ts'
import type { BackendModel, Certificate, Entrance, GatewayModel, ListenerModel, ServerModel, Staple } from './model.ts'
import { perObject, perObjectGiven } from './remember.ts'
import { originsOf, type TlsOrigin } from './tls-origin.ts'
import { isCrypt } from './users.ts'

/** A gateway in HAProxy's words. What is only in the structure needs a reload, the rest can change while it runs. */
export interface LoweredGateway {
  readonly directory: string
  /** All but those of backends. */
  readonly sections: readonly Section[]
  /** Place by place as the model has them. */
  readonly backends: readonly LoweredBackend[]
  readonly spares: Spares
  readonly maps: LoweredMaps
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
    ...lowerCertificates(tls, model, place),
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

type LoweredCertificates = Pick<LoweredGateway, 'certificates' | 'staples' | 'lists'>

function lowerCertificates(tls: readonly Entrance[], model: GatewayModel, place: Place): LoweredCertificates {
  const { directory } = place
  const all: (readonly [path: string, certificate: Pick<Certificate, 'pem' | 'staple'>])[] = [
    ...tls.map((one) => [defaultPath(directory, one), defaultOf(one, model, place)] as const),
    ...model.certificates.map((one) => [certificatePath(directory, one.id), one] as const),
  ]
  const given = [directory, place.defaultCertificate, ...tls.flatMap(({ id, listeners }) => [id, listeners])]
  const { certificates, lists } = certified(model.certificates, given, () => ({
    certificates: new Map(all.map(([path, { pem }]) => [path, pem])),
    lists: new Map(tls.map((one) => [`${directory}/${one.id}.list`, listLines(one, model, directory)])),
  }))
  const staples = new Map(
    all.flatMap(([path, { staple }]) =>
      staple !== undefined && staple.expiresMs > place.nowMs ? [[path, staple] as const] : [],
    ),
  )
  return { certificates, staples, lists }
}

/** Of a backend that is the same nothing is lowered again, nor of its servers. */
const sectionOf = perObject(lowerBackend)
const loweredBackends = perObjectGiven<BackendModel, LoweredBackend>()
const frontends = perObjectGiven<Entrance['listeners'], readonly Section[]>()
const certified = perObjectGiven<GatewayModel['certificates'], Pick<LoweredGateway, 'certificates' | 'lists'>>()
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
