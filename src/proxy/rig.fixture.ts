import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, createServer, type IncomingMessage, request, type Server } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import { type Server as NetServer, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildRig, host, quietLog, type Rig, type Station } from '../agent/rig.fixture.ts'
import type { Client, Informer, Resource } from '../client/index.ts'
import { ChangeFeed, keyOf, LiveSnapshot } from '../cluster/index.ts'
import { type Namespace, spawnIn } from '../host/index.ts'
import type { KubeObject } from '../objects/index.ts'
import { GatewaysModule } from './module.ts'

export interface CurlAnswer {
  readonly status: number
  readonly head: string
  readonly body: string
}

/** A gateway on the node of a rig, with an HTTP server in each backend namespace, asked from outside. */
export class GatewayRig {
  readonly rig: Rig = buildRig()
  readonly directory = mkdtempSync(join(tmpdir(), 'plumb-gateway-'))
  readonly log = quietLog()
  /** What the gateway wrote to the API server: patches of its Node, events. */
  readonly told: object[] = []
  readonly module: GatewaysModule
  readonly #feed = new ChangeFeed()
  readonly #snapshot = new LiveSnapshot(this.#feed)
  readonly #listeners = new Map<string, (old: undefined, current: KubeObject | undefined, key: string) => void>()
  readonly #servers: Server[] = []
  readonly #http2Servers: NetServer[] = []

  constructor(drainMs = 0, hungMs = 10_000) {
    const informer = ({ kind }: Resource): Informer<never> =>
      ({
        start: () => Promise.resolve(),
        onChange: (listener: never) => {
          this.#listeners.set(kind, listener)
          return () => this.#listeners.delete(kind)
        },
      }) as unknown as Informer<never>
    const client = {
      informer,
      patch: (_resource: Resource, _namespace: undefined, name: string, _type: 'merge', patch: object) => {
        this.told.push({ name, ...patch })
        return Promise.resolve()
      },
      create: (_resource: Resource, object: KubeObject) => {
        this.told.push(object)
        return Promise.resolve()
      },
    } as unknown as Client
    this.module = new GatewaysModule({
      client,
      host,
      namespace: this.rig.node,
      directory: this.directory,
      nodeName: 'node',
      log: this.log,
      drainMs,
      hungMs,
    })
  }

  /** Puts or removes objects and resolves when the gateway has them. */
  async change(put: readonly KubeObject[], remove: readonly KubeObject[] = []): Promise<void> {
    for (const object of put) this.#set(object, object)
    for (const object of remove) this.#set(object, undefined)
    this.module.update(this.#snapshot, undefined, this.#feed.take())
    await this.module.settled()
  }

  #set(object: KubeObject, current: KubeObject | undefined): void {
    const key = keyOf(object)
    if (object.kind === 'Service') this.#snapshot.put('services', key, current as never)
    else if (object.kind === 'EndpointSlice') this.#snapshot.put('slices', key, current as never)
    else this.#listeners.get(object.kind)?.(undefined, current, key)
  }

  /** Answers `STATION:PORT` and what it was asked with. */
  serve(station: Station, port: number, told?: (asked: IncomingMessage, body: string) => void): Server {
    const server = createServer((asked: IncomingMessage, answer) => {
      let body = ''
      asked.on('data', (data: Buffer) => {
        body += data.toString()
      })
      asked.on('end', () => told?.(asked, body))
      answer.end(JSON.stringify({ from: `${station.name}:${port}`, path: asked.url, headers: asked.headers }))
    })
    server.on('upgrade', (_, socket) => {
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n',
      )
      socket.pipe(socket)
    })
    server.keepAliveTimeout = 0
    server.listen({ fd: host.listenTcp(station.namespace, station.addresses[4], port).fd })
    this.#servers.push(server)
    return server
  }

  /** Answers HTTP/2 without TLS, with a trailer as gRPC has it. */
  serveHttp2(station: Station, port: number): void {
    const server = createHttp2Server()
    server.on('stream', (stream, headers) => {
      stream.respond({ ':status': 200, 'x-authority': headers[':authority'] }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      stream.end(JSON.stringify({ from: `${station.name}:${port}` }))
    })
    server.listen({ fd: host.listenTcp(station.namespace, station.addresses[4], port).fd })
    this.#http2Servers.push(server)
  }

  /** A connection from outside to the node. */
  connect(port: number): Socket {
    return new Socket({ fd: host.connectTcp(this.rig.outsider.namespace, this.rig.nodeAddresses[4], port).fd })
  }

  /** An HTTP agent whose connections begin outside. */
  agent(keepAlive: boolean): Agent {
    const agent = new Agent({ keepAlive, maxSockets: 4 })
    Object.assign(agent, { createConnection: ({ port }: { port: number }) => this.connect(port) })
    return agent
  }

  ask(
    name: string,
    path: string,
    agent = this.agent(false),
    port = 80,
  ): Promise<{ status: number; from: string; body: string }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; from: string; body: string }>()
    const asked = request({ agent, port, path, headers: { host: name } }, (answer) => {
      let body = ''
      answer.setEncoding('utf8')
      answer.on('data', (text: string) => {
        body += text
      })
      answer.on('error', reject)
      answer.on('end', () => {
        const from = answer.statusCode === 200 ? (JSON.parse(body).from as string) : ''
        resolve({ status: answer.statusCode ?? 0, from, body })
      })
    })
    asked.on('error', reject)
    asked.end()
    return promise
  }

  /** Has objects for as long as something runs. */
  async serving(objects: readonly KubeObject[], run: () => Promise<void>): Promise<void> {
    await this.change(objects)
    try {
      await run()
    } finally {
      await this.change([], objects)
    }
  }

  /** What the real curl prints, run outside. */
  curl(...words: readonly string[]): Promise<string> {
    return this.run('curl', '-s', '-m', '10', ...words)
  }

  /** What the real curl gets from a host at port 80, with status, head and body apart. */
  async answer(name: string, path: string, ...words: readonly string[]): Promise<CurlAnswer> {
    const said = await this.curl('-i', '-H', `host: ${name}`, ...words, `http://203.0.113.1${path}`)
    const [head = '', body = ''] = said.split('\r\n\r\n')
    return { status: Number(head.slice(9, 12)), head, body }
  }

  /** What a program prints, run outside with nothing to read. */
  run(program: string, ...words: readonly string[]): Promise<string> {
    return this.runIn(this.rig.outsider.namespace, program, ...words)
  }

  /** The same in any namespace. */
  runIn(namespace: Namespace, program: string, ...words: readonly string[]): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>()
    const child = spawnIn(namespace, program, words, {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let out = ''
    child.stdout?.on('data', (data: Buffer) => {
      out += data.toString()
    })
    child.once('close', () => resolve(out))
    return promise
  }

  async close(): Promise<void> {
    await this.module.close()
    for (const server of this.#servers) {
      server.closeAllConnections()
      server.close()
    }
    for (const server of this.#http2Servers) server.close()
    this.rig.close()
    rmSync(this.directory, { recursive: true })
  }
}

/** A TLS Secret in namespace `ns` for names, with a fresh key. */
export function tlsSecret(
  name: string,
  subject: string,
  ...hosts: readonly string[]
): KubeObject & { data: Record<string, string> } {
  return makeSecret(name, subject, hosts, ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'])
}

/** One whose key is sound but of so many bits, by RSA. */
export function rsaTlsSecret(name: string, host: string, bits: number): KubeObject & { data: Record<string, string> } {
  return makeSecret(name, host, [host], [`rsa:${bits}`])
}

function makeSecret(
  name: string,
  subject: string,
  hosts: readonly string[],
  key: readonly string[],
): KubeObject & { data: Record<string, string> } {
  const directory = mkdtempSync(join(tmpdir(), 'plumb-tls-'))
  try {
    const [keyFile, certificate] = [join(directory, 'key'), join(directory, 'crt')]
    const names = `subjectAltName=${hosts.map((one) => (one.startsWith('URI:') ? one : `DNS:${one}`)).join(',')}`
    const words = ['req', '-x509', '-newkey', ...key, '-nodes', '-days', '2']
    spawnSync('openssl', [
      ...words,
      '-subj',
      `/CN=${subject}`,
      '-addext',
      names,
      '-keyout',
      keyFile,
      '-out',
      certificate,
    ])
    const read = (file: string): string => spawnSync('cat', [file]).stdout.toString('base64')
    return {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace: 'ns' },
      type: 'kubernetes.io/tls',
      data: { 'tls.crt': read(certificate), 'tls.key': read(keyFile) },
    } as never
  } finally {
    rmSync(directory, { recursive: true })
  }
}
