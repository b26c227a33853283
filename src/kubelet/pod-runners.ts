import type { Container, Pod } from '../objects/index.ts'
import type { ContainerRecord, ContainerRole } from './container-record.ts'
import { ContainerRunner, type RunnerDoor } from './container-runner.ts'
import { shouldRestart } from './restart.ts'

/** The containers of one pod, in the order in which they run. */
export class PodRunners {
  readonly #door: () => RunnerDoor
  readonly #runners: ContainerRunner[] = []
  readonly #debuggers = new Set<Promise<unknown>>()

  constructor(pod: Pod, door: () => RunnerDoor) {
    this.#door = door
    const { initContainers = [], containers, restartPolicy = 'Always' } = pod.spec
    const initialising = initContainers.length > 0
    const add = (container: Container, role: ContainerRole, policy: string): void => {
      this.#runners.push(new ContainerRunner(container, role, policy, initialising, door()))
    }
    for (const container of initContainers) {
      const sidecar = container.restartPolicy === 'Always'
      add(
        container,
        sidecar ? 'sidecar' : 'init',
        sidecar ? 'Always' : restartPolicy === 'Never' ? 'Never' : 'OnFailure',
      )
    }
    for (const container of containers) add(container, 'app', restartPolicy)
  }

  get records(): readonly ContainerRecord[] {
    return this.#runners.map(({ record }) => record)
  }

  find(name: string | undefined): ContainerRunner | undefined {
    return this.#runners.find(({ record }) => record.container.name === name)
  }

  byRole(...roles: ContainerRole[]): ContainerRunner[] {
    return this.#runners.filter(({ record }) => roles.includes(record.role))
  }

  /** Runs init containers one by one, then the pod's own together, sidecars beside both, until all have ended for good; begins nothing once the pod is to go. */
  async run(restartPolicy: string, isToGo: () => boolean): Promise<void> {
    const sidecars: Promise<unknown>[] = []
    for (const runner of this.byRole('init', 'sidecar')) {
      if (isToGo()) return
      if (runner.record.role === 'sidecar') {
        sidecars.push(runner.run())
        await runner.whenStarted()
      } else {
        const exit = await runner.run()
        if (exit === undefined || (exit.exitCode !== 0 && !shouldRestart(restartPolicy, exit.exitCode))) break
      }
    }
    const initialised = this.byRole('init').every(({ record }) => record.state.terminated?.exitCode === 0)
    if (initialised && !isToGo()) await Promise.all(this.byRole('app').map((runner) => runner.run()))
    for (const runner of this.byRole('sidecar').reverse()) runner.stop(2000)
    await Promise.all(sidecars)
  }

  /** Starts the ephemeral containers that are new; they run once. Tells whether there were any. */
  startDebuggers(pod: Pod): boolean {
    const fresh = (pod.spec.ephemeralContainers ?? []).filter(({ name }) => this.find(name) === undefined)
    for (const container of fresh) {
      const runner = new ContainerRunner(container, 'ephemeral', 'Never', false, this.#door())
      this.#runners.push(runner)
      const run = runner.run().finally(() => this.#debuggers.delete(run))
      this.#debuggers.add(run)
    }
    return fresh.length > 0
  }

  async endDebuggers(): Promise<void> {
    for (const runner of this.byRole('ephemeral')) runner.stop(0)
    await Promise.all(this.#debuggers)
  }
}
