import { randomBytes } from 'node:crypto'
import type { ContainerExit, LogBuffer, RunningContainer } from '../containers/index.ts'
import type { Container } from '../objects/index.ts'
import { type ContainerRecord, type ContainerRole, newRecord } from './container-record.ts'
import { ContainerConfigError } from './environment.ts'
import type { ProbeDoor } from './probe-run.ts'
import { Prober } from './prober.ts'
import { backOffMessage, nextBackOff, noBackOff, shouldRestart } from './restart.ts'

/** What a container's runner needs from its pod. */
export interface RunnerDoor {
  /** `web-1_default(uid)`, as kubelet names pods in messages. */
  readonly podTitle: string
  /** The pod's `terminationGracePeriodSeconds`, in milliseconds. */
  readonly graceMs: number
  start(container: Container, attempt: number): Promise<RunningContainer>
  probeDoor(running: () => RunningContainer | undefined): ProbeDoor
  /** The record changed; `settling` when a better answer will follow in milliseconds. */
  changed(settling: boolean): void
  event(type: 'Normal' | 'Warning', reason: string, message: string, container: Container): void
}

const configRetryMs = 2000

/** Runs one container of a pod: starts it, probes it, and starts it again as the restart policy says. */
export class ContainerRunner {
  readonly record: ContainerRecord
  readonly #door: RunnerDoor
  readonly #restartPolicy: string
  #running: RunningContainer | undefined
  #prober: Prober | undefined
  #previousLog: LogBuffer | undefined
  #lastLog: LogBuffer | undefined
  #stopping = false
  #wake: (() => void) | undefined
  #onStarted: (() => void)[] = []

  constructor(
    container: Container,
    role: ContainerRole,
    restartPolicy: string,
    initialising: boolean,
    door: RunnerDoor,
  ) {
    this.record = newRecord(container, role, initialising)
    this.#restartPolicy = restartPolicy
    this.#door = door
  }

  get running(): RunningContainer | undefined {
    return this.#running
  }

  /** The log of the current instance, or of the one before it. */
  log(previous: boolean): LogBuffer | undefined {
    return previous ? this.#previousLog : this.#lastLog
  }

  /** Runs the container until it has ended for good; resolves to its last exit, or undefined when it never ran. */
  async run(): Promise<ContainerExit | undefined> {
    let backOff = noBackOff
    let exit: ContainerExit | undefined
    for (let attempt = 0; !this.#stopping; attempt++) {
      const startedAt = Date.now()
      exit = await this.#runOnce(attempt)
      if (this.#stopping || exit === undefined || !shouldRestart(this.#restartPolicy, exit.exitCode)) break
      backOff = nextBackOff(backOff, Date.now() - startedAt)
      await this.#waitBackOff(backOff.delayMs)
    }
    this.#notifyStarted()
    return exit
  }

  /** Resolves when the container has passed its startup probe, or has ended for good. */
  whenStarted(): Promise<void> {
    return this.record.started ? Promise.resolve() : new Promise((resolve) => this.#onStarted.push(resolve))
  }

  /** Ends the container for good: SIGTERM now, SIGKILL after `graceMs`. May be repeated with less. */
  stop(graceMs: number): void {
    this.#stopping = true
    this.#prober?.end()
    this.#running?.stop(graceMs)
    this.#wake?.()
  }

  async #runOnce(attempt: number): Promise<ContainerExit | undefined> {
    const { record } = this
    const running = await this.#start(attempt)
    if (running === undefined) return undefined
    this.#running = running
    this.#previousLog = this.#lastLog
    this.#lastLog = running.log
    const startedAt = timestamp()
    record.containerId = randomBytes(32).toString('hex')
    if (record.state.terminated !== undefined) record.lastState = record.state
    record.restartCount = attempt
    record.state = { running: { startedAt } }
    this.#probe(running)
    if (this.#stopping) running.stop(0)
    const exit = await running.exited
    this.#prober?.stop()
    this.#running = undefined
    record.started = false
    record.ready = false
    record.state = {
      terminated: {
        exitCode: exit.exitCode,
        reason: exit.exitCode === 0 ? 'Completed' : 'Error',
        ...(exit.signal === undefined ? {} : { signal: exit.signal }),
        ...(exit.message === undefined ? {} : { message: exit.message }),
        startedAt,
        finishedAt: timestamp(),
        containerID: `plumb://${record.containerId}`,
      },
    }
    this.#door.changed(false)
    return exit
  }

  /** Starts an instance; configuration errors are tried again until they pass, as they may. */
  async #start(attempt: number): Promise<RunningContainer | undefined> {
    const { container } = this.record
    while (!this.#stopping) {
      try {
        return await this.#door.start(container, attempt)
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error)
        const reason = error instanceof ContainerConfigError ? 'CreateContainerConfigError' : 'CreateContainerError'
        this.record.state = { waiting: { reason, message } }
        this.#door.changed(false)
        this.#door.event('Warning', 'Failed', `Error: ${message}`, container)
        await this.#sleep(configRetryMs)
      }
    }
    return undefined
  }

  #probe(running: RunningContainer): void {
    const { record } = this
    const { container } = record
    // A stand-in's first readiness answer comes within milliseconds; one write says both.
    const settling = !running.warmsUp && (container.readinessProbe ?? container.startupProbe) !== undefined
    const events = {
      onStarted: () => {
        record.started = true
        this.#notifyStarted()
        this.#door.changed(true)
      },
      onReady: (ready: boolean) => {
        record.ready = ready
        this.#door.changed(false)
      },
      onUnhealthy: (kind: string) => {
        const title = `${kind[0]!.toUpperCase()}${kind.slice(1)}`
        const message = `Container ${container.name} failed ${kind} probe, will be restarted`
        this.#door.event('Normal', 'Killing', message, container)
        running.log.line(`${title} probe failed; restarting`)
        running.stop(graceOf(container, kind, this.#door.graceMs))
      },
      onFailure: (kind: string, message: string) => {
        const title = `${kind[0]!.toUpperCase()}${kind.slice(1)}`
        this.#door.event('Warning', 'Unhealthy', `${title} probe failed: ${message}`, container)
      },
    }
    const door = this.#door.probeDoor(() => this.#running)
    this.#prober = new Prober(container, door, events, running.warmsUp)
    if (record.role === 'init' || record.role === 'ephemeral') record.started = true
    else this.#prober.start()
    this.#door.changed(settling)
  }

  async #waitBackOff(delayMs: number): Promise<void> {
    const { record } = this
    if (delayMs === 0) return
    record.lastState = record.state
    const { name } = record.container
    const message = backOffMessage(delayMs, name, this.#door.podTitle)
    record.state = { waiting: { reason: 'CrashLoopBackOff', message } }
    this.#door.changed(false)
    const text = `Back-off restarting failed container ${name} in pod ${this.#door.podTitle}`
    this.#door.event('Warning', 'BackOff', text, record.container)
    await this.#sleep(delayMs)
  }

  #sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, delayMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #notifyStarted(): void {
    for (const callback of this.#onStarted.splice(0)) callback()
  }
}

/** A probe's own grace period, else the pod's. */
function graceOf(container: Container, kind: string, podGraceMs: number): number {
  const probe = kind === 'startup' ? container.startupProbe : container.livenessProbe
  const own = (probe as { terminationGracePeriodSeconds?: number } | undefined)?.terminationGracePeriodSeconds
  return own === undefined ? podGraceMs : own * 1000
}

/** Now, as Kubernetes writes times: whole seconds. */
export function timestamp(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, 'Z')
}
