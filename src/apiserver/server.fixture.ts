import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import {
  type ApiServer,
  type ApiServerOptions,
  createAuthority,
  issueApiServerCertificate,
  issueCertificate,
  type KeyPair,
  startApiServer,
} from './index.ts'

/** The certificates of a test cluster. */
export interface Certificates {
  readonly authority: KeyPair
  readonly server: KeyPair
  readonly admin: KeyPair
}

/** Makes a CA, a server certificate for loopback, and an administrator's. */
export async function makeCertificates(): Promise<Certificates> {
  const authority = await createAuthority('plumb-test-ca')
  const server = await issueApiServerCertificate(authority, { addresses: [], clusterDomain: 'cluster.local' })
  const admin = await issueCertificate(authority, {
    commonName: 'admin',
    organizations: ['system:masters'],
    usages: ['client'],
  })
  return { authority, server, admin }
}

/** An answer as tests look at it. */
export interface TestAnswer {
  readonly code: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into any answer
  readonly body: any
}

/** A client of a test server: plain requests and watches. */
export interface TestClient {
  readonly port: number
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<TestAnswer>
  watch(path: string, headers?: Record<string, string>): Promise<TestWatch>
  close(): void
}

/** A watch whose events are awaited one by one. */
export interface TestWatch {
  readonly code: number
  // biome-ignore lint/suspicious/noExplicitAny: tests look into any event
  next(): Promise<any>
  /** Resolves when the server ended the answer; the events that nobody took. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into any event
  ended(): Promise<any[]>
  close(): void
}

/** A client with the administrator's certificate, or without one. */
export function openClient(port: number, { authority, admin }: Certificates, anonymous = false): TestClient {
  const agent = new Agent({
    keepAlive: true,
    ca: authority.cert,
    ...(anonymous ? {} : { key: admin.key, cert: admin.cert }),
  })
  const open = (method: string, path: string, headers: Record<string, string>, body?: Buffer) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = request({ host: '127.0.0.1', port, method, path, headers, agent }, resolve)
      outgoing.on('error', reject)
      outgoing.end(body)
    })
  return {
    port,
    async call(method, path, body, headers = {}) {
      const bytes =
        body === undefined
          ? undefined
          : typeof body === 'string' || Buffer.isBuffer(body)
            ? Buffer.from(body)
            : Buffer.from(JSON.stringify(body))
      const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
      // Node leaves the length of a DELETE's body out.
      const typed: Record<string, string> =
        bytes === undefined ? {} : { 'content-type': type, 'content-length': String(bytes.length) }
      const response = await open(method, path, { ...typed, ...headers }, bytes)
      const chunks: Buffer[] = []
      for await (const chunk of response) chunks.push(chunk as Buffer)
      const text = Buffer.concat(chunks).toString()
      const json =
        /json/.test(response.headers['content-type'] ?? '') && response.headers['content-encoding'] === undefined
      return {
        code: response.statusCode ?? 0,
        headers: response.headers,
        text,
        body: json && text !== '' ? JSON.parse(text) : undefined,
      }
    },
    async watch(path, headers = {}) {
      return readWatch(await open('GET', path, headers))
    },
    close: () => agent.destroy(),
  }
}

function readWatch(response: IncomingMessage): TestWatch {
  const events: unknown[] = []
  const waiting: ((event: unknown) => void)[] = []
  let rest = ''
  let end: () => void
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  response.setEncoding('utf8')
  response.on('data', (chunk: string) => {
    rest += chunk
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const event = JSON.parse(line) as unknown
      const waiter = waiting.shift()
      if (waiter === undefined) events.push(event)
      else waiter(event)
    }
  })
  response.on('error', () => undefined)
  response.on('close', () => end())
  return {
    code: response.statusCode ?? 0,
    next: () => new Promise((resolve) => (events.length > 0 ? resolve(events.shift()) : waiting.push(resolve))),
    ended: async () => {
      await ended
      return events.splice(0)
    },
    close: () => response.destroy(),
  }
}

/** A ConfigMap. */
export function configMap(name: string, data: Record<string, string> = {}, labels?: Record<string, string>) {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...(labels ? { labels } : {}) }, data }
}

/** A server in memory on a free port of loopback, with a client; `await using` closes both. */
export interface TestServer extends AsyncDisposable {
  readonly server: ApiServer
  readonly client: TestClient
  readonly certificates: Certificates
}

/** Options of a test server. */
export function testOptions(
  { authority, server, admin }: Certificates,
  more: Partial<ApiServerOptions> = {},
): ApiServerOptions {
  return {
    dataDir: ':memory:',
    listeners: [{ host: '127.0.0.1', port: 0 }],
    tls: { ...server, clientCa: authority.cert },
    kubelet: { ...admin, ca: authority.cert },
    serviceCidrs: ['10.96.0.0/16', 'fd00:96::/112'],
    advertise: { addresses: ['172.30.0.2'], port: 6443 },
    ...more,
  }
}

let shared: Promise<Certificates> | undefined

/** Starts a test server. */
export async function startTestServer(more: Partial<ApiServerOptions> = {}): Promise<TestServer> {
  shared ??= makeCertificates()
  const certificates = await shared
  const server = await startApiServer(testOptions(certificates, more))
  const client = openClient(server.addresses[0]!.port, certificates)
  return {
    server,
    client,
    certificates,
    async [Symbol.asyncDispose]() {
      client.close()
      await server.close()
    },
  }
}
