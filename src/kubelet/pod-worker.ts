import { rmSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Address } from '../addr/index.ts'
import { ApiError } from '../client/index.ts'
import { ContainerProcess, type RunningContainer } from '../containers/index.ts'
import { type Container, type EphemeralContainer, type Pod, Pods } from '../objects/index.ts'
import { type ContainerRunner, type RunnerDoor, timestamp } from './container-runner.ts'
import { runInContainer } from './exec-capture.ts'
import type { KubeletDoor, NodeDoor } from './kubelet-door.ts'
import { openVolumes, type PodNetwork, podDirectory, startContainer } from './pod-containers.ts'
import { recordEvent } from './pod-events.ts'
import { PodRunners } from './pod-runners.ts'
import { PodSandbox } from './pod-sandbox.ts'
import { computePodStatus, type PodFacts } from './pod-status.ts'
import type { PodVolumes } from './pod-volumes.ts'
import type { ProbeDoor } from './probe-run.ts'
import { StatusWriter } from './status-writer.ts'

const retryMs = 200
const maximumRetryMs = 5000
// A pod that is to go waits for one such pause.
const maximumMountRetryMs = 1000
// How long a status that will soon be better may wait.
const settlingMs = 60

/** One pod on one node, from the moment it is bound until nothing of it is left. */
export class PodWorker {
  readonly #door: KubeletDoor
  readonly #node: NodeDoor
  readonly #onEnd: () => void
  readonly #sandbox: PodSandbox
  readonly #runners: PodRunners
  readonly #writer: StatusWriter
  readonly #startTime = timestamp()
  #pod: Pod
  #volumes: PodVolumes | undefined
  #terminating = false
  #graceEndsAt = Number.POSITIVE_INFINITY
  #running: Promise<void>

  constructor(door: KubeletDoor, node: NodeDoor, pod: Pod, onEnd: () => void) {
    this.#door = door
    this.#node = node
    this.#pod = pod
    this.#onEnd = onEnd
    this.#sandbox = new PodSandbox(door, node, pod, (reason, message) => this.#event('Warning', reason, message))
    this.#writer = new StatusWriter(
      door.client,
      () => this.#status(),
      () => this.#vanished(),
    )
    this.#runners = new PodRunners(pod, () => this.#runnerDoor())
    this.#running = this.#run().catch((error: Error) => door.trouble(`pod ${this.title}: ${error.stack}`))
    if (pod.metadata.deletionTimestamp !== undefined) this.update(pod)
  }

  get pod(): Pod {
    return this.#pod
  }

  get network(): PodNetwork | undefined {
    return this.#sandbox.network
  }

  get title(): string {
    return `${this.#pod.metadata.namespace}/${this.#pod.metadata.name}`
  }

  findRunner(container: string | undefined): ContainerRunner | undefined {
    return this.#runners.find(container ?? this.#pod.spec.containers[0]?.name)
  }

  /** Takes the pod as the API server has it now. */
  update(pod: Pod): void {
    const gates = (one: Pod) => JSON.stringify(one.status?.conditions?.map(({ type, status }) => [type, status]))
    const regated = pod.spec.readinessGates !== undefined && gates(pod) !== gates(this.#pod)
    this.#pod = pod
    this.#volumes?.update(pod)
    if (regated) this.#writer.touch(0)
    this.#startDebuggers()
    if (pod.metadata.deletionTimestamp !== undefined) {
      void this.#terminate((pod.metadata.deletionGracePeriodSeconds ?? 30) * 1000, true)
    }
  }

  /** The pod's object is gone: ends what is left of it at once. */
  vanish(): void {
    this.#vanished()
  }

  /** A process in whose namespaces commands of `container` run: the container itself, or one made for the purpose. */
  async execTarget(
    container: string | undefined,
  ): Promise<{ pid: number; environment: Readonly<Record<string, string>> }> {
    const runner = this.findRunner(container)
    if (runner === undefined || this.network === undefined) {
      throw new Error(`container ${container ?? ''} of pod ${this.title} is not running`)
    }
    const { running } = runner
    if (running === undefined)
      throw new Error(`container ${runner.record.container.name} of pod ${this.title} is not running`)
    if (running instanceof ContainerProcess) return { pid: await running.started, environment: running.environment }
    const holder = this.#sandbox.hold(this.#pod, this.network)
    return { pid: await holder.started, environment: holder.environment }
  }

  async #run(): Promise<void> {
    const { restartPolicy = 'Always' } = this.#pod.spec
    if (this.#pod.status?.phase === 'Succeeded' || this.#pod.status?.phase === 'Failed') return
    const network = await this.#sandbox.attach(() => (this.#terminating ? undefined : this.#pod))
    if (network === undefined) return
    this.#volumes = openVolumes(this.#door, this.#pod, network)
    this.#startDebuggers()
    this.#writer.touch(settlingMs)
    await this.#makeVolumes(this.#volumes)
    await this.#runners.run(restartPolicy, () => this.#terminating)
    if (this.#terminating) return
    // All containers have ended for good: the pod is complete and gives its addresses back.
    await this.#runners.endDebuggers()
    await this.#writer.flush()
    await this.#release()
  }

  /** Makes the pod's volumes before any container starts; tries again until it works or the pod is to go. */
  async #makeVolumes(volumes: PodVolumes): Promise<void> {
    for (let delayMs = retryMs; !this.#terminating; delayMs = Math.min(delayMs * 2, maximumMountRetryMs)) {
      try {
        return await volumes.prepare()
      } catch (error) {
        this.#event('Warning', 'FailedMount', error instanceof Error ? error.message : String(error))
        await new Promise((resolve) => setTimeout(resolve, delayMs))
      }
    }
  }

  /** Starts the ephemeral containers that have come since the last look. */
  #startDebuggers(): void {
    if (this.network === undefined || this.#volumes === undefined || this.#terminating) return
    if (this.#runners.startDebuggers(this.#pod)) this.#writer.touch(0)
  }

  /** Gives volumes and network back; the containers must have ended. */
  async #release(): Promise<void> {
    this.#volumes?.close()
    await this.#sandbox.release()
    rmSync(podDirectory(this.#door, this.#pod), { recursive: true, force: true })
  }

  /** Ends the pod: containers first, then its network, then its object. A shorter grace period may follow a longer one. */
  async #terminate(graceMs: number, deleteObject: boolean): Promise<void> {
    const endsAt = Date.now() + graceMs
    if (this.#terminating && endsAt >= this.#graceEndsAt) return
    const first = !this.#terminating
    this.#terminating = true
    this.#graceEndsAt = endsAt
    for (const runner of this.#runners.byRole('app', 'init')) {
      if (first) void runner.drain(graceMs)
      else runner.stop(graceMs)
    }
    if (!first) return
    await this.#running
    for (const runner of this.#runners.byRole('sidecar')) runner.stop(Math.max(0, this.#graceEndsAt - Date.now()))
    await this.#runners.endDebuggers()
    if (deleteObject && (this.#pod.metadata.finalizers?.length ?? 0) > 0) await this.#writer.flush()
    this.#writer.stop()
    await this.#release()
    if (deleteObject) await this.#deleteObject()
    this.#onEnd()
  }

  async #deleteObject(): Promise<void> {
    const { namespace, name, uid } = this.#pod.metadata
    const preconditions = uid === undefined ? {} : { preconditions: { uid } }
    for (let delayMs = retryMs; ; delayMs = Math.min(delayMs * 2, maximumRetryMs)) {
      try {
        await this.#door.client.delete(Pods, namespace, name, { gracePeriodSeconds: 0, ...preconditions })
        return
      } catch (error) {
        if (error instanceof ApiError && (error.code === 404 || error.code === 409)) return
        await new Promise((resolve) => setTimeout(resolve, delayMs))
      }
    }
  }

  #vanished(): void {
    this.#writer.stop()
    void this.#terminate(0, false)
  }

  #status(): { pod: Pod; status: NonNullable<Pod['status']> } {
    const facts: PodFacts = {
      startTime: this.#pod.status?.startTime ?? this.#startTime,
      hostAddresses: this.#node.addresses,
      podAddresses: this.network?.addresses ?? this.#pod.status?.podIPs?.map(({ ip }) => ip) ?? [],
      sandbox: this.network !== undefined,
    }
    const records = this.#runners.records
    const status = computePodStatus(this.#pod, records, facts, timestamp())
    return { pod: this.#pod, status }
  }

  #runnerDoor(): RunnerDoor {
    const { name, namespace, uid } = this.#pod.metadata
    return {
      podTitle: `${name}_${namespace}(${uid})`,
      graceMs: (this.#pod.spec.terminationGracePeriodSeconds ?? 30) * 1000,
      start: (container, attempt) => {
        if (this.network === undefined || this.#volumes === undefined) throw new Error('the pod has no network')
        return this.#startContainer(container, this.network, this.#volumes, attempt)
      },
      probeDoor: (running) => this.#probeDoor(running),
      changed: (settling) => this.#writer.touch(settling ? settlingMs : 0),
      event: (type, reason, message, container) => this.#event(type, reason, message, container.name),
    }
  }

  /** A container that came to debug another one sees its processes. */
  async #startContainer(
    container: Container,
    network: PodNetwork,
    volumes: PodVolumes,
    attempt: number,
  ): Promise<RunningContainer> {
    const { targetContainerName } = container as EphemeralContainer
    const target = targetContainerName === undefined ? undefined : this.findRunner(targetContainerName)?.running
    const processesOf = target instanceof ContainerProcess ? await target.started : undefined
    return startContainer(this.#door, this.#pod, container, network, volumes, attempt, processesOf)
  }

  #probeDoor(running: () => unknown): ProbeDoor {
    const podAddress = (this.network?.addresses[0] ?? '') as Address
    return {
      podAddress,
      connect: (address, port) =>
        new Socket({ fd: this.#door.host.connectTcp(this.#node.namespace, address, port).fd }),
      exec: async (argv, timeoutMs) => {
        const container = running()
        // A stand-in has no program to ask; it is as well as it can be.
        if (!(container instanceof ContainerProcess)) return { exitCode: 0, output: '' }
        return runInContainer(await container.started, container.environment, argv, timeoutMs)
      },
    }
  }

  #event(type: 'Normal' | 'Warning', reason: string, message: string, container?: string): void {
    recordEvent(this.#door.client, this.#pod, this.#node.name, {
      type,
      reason,
      message,
      ...(container && { container }),
    })
  }
}
