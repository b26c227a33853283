import { type MapEntries, renderEntry } from './map.ts'

/** What HAProxy 2.6 can change while it runs (Management Guide 9.3). Files and paths are those that the configuration names. */
export type Command =
  | { readonly kind: 'add-server'; readonly backend: string; readonly server: Server }
  | { readonly kind: 'remove-server'; readonly backend: string; readonly server: string }
  | { readonly kind: 'set-map'; readonly path: string; readonly entries: MapEntries }
  | {
      readonly kind: 'edit-map'
      readonly path: string
      readonly add: MapEntries
      readonly change: MapEntries
      readonly remove: readonly string[]
    }
  | {
      readonly kind: 'set-certificate'
      readonly path: string
      readonly pem: string
      readonly fresh: boolean
      /** Of an OCSP responder: DER in base64, and PEM. */
      readonly staple?: { readonly response: string; readonly issuer: string }
    }
  /** In the place of the one for the same certificate. */
  | { readonly kind: 'set-staple'; readonly response: string }
  | { readonly kind: 'list-certificate'; readonly list: string; readonly line: string }

/** One server of a backend; `options` are words as on a `server` line. */
export interface Server {
  readonly name: string
  /** `10.244.1.7:8080`, `[fd00::7]:8080` as `fd00::7:8080`: HAProxy takes what follows the last colon for the port. */
  readonly address: string
  readonly options: readonly string[]
}

/** Bytes of one command, payload included: a command must fit into `tune.bufsize` (16 KiB). */
const maxCommandBytes = 12_000

/** One exchange on the socket: what is written, and what the answer must look like. */
export interface Exchange {
  readonly request: string
  readonly expect: RegExp
}

/** What a server has that the configuration names: without these words HAProxy 2.6 keeps no idle connection to one that it is told of later. */
const kept = 'pool-max-conn -1 pool-purge-delay 5s'

/** The exchanges of a command, in order. `version` is the map's new version, which `prepare` answers (see `prepareMap`). */
export function renderCommand(command: Exclude<Command, { kind: 'set-map' }>): readonly Exchange[] {
  switch (command.kind) {
    case 'add-server': {
      const { backend, server } = command
      const id = `${backend}/${server.name}`
      const words = ['add server', id, server.address, ...server.options, kept].join(' ')
      // A server that was on its way out may still be there, in maintenance, waiting for its last connection.
      return [
        { request: words, expect: /^(New server registered|.*[Aa]lready exists)/ },
        { request: `set server ${id} state ready`, expect: /^$/ },
      ]
    }
    case 'remove-server': {
      const id = `${command.backend}/${command.server}`
      return [{ request: `set server ${id} state maint`, expect: /^$/ }]
    }
    case 'edit-map': {
      const { path, add, change, remove } = command
      return [
        ...addLines(`add map ${path}`, add),
        ...[...change].map(([key, value]) => {
          renderEntry(key, value)
          return { request: `set map ${path} ${word(key)} ${word(value)}`, expect: /^$/ }
        }),
        ...remove.map((key) => ({ request: `del map ${path} ${word(key)}`, expect: /^$/ })),
      ]
    }
    case 'set-certificate': {
      const { path, pem, fresh, staple } = command
      return [
        ...(fresh ? [{ request: `new ssl cert ${path}`, expect: /^New empty certificate store/ }] : []),
        setPart(path, pem),
        // The certificate takes away what there was of both.
        ...(staple === undefined
          ? []
          : [setPart(`${path}.issuer`, staple.issuer), setPart(`${path}.ocsp`, staple.response)]),
        { request: `commit ssl cert ${path}`, expect: /Success!/ },
      ]
    }
    case 'set-staple':
      return [{ request: `set ssl ocsp-response <<\n${command.response}\n`, expect: /^OCSP Response updated/ }]
    case 'list-certificate':
      return [{ request: `add ssl crt-list ${command.list} <<\n${command.line}\n`, expect: /Success!/ }]
    default:
      return command satisfies never
  }
}

/** A part of a certificate's transaction. */
function setPart(path: string, text: string): Exchange {
  // A blank line ends the payload.
  const payload = text.split(/\r?\n/).filter((line) => line.trim() !== '')
  return { request: `set ssl cert ${path} <<\n${payload.join('\n')}\n`, expect: /^Transaction (created|updated)/ }
}

/** Asks for a new version of a map; `findVersion` reads the answer. Lookups see the old one until `commitMap`. */
export function prepareMap(path: string): string {
  return `prepare map ${path}`
}

export function findVersion(answer: string): number | undefined {
  const version = /New version created: (\d+)/.exec(answer)?.[1]
  return version === undefined ? undefined : Number(version)
}

/** Fills a prepared version and makes it the one that lookups see, whole. */
export function fillMap(path: string, version: number, entries: MapEntries): readonly Exchange[] {
  const added = addLines(`add map @${version} ${path}`, entries)
  return [...added, { request: `commit map @${version} ${path}`, expect: /^$/ }]
}

/** A word of a command: blanks, semicolons and `<<` mean something there. */
function word(text: string): string {
  return text.replace(/[^\w./:|=*?%,-]/g, '\\$&')
}

/** A command with lines as its payload, as often as they need. */
function addLines(command: string, entries: MapEntries): Exchange[] {
  const exchanges: Exchange[] = []
  let lines: string[] = []
  let bytes = 0
  const flush = (): void => {
    if (lines.length === 0) return
    exchanges.push({ request: `${command} <<\n${lines.join('\n')}\n`, expect: /^$/ })
    lines = []
    bytes = 0
  }
  for (const [key, value] of entries) {
    const line = renderEntry(key, value)
    const size = Buffer.byteLength(line) + 1
    if (bytes + size > maxCommandBytes) flush()
    lines.push(line)
    bytes += size
  }
  flush()
  return exchanges
}

/** Removes a server that was put into maintenance; refused while connections are left. */
export function deleteServer(backend: string, server: string): Exchange {
  return { request: `del server ${backend}/${server}`, expect: /^Server deleted/ }
}
