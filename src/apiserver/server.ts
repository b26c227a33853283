import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { parsePrefix } from '../addr/index.ts'
import { findPortRange } from '../ipam/index.ts'
import { errors, type Service } from '../objects/index.ts'
import { AdmissionPlans } from './admission-plan.ts'
import { type Answer, pretty, send, statusAnswer, wantsPretty } from './answer.ts'
import { openAuditLog } from './audit-log.ts'
import { storePath } from './backup.ts'
import type { Core, Tokens } from './core.ts'
import { startCleanup } from './definition-cleanup.ts'
import { Metrics } from './metrics.ts'
import { NodeGraph } from './node-graph.ts'
import type { ApiServer, ApiServerOptions, ListenerOptions } from './options.ts'
import { Refusal } from './refusal.ts'
import { openRegistry } from './registry.ts'
import { startAggregation } from './role-aggregation.ts'
import { route } from './router.ts'
import { seed } from './seed.ts'
import { ServiceAllocator } from './service-allocation.ts'
import { followRanges, serviceCidrs } from './service-cidr.ts'
import { startServiceCidrGuard } from './service-cidr-guard.ts'
import { startServiceRepair } from './service-repair.ts'
import { StorageFault } from './storage-fault.ts'
import { type Reader, Store } from './store.ts'
import { openTokenKey, readTokenKey } from './token-key.ts'
import { isUpgrade, upgrade } from './upgrade.ts'
import { WebhookCaller } from './webhook-call.ts'

/** Go's default for idle connections is 90 s on the client: the client should be the one to close. */
const idleMs = 120_000

/** Opens the store, makes what every cluster has, and listens. Throws when an address, a certificate or the file cannot be used. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const ports = findPortRange(options.nodePortRange ?? '30000-32767')
  if (ports === undefined)
    throw new Error(`nodePortRange ${JSON.stringify(options.nodePortRange)} is no range such as 30000-32767`)
  if (options.serviceCidrs.length === 0) throw new Error('serviceCidrs is empty; name one prefix per family')
  const allocator = new ServiceAllocator(options.serviceCidrs.map(parsePrefix), ports)
  const metrics = new Metrics()
  const audit = options.audit && (await openAuditLog(options.audit, () => metrics.count('apiserver_audit_error_total')))
  const path = options.dataDir === ':memory:' ? ':memory:' : storePath(options.dataDir)
  const store = new Store(path, options.historyEvents)
  const reader: Reader = {
    find: (collection, key) => store.collection(collection).find(key),
    range: (collection, prefix) => store.collection(collection).range(prefix),
  }
  await store.write((transaction) => {
    followRanges(serviceCidrs, allocator, transaction)
    for (const { value } of transaction.range('/services', '')) allocator.load(value as Service)
  })
  const core: Core = {
    store,
    registry: openRegistry(store),
    allocator,
    kubelet: options.kubelet,
    tokens: openTokens(options),
    metrics,
    audit,
    plans: new AdmissionPlans(store),
    webhooks: new WebhookCaller(reader),
    reader,
    nodes: new NodeGraph(store),
  }
  const servers: Server[] = []
  let repair: ReturnType<typeof startServiceRepair> | undefined
  try {
    await seed(core, options)
    startCleanup(core)
    startAggregation(core)
    startServiceCidrGuard(core, options.serviceCidrs)
    repair = startServiceRepair(core)
    for (const listener of options.listeners) servers.push(await listen(core, options, listener))
  } catch (error) {
    repair?.stop()
    for (const server of servers) server.close()
    store.close()
    throw error
  }
  return {
    addresses: servers.map((server) => {
      const { address, port } = server.address() as AddressInfo
      return { host: address, port }
    }),
    get revision() {
      return store.revision
    },
    close() {
      repair?.stop()
      return close(servers, core)
    },
  }
}

function openTokens({ dataDir, serviceAccount }: ApiServerOptions): Tokens {
  const key = serviceAccount?.key === undefined ? openTokenKey(dataDir) : readTokenKey(serviceAccount.key)
  return { key, issuer: serviceAccount?.issuer ?? 'https://kubernetes.default.svc.cluster.local', seen: new Map() }
}

async function close(servers: readonly Server[], { store, audit }: Core): Promise<void> {
  const closed = servers.map((server) => new Promise((resolve) => server.close(resolve)))
  for (const server of servers) server.closeAllConnections()
  await Promise.all(closed)
  await audit?.flush()
  store.close()
}

function listen(core: Core, { tls }: ApiServerOptions, listener: ListenerOptions): Promise<Server> {
  const server = createServer(
    {
      key: tls.key,
      cert: tls.cert,
      ca: tls.clientCa,
      // Asked for, not demanded: health checks come without one, and a 401 says more than a failed handshake.
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      keepAliveTimeout: idleMs,
      shouldUpgradeCallback: isUpgrade,
    },
    (request, response) => void answer(core, request, response),
  )
  server.on(
    'upgrade',
    (request: IncomingMessage, socket: Duplex, head: Buffer) => void answerUpgrade(core, request, socket, head),
  )
  server.on('secureConnection', keepReading)
  server.on('tlsClientError', (_, socket) => socket.destroy())
  server.on('clientError', (_, socket) => socket.destroy())
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(listener, () => {
      server.off('error', reject)
      resolve(server)
    })
  })
}

/** What a client may leave unread before writers wait for it, in bytes; as much as a watcher may. */
const unreadLimitBytes = 16 * 1024 * 1024

/**
 * Node's HTTP server pauses its parser when a request comes before the end of the last answer has been noted, and then takes the rest of that
 * request for an error (`HPE_PAUSED`, seen with 24.21: bodies above 16 KiB after large answers lost their connection). It never pauses below this mark,
 * which no option of `createServer` sets for TLS sockets.
 */
function keepReading(socket: TLSSocket): void {
  const state = (socket as unknown as { _writableState: { highWaterMark: number } })._writableState
  state.highWaterMark = unreadLimitBytes
}

async function answer(core: Core, request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.on('error', () => undefined)
  const began = performance.now()
  const observe = (code: number, streams = false) =>
    core.metrics.observe(response, code, streams ? undefined : (performance.now() - began) / 1000)
  try {
    const routed = await route(core, request, response)
    const result = routed !== undefined && wantsPretty(request) ? pretty(routed) : routed
    if (result === undefined) {
      observe(200, true)
      followStream(core, response)
    }
    if (result !== undefined) await send(response, result, request.headers['accept-encoding'] as string | undefined)
    if (result !== undefined) observe(result.code)
    if (result !== undefined) await core.audit?.complete(response, result.code, result)
  } catch (error) {
    if (request.destroyed && response.destroyed) return
    const refusal = wantsPretty(request) ? pretty(refusalOf(error)) : refusalOf(error)
    await send(response, refusal, undefined)
    observe(refusal.code)
    await core.audit?.complete(response, refusal.code, refusal)
  }
}

/** The audit log has the beginning of a stream and its end. */
function followStream(core: Core, response: ServerResponse): void {
  if (core.audit === undefined) return
  core.audit.start(response, response.statusCode)
  const end = () => void core.audit?.complete(response, response.statusCode)
  if (response.closed) end()
  else response.on('close', end)
}

async function answerUpgrade(core: Core, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  socket.on('error', () => socket.destroy())
  try {
    await upgrade(core, request, socket, head)
    core.audit?.start(socket, 101)
    socket.on('close', () => void core.audit?.complete(socket, 101))
  } catch (error) {
    const refusal = refusalOf(error)
    const { code, type, body } = refusal
    await core.audit?.complete(socket, code, refusal)
    const lines = [
      `HTTP/1.1 ${code} Refused`,
      `content-type: ${type}`,
      `content-length: ${Buffer.byteLength(body)}`,
      'connection: close',
    ]
    socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`)
  }
}

function refusalOf(error: unknown): Answer {
  if (error instanceof Refusal || error instanceof StorageFault) return statusAnswer(error.status)
  console.error(error)
  return statusAnswer(errors.internalError(error instanceof Error ? error.message : String(error)))
}
