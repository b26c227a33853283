import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { longestUrl, parseAskedUrl } from './asked-url.ts'
import { ChangeEvents } from './change-events.ts'
import { FlowFeed } from './flow-feed.ts'
import { Guard } from './guard.ts'
import { HolderJournal } from './holder-journal.ts'
import { PageFiles } from './page-files.ts'
import { type Desk, routes } from './routes.ts'
import type { Source } from './source.ts'

/** A page that is served. */
export interface Ui {
  /** The first URL, with the token in it. */
  readonly url: string
  close(): Promise<void>
}

/** So many questions are answered at once; more are told to come again. */
const mostAsked = 16

const headers = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

/** Serves the page for whoever has the URL; resolves when it listens. */
export async function serveUi(source: Source, listen: { readonly host: string; readonly port: number }): Promise<Ui> {
  const server = createServer({ maxHeaderSize: 16_384 })
  const guard = new Guard(() => (server.address() as AddressInfo).port)
  const desk = new Reception(source, guard)
  server.on('request', (request: IncomingMessage, response: ServerResponse) => void desk.receive(request, response))
  await listening(server, listen)
  const { port } = server.address() as AddressInfo
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host
  return {
    url: `http://${host}:${port}/?token=${guard.token}`,
    close: async () => {
      desk.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function listening(server: Server, { host, port }: { readonly host: string; readonly port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
}

class Reception {
  readonly #desk: Desk
  readonly #guard: Guard
  readonly #files = new PageFiles()
  readonly #changes: ChangeEvents
  readonly #flows: Readonly<Record<string, FlowFeed>>
  #asked = 0

  constructor(source: Source, guard: Guard) {
    const journal = new HolderJournal()
    this.#desk = { source, journal }
    this.#guard = guard
    this.#changes = new ChangeEvents(source, journal)
    const { agents } = source
    this.#flows =
      agents === undefined ? {} : { denied: new FlowFeed(agents, 'denied'), http: new FlowFeed(agents, 'http') }
  }

  close(): void {
    this.#changes.close()
    for (const feed of Object.values(this.#flows)) feed.close()
  }

  async receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
    try {
      await this.#answer(request, response)
    } catch (error) {
      if (response.headersSent) response.destroy()
      else send(response, 500, { error: (error as Error).message })
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!this.#guard.isHost(request)) return send(response, 421, { error: 'that is not a name of this page' })
    if (request.method !== 'GET') {
      response.setHeader('allow', 'GET')
      return send(response, 405, { error: 'nothing is changed here: only GET is answered' })
    }
    const url = parseAskedUrl(request.url ?? '/')
    if (typeof url === 'string')
      return send(response, (request.url ?? '').length > longestUrl ? 414 : 400, { error: url })
    const { path, parameters } = url
    if (path === '/' && parameters.token !== undefined && this.#guard.isToken(parameters.token)) {
      response.writeHead(303, { location: '/', 'set-cookie': this.#guard.cookie }).end()
      return
    }
    if (!this.#guard.isKnown(request))
      return send(response, 403, { error: 'open the URL that plumb ui printed, with its token' })
    const file = this.#files.find(path)
    if (file !== undefined) {
      response.writeHead(200, { 'content-type': file.type }).end(file.body)
      return
    }
    if (path === '/api/changes') return this.#stream(response, this.#changes.add(request, response))
    const feed = path === '/api/flows' ? this.#flows[parameters.kind ?? ''] : undefined
    if (feed !== undefined) return this.#stream(response, feed.add(request, response))
    await this.#ask(response, path, parameters)
  }

  #stream(response: ServerResponse, isOpen: boolean): void {
    if (!isOpen) send(response, 429, { error: 'too many pages look at this' })
  }

  async #ask(response: ServerResponse, path: string, parameters: Readonly<Record<string, string>>): Promise<void> {
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined
    if (route === undefined) return send(response, 404, { error: `there is no ${path}` })
    if (this.#asked >= mostAsked) {
      response.setHeader('retry-after', '1')
      return send(response, 429, { error: `${mostAsked} questions are being answered; ask again` })
    }
    this.#asked += 1
    try {
      const { status, body } = await route(this.#desk, parameters)
      send(response, status, body)
    } finally {
      this.#asked -= 1
    }
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
