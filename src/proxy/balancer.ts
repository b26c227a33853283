import { readFileSync } from 'node:fs'
import type { Log } from '../agent/index.ts'
import type { ObjectKey } from '../cluster/index.ts'
import {
  type BackendModel,
  compileServers,
  type GatewayModel,
  type LoweredGateway,
  lowerGateway,
  nameBackends,
  planGateway,
  renderFiles,
  type Sources,
} from '../gateways/index.ts'
import type { Host, Namespace } from '../host/index.ts'
import { checkCandidate, orRefuse, removeOthers, writeFiles } from './check.ts'
import { makeDefaultCertificate } from './default-certificate.ts'
import { HaproxyProcess } from './process.ts'
import { deleteServers, runCommands } from './socket.ts'
import { TlsOrigins } from './tls-origins.ts'

/** What HAProxy was told is written down so much later at most, all of the meantime at once. */
const tidyMs = 1000

export interface BalancerOptions {
  readonly host: Host
  /** Where HAProxy listens. */
  readonly namespace: Namespace
  /** For files and sockets of this node's HAProxy alone; made when missing. */
  readonly directory: string
  readonly log: Log
  /** What is under way when the gateway ends has this long to end by itself. */
  readonly drainMs: number
  /** HAProxy that answers nothing for so long hangs, and is started again; 10 s unless told. */
  readonly hungMs?: number
}

/** HAProxy with what it runs from: becomes what a model says by commands, or by a reload of files that were checked before. */
export class Balancer {
  readonly #options: BalancerOptions
  readonly #onRestart: () => void
  readonly #origins: TlsOrigins
  readonly #router = readFileSync(new URL('router.lua', import.meta.url), 'utf8')
  #defaultCertificate: string | undefined
  #process: HaproxyProcess | undefined
  /** What HAProxy holds; undefined when nobody knows. */
  #running: LoweredGateway | undefined
  /** The Services that have changed since. */
  #services = new Set<ObjectKey>()
  #leaving: { backend: string; server: string }[] = []
  /** The files as they are. */
  #written: ReturnType<typeof renderFiles> = new Map()
  #later: NodeJS.Timeout | undefined
  #tidying: Promise<void> = Promise.resolve()
  /** How often HAProxy came back by itself. */
  #lives = 0
  /** Reloads since the start. */
  reloads = 0

  /** `onRestart` is called when HAProxy began anew by itself, from files that may be those before the last change. */
  constructor(options: BalancerOptions, onRestart: () => void) {
    this.#options = options
    this.#onRestart = onRestart
    this.#origins = new TlsOrigins(options.host, options.namespace)
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** What HAProxy calls a backend. */
  nameOf(backend: string): string {
    return this.#running?.spares.names.get(backend) ?? backend
  }

  /** A Service or its endpoints are others. */
  note(service: ObjectKey): void {
    this.#services.add(service)
  }

  /** Makes HAProxy what the model says. Rejects with `ConfigRefused` when it would not take it; then the files are the old ones. */
  async become(model: GatewayModel, sources: Pick<Sources, 'services' | 'slicesOf'>): Promise<void> {
    this.#defaultCertificate ??= await makeDefaultCertificate()
    await this.#tidying
    const services = this.#services
    this.#services = new Set()
    try {
      await this.#become(model, sources, services)
    } catch (error) {
      for (const service of services) this.#services.add(service)
      throw error
    }
  }

  async #become(
    model: GatewayModel,
    sources: Pick<Sources, 'services' | 'slicesOf'>,
    services: ReadonlySet<ObjectKey>,
  ): Promise<void> {
    const { namespace, directory } = this.#options
    const defaultCertificate = this.#defaultCertificate ?? ''
    const running = this.#running
    const lower = (directory: string, before?: LoweredGateway): LoweredGateway => {
      const serversOf = (backend: BackendModel) => compileServers(backend, sources)
      const place = { directory, defaultCertificate, nowMs: Date.now() }
      if (before === undefined) return lowerGateway(model, serversOf, place, this.#router)
      const spares = nameBackends(model.backends, before)
      return lowerGateway(model, serversOf, place, this.#router, { before, services }, spares)
    }
    let lowered = orRefuse(() => lower(directory, running))
    const plan = running === undefined ? undefined : planGateway(running, lowered)
    await this.#origins.add(lowered.origins)
    const lives = this.#lives
    if (plan?.kind === 'nothing') this.#running = lowered
    else if (
      this.#process === undefined ||
      plan?.kind !== 'commands' ||
      !(await this.#change(this.#process, plan.commands))
    ) {
      // Each backend has a section of its own then.
      if (running !== undefined) lowered = lower(directory)
      const files = orRefuse(() => renderFiles(lowered))
      await checkCandidate(namespace, directory, (candidate) => renderFiles(lower(candidate)))
      // Until it has succeeded nobody knows what HAProxy holds; then only a reload makes sure.
      this.#running = undefined
      this.#forgetLater()
      writeFiles(directory, files)
      // HAProxy finds these by their names alone.
      removeOthers(directory, files, ['ocsp', 'issuer'])
      this.#written = files
      if (this.#process === undefined) await this.#start()
      else await this.#reload(this.#process)
      removeOthers(directory, files, ['pem', 'ca', 'list'])
    } else this.#later ??= setTimeout(() => this.#tidy(), tidyMs)
    // One that came back meanwhile may have begun from the files before.
    if (lives === this.#lives) this.#running = lowered
    this.#origins.keepOnly(lowered.origins)
  }

  /** Ends HAProxy, which has `graceMs` for what is under way; `become` starts it again. */
  async stop(graceMs: number): Promise<void> {
    this.#forgetLater()
    await this.#tidying
    await this.#process?.stop(graceMs)
    this.#process = undefined
    this.#running = undefined
    this.#origins.close()
  }

  #forgetLater(): void {
    clearTimeout(this.#later)
    this.#later = undefined
  }

  /** Writes down what HAProxy holds, and takes away the servers that have ended. No change waits for more than what is under way. */
  #tidy(): void {
    this.#writeNow()
    this.#forgetLater()
    const leaving = this.#leaving
    // A change that is under way sees to it that this comes again.
    if (this.#process === undefined || this.#running === undefined || leaving.length === 0) return
    this.#tidying = deleteServers(this.#process.runtimeSocket, leaving).then(
      (left) => {
        this.#leaving = left
      },
      // They are asked for again with the next that leave.
      () => {},
    )
  }

  /** What is known to be held but not written down yet. */
  #writeNow(): void {
    if (this.#later === undefined || this.#running === undefined) return
    this.#forgetLater()
    this.#write(renderFiles(this.#running))
  }

  /** Writes down what is other than before. */
  #write(files: ReturnType<typeof renderFiles>): void {
    const { directory } = this.#options
    writeFiles(directory, new Map([...files].filter(([path, text]) => this.#written.get(path) !== text)))
    removeOthers(directory, files, ['ocsp', 'issuer'])
    this.#written = files
  }

  async #start(): Promise<void> {
    const started = new HaproxyProcess(
      this.#options,
      () => this.#writeNow(),
      () => this.#restarted(),
    )
    try {
      await started.start()
    } catch (error) {
      await started.stop()
      throw error
    }
    this.#process = started
  }

  async #reload(process: HaproxyProcess): Promise<void> {
    this.reloads++
    this.#leaving = []
    await process.reload()
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
    this.#leaving = [...this.#leaving.filter(({ backend, server }) => !back.has(`${backend}/${server}`)), ...gone]
    return true
  }

  #restarted(): void {
    this.#lives++
    this.#leaving = []
    this.#running = undefined
    this.#onRestart()
  }
}
