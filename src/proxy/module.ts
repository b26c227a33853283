import { readFileSync } from 'node:fs'
import type { Log, NodeModule } from '../agent/index.ts'
import type { Client } from '../client/index.ts'
import { type Finding, type Snapshot, snapshotOf } from '../cluster/index.ts'
import {
  compileGateways,
  compileServers,
  type GatewayModel,
  type LoweredGateway,
  lowerGateway,
  planGateway,
  renderFiles,
} from '../gateways/index.ts'
import type { Host, Namespace } from '../host/index.ts'
import {
  ConfigRefused,
  checkCandidate,
  HaproxyMissing,
  missing,
  orRefuse,
  refused,
  removeOthers,
  writeFiles,
} from './check.ts'
import { makeDefaultCertificate } from './default-certificate.ts'
import { FlowLog, type HttpFlowsRequest, type HttpFlowsResponse } from './flows.ts'
import { GatewayObjects } from './objects.ts'
import { HaproxyProcess } from './process.ts'
import { deleteServers, runCommands } from './socket.ts'
import { TlsOrigins } from './tls-origins.ts'
import { UdpPorts } from './udp-ports.ts'

const retryMs = 1000
/** Somebody has to install it first. */
const missingRetryMs = 10_000
/** The same configuration is refused again, unless something beside the objects was wrong. */
const refusedRetryMs = 30_000

/** The gateway of a node as a part of the agent: HAProxy in the node's namespace, as long as an Ingress of ours exists. */
export class GatewaysModule implements NodeModule {
  readonly name = 'gateways'
  readonly #options: GatewaysOptions
  readonly #objects: GatewayObjects
  readonly #flows: FlowLog
  readonly #udp: UdpPorts
  readonly #origins: TlsOrigins
  #snapshot: Snapshot = snapshotOf([])
  #model: GatewayModel | undefined
  #stale = true
  /** The last model that HAProxy took, and one that it refuses. */
  #accepted: GatewayModel | undefined
  #refused: GatewayModel | undefined
  #trouble: Finding | undefined
  #process: HaproxyProcess | undefined
  #running: LoweredGateway | undefined
  #defaultCertificate: string | undefined
  readonly #router = readFileSync(new URL('router.lua', import.meta.url), 'utf8')
  #leaving: { backend: string; server: string }[] = []
  #queue: Promise<void> = Promise.resolve()
  #waiting = false
  /** How often HAProxy came back by itself. */
  #lives = 0
  #retry: NodeJS.Timeout | undefined
  #synced = false
  #closed = false
  /** Reloads since the start. */
  reloads = 0

  constructor(options: GatewaysOptions) {
    this.#options = options
    this.#origins = new TlsOrigins(options.host, options.namespace)
    this.#udp = new UdpPorts(options.host, options.namespace, options.log)
    this.#flows = new FlowLog(`${options.directory}/flows.sock`)
    this.#objects = new GatewayObjects(options.client, () => {
      this.#stale = true
      this.#wake()
    })
    this.#objects.synced.then(
      () => {
        this.#synced = true
        this.#wake()
      },
      (error: unknown) => options.log.error({ error: String(error) }, 'Ingresses cannot be followed'),
    )
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  get findings(): readonly Finding[] {
    return [...(this.#model?.findings ?? []), ...(this.#trouble === undefined ? [] : [this.#trouble])]
  }

  /** Returns at once: nobody's packets wait for HAProxy. */
  update(snapshot: Snapshot, _pods: unknown, changes: Parameters<NodeModule['update']>[2]): void {
    const first = this.#snapshot !== snapshot
    this.#snapshot = snapshot
    if (!first && changes.services.size === 0 && changes.slices.size === 0) return
    this.#stale ||= first || changes.services.size > 0
    this.#wake()
  }

  /** The last requests, for the agent's socket. */
  flows(request: HttpFlowsRequest): HttpFlowsResponse {
    return this.#flows.answer(request)
  }

  /** Resolves when what was told so far serves, or was refused. */
  async settled(): Promise<void> {
    while (this.#waiting) await this.#queue
    await this.#queue
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#retry)
    this.#objects.stop()
    await this.#queue
    await this.#process?.stop()
    this.#flows.close()
    this.#udp.close()
    this.#origins.close()
  }

  #wake(): void {
    if (this.#waiting || !this.#synced || this.#closed) return
    this.#waiting = true
    this.#queue = this.#queue.then(async () => {
      this.#waiting = false
      if (this.#closed) return
      try {
        await this.#apply()
      } catch (error) {
        // The last good state goes on serving.
        if (error instanceof HaproxyMissing) this.#tell(missing(error))
        else this.#options.log.error({ error: String(error) }, 'the gateway could not be changed')
        this.#retryIn(error instanceof HaproxyMissing ? missingRetryMs : retryMs)
      }
    })
  }

  #retryIn(ms: number): void {
    if (this.#closed) return
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.#stale = true
      this.#wake()
    }, ms)
  }

  /** Keeps a finding until the gateway is as the objects want it; one that is known is not logged again. */
  #tell(trouble: Finding): void {
    if (trouble.says !== this.#trouble?.says)
      this.#options.log.error({ code: trouble.code, try: trouble.try }, trouble.says)
    this.#trouble = trouble
  }

  async #apply(): Promise<void> {
    const model = this.#compile()
    this.#udp.update(model, this.#snapshot)
    if (!model.wanted) {
      await this.#process?.stop()
      this.#process = undefined
      this.#running = undefined
      this.#settle(undefined)
      return
    }
    if (model !== this.#refused) {
      try {
        await this.#become(model)
        this.#settle(model)
        return
      } catch (error) {
        if (!(error instanceof ConfigRefused)) throw error
        this.#refused = model
        this.#tell(refused(error, this.#accepted !== undefined))
        this.#retryIn(refusedRetryMs)
      }
    }
    // What was taken before goes on, and follows its pods.
    if (this.#accepted !== undefined) await this.#become(this.#accepted)
  }

  #settle(accepted: GatewayModel | undefined): void {
    clearTimeout(this.#retry)
    this.#accepted = accepted
    this.#refused = undefined
    this.#trouble = undefined
  }

  /** Makes HAProxy what the model says. Rejects with `ConfigRefused` when it would not take it; then the files are the old ones. */
  async #become(model: GatewayModel): Promise<void> {
    const { namespace, directory } = this.#options
    this.#defaultCertificate ??= await makeDefaultCertificate()
    const defaultCertificate = this.#defaultCertificate
    const lower = (directory: string): LoweredGateway =>
      lowerGateway(
        model,
        (backend) => compileServers(backend, this.#snapshot),
        { directory, defaultCertificate },
        this.#router,
      )
    const lowered = orRefuse(() => lower(directory))
    const running = this.#running
    const plan = running === undefined ? undefined : planGateway(running, lowered)
    await this.#origins.add(lowered.origins)
    if (plan?.kind === 'nothing') return
    const files = orRefuse(() => renderFiles(lowered, directory))
    const lives = this.#lives
    if (
      this.#process === undefined ||
      plan?.kind !== 'commands' ||
      !(await this.#change(this.#process, plan.commands))
    ) {
      await checkCandidate(namespace, directory, (candidate) => renderFiles(lower(candidate), candidate))
      // Until it has succeeded nobody knows what HAProxy holds; then only a reload makes sure.
      this.#running = undefined
      writeFiles(directory, files)
      if (this.#process === undefined) await this.#start()
      else await this.#reload()
      removeOthers(directory, files)
    } else writeFiles(directory, files)
    // One that came back meanwhile may have begun from the files before.
    if (lives === this.#lives) this.#running = lowered
    this.#origins.keepOnly(lowered.origins)
  }

  #compile(): GatewayModel {
    if (this.#model !== undefined && !this.#stale) return this.#model
    const { httpPort = 80, httpsPort = 443 } = this.#options
    this.#stale = false
    this.#model = compileGateways(this.#objects.sources(this.#snapshot), { http: httpPort, https: httpsPort })
    return this.#model
  }

  async #start(): Promise<void> {
    const { namespace, directory, log } = this.#options
    await this.#flows.start()
    const started = new HaproxyProcess(namespace, directory, log, () => this.#restarted())
    try {
      await started.start()
    } catch (error) {
      await started.stop()
      throw error
    }
    this.#process = started
  }

  async #reload(): Promise<void> {
    this.reloads++
    this.#leaving = []
    await this.#process?.reload()
  }

  /** Answers whether HAProxy took all commands; what it holds after one that it refused is unknown. */
  async #change(process: HaproxyProcess, commands: Parameters<typeof runCommands>[1]): Promise<boolean> {
    this.#running = undefined
    try {
      await runCommands(process.runtimeSocket, commands)
    } catch (error) {
      this.#options.log.warn({ error: String(error) }, 'haproxy refused a change and is reloaded')
      return false
    }
    const back = new Set(
      commands.flatMap((one) => (one.kind === 'add-server' ? [`${one.backend}/${one.server.name}`] : [])),
    )
    const gone = commands.flatMap((one) => (one.kind === 'remove-server' ? [one] : []))
    const leaving = [...this.#leaving.filter(({ backend, server }) => !back.has(`${backend}/${server}`)), ...gone]
    this.#leaving = await deleteServers(process.runtimeSocket, leaving)
    return true
  }

  /** It began from the files, which may be those before the last change. */
  #restarted(): void {
    this.#lives++
    this.#leaving = []
    this.#running = undefined
    this.#wake()
  }
}

export interface GatewaysOptions {
  readonly client: Client
  readonly host: Host
  /** Where HAProxy listens. */
  readonly namespace: Namespace
  /** For files and sockets of this node's HAProxy alone; made when missing. */
  readonly directory: string
  readonly log: Log
  readonly httpPort?: number
  readonly httpsPort?: number
}
