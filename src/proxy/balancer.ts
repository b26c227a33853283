import { readFileSync } from 'node:fs'
import type { Log } from '../agent/index.ts'
import {
  compileServers,
  type GatewayModel,
  type LoweredGateway,
  lowerGateway,
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
  #leaving: { backend: string; server: string }[] = []
  /** The files as they are. */
  #written: ReturnType<typeof renderFiles> = new Map()
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

  /** Makes HAProxy what the model says. Rejects with `ConfigRefused` when it would not take it; then the files are the old ones. */
  async become(model: GatewayModel, sources: Pick<Sources, 'services' | 'slicesOf'>): Promise<void> {
    const { namespace, directory } = this.#options
    this.#defaultCertificate ??= await makeDefaultCertificate()
    const defaultCertificate = this.#defaultCertificate
    const lower = (directory: string): LoweredGateway =>
      lowerGateway(
        model,
        (backend) => compileServers(backend, sources),
        { directory, defaultCertificate, nowMs: Date.now() },
        this.#router,
      )
    const lowered = orRefuse(() => lower(directory))
    const running = this.#running
    const plan = running === undefined ? undefined : planGateway(running, lowered)
    await this.#origins.add(lowered.origins)
    if (plan?.kind === 'nothing') return
    const lives = this.#lives
    if (
      this.#process === undefined ||
      plan?.kind !== 'commands' ||
      !(await this.#change(this.#process, plan.commands))
    ) {
      const files = orRefuse(() => renderFiles(lowered, directory))
      await checkCandidate(namespace, directory, (candidate) => renderFiles(lower(candidate), candidate))
      // Until it has succeeded nobody knows what HAProxy holds; then only a reload makes sure.
      this.#running = undefined
      writeFiles(directory, files)
      // HAProxy finds these by their names alone.
      removeOthers(directory, files, ['ocsp', 'issuer'])
      this.#written = files
      if (this.#process === undefined) await this.#start()
      else await this.#reload(this.#process)
      removeOthers(directory, files, ['pem', 'ca', 'list'])
    } else this.#write(orRefuse(() => renderFiles(lowered, directory)))
    // One that came back meanwhile may have begun from the files before.
    if (lives === this.#lives) this.#running = lowered
    this.#origins.keepOnly(lowered.origins)
  }

  /** Ends HAProxy, which has `graceMs` for what is under way; `become` starts it again. */
  async stop(graceMs: number): Promise<void> {
    await this.#process?.stop(graceMs)
    this.#process = undefined
    this.#running = undefined
    this.#origins.close()
  }

  /** Writes down what is other than before. */
  #write(files: ReturnType<typeof renderFiles>): void {
    const { directory } = this.#options
    writeFiles(directory, new Map([...files].filter(([path, text]) => this.#written.get(path) !== text)))
    removeOthers(directory, files, ['ocsp', 'issuer'])
    this.#written = files
  }

  async #start(): Promise<void> {
    const started = new HaproxyProcess(this.#options, () => this.#restarted())
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
    const leaving = [...this.#leaving.filter(({ backend, server }) => !back.has(`${backend}/${server}`)), ...gone]
    this.#leaving = await deleteServers(process.runtimeSocket, leaving)
    return true
  }

  #restarted(): void {
    this.#lives++
    this.#leaving = []
    this.#running = undefined
    this.#onRestart()
  }
}
