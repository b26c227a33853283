import type { Container, ContainerState, ContainerStatus } from '../objects/index.ts'

/** `sidecar` is an init container that restarts always (KEP-753): the next one starts when it has started. `ephemeral` came later, to debug. */
export type ContainerRole = 'init' | 'sidecar' | 'app' | 'ephemeral'

/** What the kubelet knows of one container of a pod, from which its status is computed. */
export interface ContainerRecord {
  readonly container: Container
  readonly role: ContainerRole
  state: ContainerState
  lastState?: ContainerState
  restartCount: number
  containerId?: string
  /** The startup probe has passed, or there is none and the container runs. */
  started: boolean
  /** The readiness probe passes, or there is none and the container has started. */
  ready: boolean
}

/** A container that has not been started yet. */
export function newRecord(container: Container, role: ContainerRole, initialising: boolean): ContainerRecord {
  const reason = initialising ? 'PodInitializing' : 'ContainerCreating'
  return { container, role, state: { waiting: { reason } }, restartCount: 0, started: false, ready: false }
}

/** One entry of `containerStatuses`. An init container is ready once it has completed. */
export function containerStatus(record: ContainerRecord): ContainerStatus {
  const { container, role, state, lastState, containerId } = record
  const completed = role === 'init' && state.terminated?.exitCode === 0
  return {
    name: container.name,
    image: container.image ?? '',
    imageID: containerId === undefined ? '' : (container.image ?? ''),
    ready: completed || (state.running !== undefined && record.ready),
    started: role !== 'init' && state.running !== undefined && record.started,
    restartCount: record.restartCount,
    ...(containerId === undefined ? {} : { containerID: `plumb://${containerId}` }),
    state,
    lastState: lastState ?? {},
  }
}
