import { covers, hostText } from './host.ts'
import { keepList } from './keyed.ts'
import { authorityPath, certificatePath, type Place } from './lower-words.ts'
import type { Certificate, Entrance, GatewayModel, ListenerModel, Staple } from './model.ts'
import { perObjectGiven } from './remember.ts'

export interface LoweredCertificates {
  /** PEM by path. */
  readonly certificates: ReadonlyMap<string, string>
  /** By path of the certificate. */
  readonly staples: ReadonlyMap<string, Staple>
  /** Which certificate is for which names, one list for each entrance with TLS; the first line is for all other names. */
  readonly lists: ReadonlyMap<string, readonly string[]>
}

/** `before`: the lists that HAProxy has. */
export function lowerCertificates(
  tls: readonly Entrance[],
  model: GatewayModel,
  place: Place,
  before?: LoweredCertificates['lists'],
): LoweredCertificates {
  const { directory } = place
  const all: (readonly [path: string, certificate: Pick<Certificate, 'pem' | 'staple'>])[] = [
    ...tls.map((one) => [defaultPath(directory, one), defaultOf(one, model, place)] as const),
    ...model.certificates.map((one) => [certificatePath(directory, one.id), one] as const),
  ]
  const given = [directory, place.defaultCertificate, ...tls.flatMap(({ id, listeners }) => [id, listeners]), before]
  const { certificates, lists } = certified(model.certificates, given, () => ({
    certificates: new Map(all.map(([path, { pem }]) => [path, pem])),
    lists: keepLists(
      before,
      new Map(
        tls.map((one) => {
          const path = `${directory}/${one.id}.list`
          return [path, listLines(one, model, directory, before?.get(path))]
        }),
      ),
    ),
  }))
  const staples = new Map(
    all.flatMap(([path, { staple }]) =>
      staple !== undefined && staple.expiresMs > place.nowMs ? [[path, staple] as const] : [],
    ),
  )
  return { certificates, staples, lists }
}

const certified = perObjectGiven<GatewayModel['certificates'], Omit<LoweredCertificates, 'staples'>>()

type Lists = LoweredCertificates['lists']

/** Those of before as long as they say the same. */
function keepLists(before: Lists | undefined, now: Lists): Lists {
  const isSame = before?.size === now.size && [...now].every(([path, lines]) => before.get(path) === lines)
  return isSame ? before : now
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
function listLines(
  entrance: Entrance,
  { certificates }: GatewayModel,
  directory: string,
  before: readonly string[] | undefined,
): readonly string[] {
  const { listeners } = entrance
  const byId = new Map(certificates.map((one) => [one.id, one]))
  const isAsking = listeners.some(({ clientAuthority }) => clientAuthority !== undefined)
  const heads = new Map<string, string>()
  const add = (name: string, path: string, { clientAuthority }: ListenerModel): void => {
    if (!heads.has(name)) heads.set(name, [path, ...asking(clientAuthority, directory)].join(' '))
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
  if (isAsking) return [byDefault, ...apart(heads)]
  return keepList(before, [byDefault, ...linesOf(heads, before?.slice(1) ?? [])])
}

/** Bytes of a line: it has to fit into a command. */
const longestLine = 8000

/** A line for many names: each line costs HAProxy a context of TLS, of 25 KB. Those of before stay as they are, as long as they are right. */
function linesOf(heads: ReadonlyMap<string, string>, before: readonly string[]): string[] {
  const rest = new Map(heads)
  const kept = before.filter((line) => {
    const [path = '', ...names] = line.split(' ')
    const isRight = names.every((name) => heads.get(name) === path)
    if (isRight) for (const name of names) rest.delete(name)
    return isRight
  })
  const lines: string[] = []
  const open = new Map<string, number>()
  for (const [name, head] of rest) {
    const at = open.get(head)
    if (at !== undefined && lines[at]!.length + name.length < longestLine) lines[at] += ` ${name}`
    else open.set(head, lines.push(`${head} ${name}`) - 1)
  }
  return [...kept, ...lines]
}

/** What a connection for the names of a line is asked. */
function asking(authority: string | undefined, directory: string): string[] {
  return authority === undefined ? [] : [`[ca-file ${authorityPath(directory, authority)} verify optional]`]
}

/** HAProxy would rather take a wildcard's ECDSA than a name's RSA, and with it what the wildcard asks: so wildcards leave out the names that have lines. */
function apart(heads: ReadonlyMap<string, string>): string[] {
  const names = [...heads.keys()]
  return [...heads].map(([name, head]) => {
    const line = `${head} ${name}`
    if (!name.startsWith('*.')) return line
    const own = names.filter((one) => one.endsWith(name.slice(1)) && !one.slice(0, 1 - name.length).includes('.'))
    return [line, ...own.filter((one) => one !== name).map((one) => `!${one}`)].join(' ')
  })
}
