import { randomBytes } from 'node:crypto'
import type { ContainerExit, LogBuffer, RunningContainer } from '../containers/index.ts'
import type { Container } from '../objects/index.ts'
import { type ContainerRecord, type ContainerRole, newRecord } from './container-record.ts'
import { ContainerConfigError } from './environment.ts'
import { findHook, type LifecycleHook, runHook } from './lifecycle-hook.ts'
import type { ProbeDoor } from './probe-run.ts'
import { Prober } from './prober.ts'
import { backOffMessage, nextBackOff, noBackOff, shouldRestart } from './restart.ts'
import { terminationMessage } from './termination-message.ts'

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
// Upstream waits for a postStart hook without bound; a container that is to go is ended all the same.
const maximumHookMs = 2 ** 31 - 1

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

  /** Ends the container for good as kubelet does: the preStop hook first, within the grace period, then the stop itself with what is left of it. */
  async drain(graceMs: number): Promise<void> {
    const hook = findHook(this.record.container, 'preStop')
    const startedAt = Date.now()
    if (hook !== undefined && this.#running !== undefined && graceMs > 0) {
      const failure = await this.#runHook(hook, this.#running, graceMs)
      if (failure !== undefined)
        this.#door.event('Warning', 'FailedPreStopHook', 'PreStopHook failed', this.record.container)
    }
    // Upstream leaves a container at least two seconds after its hook.
    this.stop(graceMs === 0 ? 0 : Math.max(graceMs - (Date.now() - startedAt), 2000))
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
    if (await this.#hasBegun(running)) {
      record.state = { running: { startedAt } }
      this.#probe(running)
    }
    if (this.#stopping) running.stop(0)
    const exit = await running.exited
    const message = exit.message ?? terminationMessage(record.container, running, exit.exitCode)
    this.#prober?.stop()
    this.#running = undefined
    record.started = false
    record.ready = false
    record.state = {
      terminated: {
        exitCode: exit.exitCode,
        reason: exit.exitCode === 0 ? 'Completed' : 'Error',
        ...(exit.signal === undefined ? {} : { signal: exit.signal }),
        ...(message === undefined ? {} : { message }),
        startedAt,
        finishedAt: timestamp(),
        containerID: `plumb://${record.containerId}`,
      },
    }
    this.#door.changed(false)
    return exit
  }

  /** Whether the instance's postStart hook has worked, if there is one; otherwise the instance ends. */
  async #hasBegun(running: RunningContainer): Promise<boolean> {
    const { container } = this.record
    const hook = findHook(container, 'postStart')
    if (hook === undefined) return true
    const hooked = this.#runHook(hook, running, maximumHookMs)
    const failure = await Promise.race([hooked, running.exited.then(() => 'the container ended')])
    if (failure === undefined) return true
    if (this.#stopping) return false
    this.#door.event('Warning', 'FailedPostStartHook', 'PostStartHook failed', container)
    running.log.line(`PostStartHook failed: ${failure}`)
    running.stop(this.#door.graceMs)
    return false
  }

  #runHook(hook: LifecycleHook, running: RunningContainer, limitMs: number): Promise<string | undefined> {
    return runHook(
      hook,
      this.record.container,
      running,
      this.#door.probeDoor(() => running),
      limitMs,
    )
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
