import { type ChildProcess, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Namespace, spawnIn } from '../../src/host/index.ts'
import type { KubeObject } from '../../src/objects/index.ts'
import { serviceOf, sliceOf } from '../../src/proxy/gateway-objects.fixture.ts'
import { GatewayRig, tlsSecret } from '../../src/proxy/rig.fixture.ts'

export const name = 'bench.example'
export const node = '203.0.113.1'
const backendPort = 9000
const requestsEach = 4000
export const services = Array.from({ length: 10 }, (_, at) => `s${at}`)

export interface Contender {
  readonly title: string
  readonly pids: () => number[]
  readonly http?: number
  readonly https?: number
  /** The directory of `haproxy.cfg` and what it names, of one that is HAProxy. */
  readonly config?: string
}

interface LoadOptions {
  readonly station?: Namespace
  readonly to?: string
  readonly requests?: number
  readonly clients?: number
}

/** A gateway of Plumb in namespaces, with a backend that costs little and is not the measured process. */
export class Stand {
  readonly gateway = new GatewayRig()
  readonly directory = mkdtempSync(join(tmpdir(), 'plumb-bench-gateway-'))
  readonly #children: ChildProcess[] = []
  readonly #readers: Server[] = []
  #pem = ''

  static async open(): Promise<Stand> {
    const stand = new Stand()
    const backend = `defaults\n mode http\n timeout client 60s\n timeout http-keep-alive 60s\nfrontend f\n bind :${backendPort}\n http-request return status 200 content-type application/json string {}\n`
    await stand.#haproxy('backend', stand.gateway.rig.backends[0].namespace, backend)
    const secret = tlsSecret('bench', name, name)
    stand.#pem = ['tls.crt', 'tls.key'].map((key) => Buffer.from(secret.data[key]!, 'base64').toString()).join('')
    const [one] = stand.gateway.rig.backends
    const objects = services.flatMap((service) => [serviceOf(service), sliceOf(service, backendPort, one)])
    await stand.gateway.change([ourClass, secret, ...objects])
    return stand
  }

  /** So many paths of one host. */
  async serve(routes: number): Promise<void> {
    await this.gateway.change([ingress('bench', name, pathsOf(routes), services, true)])
    if (this.gateway.module.pid === undefined) throw new Error(this.gateway.log.lines.join('\n'))
  }

  /**
   * `full` does what Plumb's does beside routing: an id unless the request has one, forwarded headers, no dot segments, errors that say
   * who made them, no host on another host's connection, idempotent requests sent again where a server closes, and a log of the same words. `logged` has X-Forwarded-For and HAProxy's own
   * format. Both tell their log to the same kind of socket as Plumb's. `bare` only routes, and appends to X-Forwarded-For.
   */
  async byHand(title: 'full' | 'logged' | 'bare', routes: number, port: number): Promise<Omit<Contender, 'title'>> {
    const directory = join(this.directory, title)
    this.makeDirectory(directory)
    const map = join(directory, 'routes.map')
    const pem = join(directory, 'bench.pem')
    writeFileSync(
      map,
      pathsOf(routes)
        .map((path, at) => `${name}${path}/ ${services[at % services.length]}\n`)
        .join(''),
    )
    writeFileSync(pem, this.#pem)
    const [{ addresses }] = this.gateway.rig.backends
    const socket = join(directory, 'flows.sock')
    await this.#reader(socket)
    const ring = ['ring flows', ' format raw', ' maxlen 8192', ' size 1048576', ` server reader unix@${socket}`]
    const duties = [
      ' http-request set-header x-request-id %[uuid] unless { req.hdr(x-request-id) -m found }',
      ' capture request header host len 255',
      ' capture request header x-request-id len 128',
      ' http-request set-header x-forwarded-for %[src]',
      ' http-request set-header x-forwarded-proto %[ssl_fc,iif(https,http)]',
      ' http-request set-header x-forwarded-port %[dst_port]',
      ' http-request set-header x-forwarded-host %[req.hdr(host)]',
      ' http-request del-header forwarded',
      ' log ring@flows format raw local0',
      ' log-format "%Ts.%ms %ci %f %b %s %ts %B %rc %Tc %Tt %ST %TR %Tr %[ssl_fc_sni] %HM %HPO %hr"',
      " http-request return status 400 if { path -m reg -i '/(\\.|%2e){1,2}(/|$)' }",
      ' http-request return status 421 if { ssl_fc } !{ ssl_fc_sni,strcmp(txn.host) eq 0 }',
      ' http-response set-var(txn.answered) bool(true) if { status ge 400 }',
      ' http-after-response set-header proxy-status "gateway; error=proxy_internal_error" if { status ge 400 } !{ var(txn.answered) -m bool }',
    ]
    const again = [
      ' retry-on conn-failure empty-response',
      ' http-request disable-l7-retry unless { method GET HEAD OPTIONS TRACE PUT DELETE }',
    ]
    const lines = [
      'global',
      ' ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets',
      ...(title === 'bare' ? [] : ring),
      'defaults',
      ' mode http',
      ' timeout connect 3s',
      ' timeout client 60s',
      ' timeout server 60s',
      'frontend f',
      ` bind :${port}`,
      ` bind :${port + 1000} ssl crt ${pem} alpn h2,http/1.1`,
      ' http-request set-var(txn.host) req.hdr(host),lower,regsub(:[0-9]*$,,)',
      ...(title === 'full' ? duties : [' option forwardfor']),
      ...(title === 'logged' ? [' log ring@flows format raw local0', ' option httplog'] : []),
      ' http-request set-var(txn.path) path',
      ` use_backend %[var(txn.host),concat(,txn.path,/),map_beg(${map})]`,
      ...services.flatMap((service) => [
        `backend ${service}`,
        ...(title === 'full' ? again : []),
        ` server one ${addresses[4]}:${backendPort}`,
      ]),
      '',
    ]
    const child = await this.#haproxy(title, this.gateway.rig.node, lines.join('\n'))
    return { pids: () => treeOf(child.pid!), http: port, https: port + 1000, config: directory }
  }

  /** Routes, an id for each request, forwarded headers, a log in a file, connections to pods that are kept. Undefined where it is not installed. */
  async nginx(routes: number, port: number): Promise<Omit<Contender, 'title'> | undefined> {
    if (spawnSync('nginx', ['-v']).error !== undefined) return undefined
    const directory = join(this.directory, 'nginx')
    this.makeDirectory(directory)
    const pem = join(directory, 'bench.pem')
    writeFileSync(pem, this.#pem)
    const [{ addresses }] = this.gateway.rig.backends
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    const forwarded = { for: '$remote_addr', proto: '$scheme', port: '$server_port', host: '$http_host' }
    const lines = [
      `daemon off; worker_processes ${availableParallelism()}; pid ${directory}/pid; error_log ${directory}/error.log;`,
      'events {}',
      'http {',
      ` access_log ${directory}/access.log combined buffer=64k;`,
      ' keepalive_requests 1000000; types_hash_max_size 4096; server_tokens off;',
      ...temporary.map((one) => ` ${one}_temp_path ${directory}/${one};`),
      ' proxy_http_version 1.1; proxy_set_header connection ""; proxy_set_header host $http_host;',
      ' proxy_set_header x-request-id $request_id; proxy_set_header forwarded "";',
      ...Object.entries(forwarded).map(([of, value]) => ` proxy_set_header x-forwarded-${of} ${value};`),
      ...services.map(
        (one) =>
          ` upstream ${one} { server ${addresses[4]}:${backendPort}; keepalive 64; keepalive_requests 1000000; }`,
      ),
      ` server { listen ${port}; listen ${port + 1000} ssl http2; server_name ${name};`,
      `  ssl_certificate ${pem}; ssl_certificate_key ${pem};`,
      ...pathsOf(routes).map(
        (path, at) => `  location ${path} { proxy_pass http://${services[at % services.length]}; }`,
      ),
      ' }',
      '}',
      '',
    ]
    writeFileSync(join(directory, 'nginx.conf'), lines.join('\n'))
    const child = spawnIn(this.gateway.rig.node, 'nginx', ['-c', join(directory, 'nginx.conf')], { stdio: 'ignore' })
    this.#children.push(child)
    for (let tries = 0; tries < 500 && child.exitCode === null; tries++) {
      if ((await this.load(port, 'http', routes, { requests: 1, clients: 1 }).catch(() => undefined))?.failed === 0)
        return { pids: () => treeOf(child.pid!), http: port, https: port + 1000 }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    throw new Error(`nginx does not start: ${readFileSync(join(directory, 'error.log'), 'utf8')}`)
  }

  makeDirectory(path: string): void {
    mkdirSync(path, { recursive: true })
  }

  /** Reads a log and throws it away. */
  async #reader(socket: string): Promise<void> {
    const reader = createServer((connection) => connection.on('error', () => {}).resume())
    this.#readers.push(reader)
    await new Promise<void>((resolve) => reader.listen(socket, resolve))
  }

  async nodeProxy(routes: number, port: number): Promise<Omit<Contender, 'title'>> {
    const [{ addresses }] = this.gateway.rig.backends
    const script = `
      const { Agent, createServer, request } = require('node:http')
      const agent = new Agent({ keepAlive: true })
      const routes = new Set(${JSON.stringify(pathsOf(routes))})
      createServer((asked, answer) => {
        if (!routes.has(asked.url)) return answer.writeHead(404).end()
        const { method, url: path, headers } = asked
        const sent = request({ agent, host: '${addresses[4]}', port: ${backendPort}, method, path, headers }, (got) => {
          answer.writeHead(got.statusCode, got.headers)
          got.pipe(answer)
        })
        sent.on('error', () => answer.writeHead(502).end())
        asked.pipe(sent)
      }).listen(${port}, '0.0.0.0', () => console.log('ready'))`
    const file = join(this.directory, 'proxy.cjs')
    writeFileSync(file, script)
    const child = spawnIn(this.gateway.rig.node, process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#children.push(child)
    await new Promise((resolve) => child.stdout!.once('data', resolve))
    return { pids: () => [child.pid!], http: port }
  }

  /** Microseconds of CPU a request, and requests a second. */
  async measure(proxy: Contender, scheme: 'http' | 'https', routes: number): Promise<{ cpu: number; rate: number }> {
    const before = cpuNs(proxy.pids())
    const { requests, failed, rate } = await this.load(proxy[scheme]!, scheme, routes)
    const spent = cpuNs(proxy.pids()) - before
    if (failed > 0) throw new Error(`${proxy.title}: ${failed} of ${requests} requests failed`)
    return { cpu: spent / 1000 / requests, rate }
  }

  /** HTTP/1.1 by clients that keep their connections, from outside unless `station` is another namespace. */
  async load(
    port: number,
    scheme: 'http' | 'https',
    routes: number,
    { station, to = node, requests = requestsEach, clients = 32 }: LoadOptions = {},
  ): Promise<{ requests: number; failed: number; rate: number }> {
    const uris = join(this.directory, `${scheme}-${routes}.uris`)
    const paths = pathsOf(routes)
    const asked = Array.from({ length: Math.min(routes, 1000) }, (_, at) => paths[(at * 7919) % routes])
    writeFileSync(uris, asked.map((path) => `${scheme}://${name}${path}\n`).join(''))
    const words = [
      '--h1',
      '-n',
      String(requests),
      '-c',
      String(clients),
      '-t',
      '1',
      '-T',
      '10',
      '-N',
      '10',
      '--connect-to',
      `${to}:${port}`,
      '-i',
      uris,
    ]
    const said = await this.gateway.runIn(station ?? this.gateway.rig.outsider.namespace, 'h2load', ...words)
    const ok = Number(/(\d+) 2xx/.exec(said)?.[1] ?? Number.NaN)
    const rate = Number(/([\d.]+) req\/s/.exec(said)?.[1] ?? Number.NaN)
    if (Number.isNaN(ok)) throw new Error(`h2load said nothing that can be read:\n${said}`)
    return { requests, failed: requests - ok, rate }
  }

  async #haproxy(title: string, namespace: Namespace, config: string): Promise<ChildProcess> {
    const directory = join(this.directory, title)
    this.makeDirectory(directory)
    const file = join(directory, 'haproxy.cfg')
    const pid = join(directory, 'haproxy.pid')
    writeFileSync(file, config)
    const child = spawnIn(namespace, 'haproxy', ['-W', '-db', '-p', pid, '-f', file], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.#children.push(child)
    let said = ''
    child.stderr!.on('data', (data: Buffer) => {
      said += data.toString()
    })
    for (let tries = 0; tries < 500; tries++) {
      if (child.exitCode !== null) throw new Error(said)
      if (/Loading success/.test(said)) return child
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    throw new Error(`HAProxy does not start: ${said}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) child.kill('SIGTERM')
    for (const reader of this.#readers) reader.close()
    await this.gateway.close()
    rmSync(this.directory, { recursive: true })
  }
}

const ourClass = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IngressClass',
  metadata: { name: 'plumb' },
  spec: { controller: 'plumb.network/gateway' },
} as KubeObject

export function pathsOf(routes: number): string[] {
  return Array.from({ length: routes }, (_, at) => `/team-${at % 97}/route-${at}`)
}

/** An Ingress for a host; its paths lead to the services in turn. */
export function ingress(
  title: string,
  host: string,
  paths: readonly string[],
  to: readonly string[],
  hasTls = false,
): KubeObject {
  const rules = paths.map((path, at) => ({
    path,
    pathType: 'Prefix',
    backend: { service: { name: to[at % to.length], port: { number: 80 } } },
  }))
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: title, namespace: 'ns', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: {
      ingressClassName: 'plumb',
      ...(hasTls && { tls: [{ hosts: [host], secretName: 'bench' }] }),
      rules: [{ host, http: { paths: rules } }],
    },
  } as KubeObject
}

/** A process and those that it started. */
export function treeOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return [pid, ...(children === '' ? [] : children.split(' ').flatMap((child) => treeOf(Number(child))))]
}

/** Nanoseconds that threads of processes have run. */
export function cpuNs(pids: readonly number[]): number {
  return pids
    .flatMap((pid) => readdirSync(`/proc/${pid}/task`).map((task) => `/proc/${pid}/task/${task}/schedstat`))
    .reduce((sum, file) => sum + Number(readFileSync(file, 'utf8').split(' ', 1)[0]), 0)
}
