import { mkdirSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { dirname } from 'node:path'
import { hostName, parseLogLine } from '../gateways/index.ts'
import { parseTermination } from '../haproxy/index.ts'

/** One request or stream that the gateway of this node had, when it is over. Empty texts and -1 are what never came to be. */
export interface HttpFlow {
  /** Counts up from 1 since the agent began. */
  readonly sequence: number
  /** Milliseconds since 1970, of its beginning. */
  readonly time: number
  readonly client: string
  /** `http`, `https`, or `namespace:gateway:port`. */
  readonly entrance: string
  /** `httproute/NAMESPACE/NAME/RULE`, `ingress/NAMESPACE/NAME`. */
  readonly route: string
  /** `namespace:service:port`, or the gateway's own that answered. */
  readonly backend: string
  /** Address and port of the pod. */
  readonly server: string
  /** `namespace/name` of the pod that has them now; empty where none has. */
  readonly pod: string
  readonly id: string
  readonly method: string
  readonly host: string
  readonly path: string
  readonly sni: string
  readonly status: number
  /** HAProxy's letters, and what they mean: who ended it, and the error of RFC 9209. */
  readonly state: string
  readonly by: 'nobody' | 'client' | 'server' | 'gateway'
  readonly says: string
  readonly error: string
  readonly bytes: number
  readonly retries: number
  readonly requestMs: number
  readonly connectMs: number
  readonly firstByteMs: number
  readonly totalMs: number
}

/** What `POST /flows/http` is asked: those after a sequence number, of routes or backends of a namespace. */
export interface HttpFlowsRequest {
  readonly after?: number
  readonly namespace?: string
}

export interface HttpFlowsResponse {
  readonly flows: readonly HttpFlow[]
  /** What to ask for next time as `after`. */
  readonly next: number
}

const kept = 4096
const longestLine = 16_384

/** The last requests of a node, as HAProxy tells them over a unix socket, a line each; what one says is read when somebody asks. */
export class FlowLog {
  /** The last is that of sequence number `#last`. */
  #lines: string[] = []
  readonly #path: string
  #last = 0
  #server: Server | undefined

  constructor(path: string) {
    this.#path = path
  }

  /** Listens; HAProxy connects by itself, again after each reload. Resolves when it can. */
  async start(): Promise<void> {
    if (this.#server !== undefined) return
    // What an agent that was killed left behind.
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 })
    rmSync(this.#path, { force: true })
    const server = createServer((socket) => {
      let rest = ''
      socket.setEncoding('utf8')
      socket.on('error', () => {})
      socket.on('data', (text: string) => {
        const lines = (rest + text).split('\n')
        rest = (lines.pop() ?? '').slice(0, longestLine)
        this.take(lines)
      })
    })
    this.#server = server
    // Nothing waits for the log.
    server.unref()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    server.once('error', reject)
    server.listen(this.#path, resolve)
    await promise
  }

  /** `podOf` names who has an address and port. */
  answer(request: HttpFlowsRequest, podOf: (server: string) => string | undefined): HttpFlowsResponse {
    const after = Number.isInteger(request?.after) ? request.after! : 0
    const { namespace } = request ?? {}
    // One who counts on from an earlier life of the agent begins anew.
    const begin = after > this.#last ? 0 : after
    const lines = this.#lines.slice(-kept)
    const flows = lines.flatMap((line, at) => {
      const sequence = this.#last - lines.length + 1 + at
      const told = sequence > begin ? parseLogLine(line) : undefined
      return told === undefined ? [] : [flowOf(told, sequence)]
    })
    const isWanted = ({ route, backend }: Omit<HttpFlow, 'pod'>): boolean =>
      namespace === undefined || route.split('/')[1] === namespace || backend.startsWith(`${namespace}:`)
    const named = flows.filter(isWanted).map((flow) => ({ ...flow, pod: podOf(flow.server) ?? '' }))
    return { flows: named, next: this.#last }
  }

  close(): void {
    this.#server?.close()
    this.#server = undefined
  }

  /** Takes lines as they come. */
  take(lines: readonly string[]): void {
    this.#last += lines.length
    this.#lines.push(...lines)
    if (this.#lines.length > 2 * kept) this.#lines = this.#lines.slice(-kept)
  }
}

function flowOf(told: Readonly<Record<string, string>>, sequence: number): Omit<HttpFlow, 'pod'> {
  const text = (name: string): string => {
    const value = told[name] ?? ''
    return value === '<NOSRV>' || value === '<BADREQ>' ? '' : value
  }
  const number = (name: string): number => (text(name) === '' ? -1 : Number(text(name)))
  const state = text('state') || '--'
  const ended = parseTermination(state)
  // Where it knows more than HAProxy's letters tell, the gateway says it in words.
  const [, error, details] = /error=(\w+); details="([^"]*)"/.exec(text('reason')) ?? []
  return {
    sequence,
    time: Math.round(number('time') * 1000),
    client: text('client'),
    entrance: text('entrance'),
    route: text('route'),
    backend: text('backend'),
    server: text('server').replace(/-(\d+)$/, ':$1'),
    id: text('id'),
    method: text('method'),
    host: hostName(text('host')),
    path: text('path'),
    sni: text('sni'),
    status: number('status'),
    state,
    by: ended?.by ?? 'gateway',
    says: details ?? ended?.says ?? '',
    error: error ?? ended?.error ?? '',
    bytes: number('bytes'),
    retries: Number.parseInt(text('retries').replace('+', ''), 10) || 0,
    requestMs: number('requestMs'),
    connectMs: number('connectMs'),
    firstByteMs: number('firstByteMs'),
    totalMs: number('totalMs'),
  }
}
