import { join, resolve } from 'node:path'
import type { AuditOptions } from '../apiserver/index.ts'
import { defaultNetwork, type LabConfig } from './config.ts'
import { down, findLab } from './lab.ts'
import { launch } from './launch.ts'
import { findInit, type RunDirectory, removeRemains, runDirectory } from './run-directory.ts'
import type { LabSummary, UpOptions } from './summary.ts'

/** One line about what happens while a lab starts; `ms` counts from the call of `up`. */
export type OnProgress = (text: string, ms: number) => void

/** The lab did not start; `tail` is the end of the log that says why. Nothing of it is left. */
export class LabFailure extends Error {
  readonly tail: readonly string[]
  constructor(message: string, tail: readonly string[] = []) {
    super(message)
    this.tail = tail
  }
}

/**
 * Starts a lab and applies manifests to it, or applies them to the lab of that name that runs. Resolves when all is Ready or
 * the time is over. A lab that does not come up is ended before this throws; so is one whose starting process ends.
 */
export async function up(options: UpOptions, onProgress: OnProgress = () => undefined): Promise<LabSummary> {
  const startedAt = performance.now()
  const progress = (text: string): void => onProgress(text, Math.round(performance.now() - startedAt))
  if (!Number.isInteger(options.nodes) || options.nodes < 1 || options.nodes > 200) {
    throw new TypeError(`--nodes ${options.nodes}: a lab has 1 to 200 nodes`)
  }
  const { segments = 1 } = options
  if (!Number.isInteger(segments) || segments < 1 || segments > Math.min(options.nodes, 9)) {
    throw new TypeError(`--segments ${segments}: a lab has 1 to 9 segments, each with a node`)
  }
  const directory = runDirectory(options.name)
  const { readManifestPaths } = await import('./manifest-files.ts')
  const manifests = readManifestPaths(options.files)
  const running = await findLab(options.name)
  const { settleLab } = await import('./apply.ts')
  if (running !== undefined && options.restore !== undefined)
    throw new LabFailure(`lab ${options.name} runs already; end it with plumb down before it starts from a backup`)
  if (running !== undefined) {
    const nodes = running.state.nodes.length
    progress(`lab ${options.name} runs already with ${nodes} nodes`)
    return settleLab({
      options,
      kubeconfig: running.state.kubeconfig,
      nodes,
      manifests,
      startedAt,
      started: false,
      progress,
    })
  }
  if (process.getuid?.() !== 0)
    throw new LabFailure('plumb up makes network namespaces and needs root: run it with sudo')
  const lab = await start(directory, options, progress)
  try {
    const { nodes } = options
    const summary = await settleLab({
      options,
      kubeconfig: lab.kubeconfig,
      nodes,
      manifests,
      startedAt,
      started: true,
      progress,
    })
    lab.keep()
    return summary
  } catch (error) {
    lab.abort()
    await down(options.name)
    throw error
  }
}

function absolute({ policyFile, path, ...sizes }: AuditOptions): AuditOptions {
  return { ...sizes, policyFile: resolve(policyFile), path: resolve(path) }
}

interface Started {
  readonly kubeconfig: string
  keep(): void
  abort(): void
}

/** Launches the supervisor and waits for its API; removes what a crash left first. */
async function start(directory: RunDirectory, options: UpOptions, progress: (text: string) => void): Promise<Started> {
  if (findInit(directory) !== undefined)
    throw new LabFailure(`lab ${options.name} is starting or stuck; end it with plumb down`)
  removeRemains(directory)
  const config: LabConfig = {
    name: options.name,
    path: directory.path,
    nodes: options.nodes,
    segments: options.segments ?? 1,
    ...(options.heartbeatMs === undefined ? {} : { heartbeatMs: options.heartbeatMs }),
    entry: options.entry ?? ownEntry(),
    network: options.network ?? defaultNetwork,
    images: options.images ?? [],
    ...(options.audit === undefined ? {} : { audit: absolute(options.audit) }),
    ...(options.restore === undefined ? {} : { restore: resolve(options.restore) }),
  }
  const launched = launch(directory, config)
  return new Promise((started, reject) => {
    launched.onMessage((message) => {
      switch (message.kind) {
        case 'progress':
          progress(message.text)
          return
        case 'api':
          started({ kubeconfig: message.kubeconfig, keep: launched.keep, abort: launched.abort })
          return
        case 'failed':
          launched.abort()
          down(options.name)
            .catch(() => undefined)
            .then(() =>
              reject(new LabFailure(`lab ${options.name} did not start: ${message.reason}`, message.tail ?? [])),
            )
          return
        case 'ready':
          return
        default:
          message satisfies never
      }
    })
  })
}

/** This program: the runtime and the file of the command line beside this folder. */
function ownEntry(): string[] {
  return [process.execPath, join(import.meta.dirname, '..', 'cli', 'start.js')]
}
