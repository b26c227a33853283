import { ContainerProcess } from '../containers/index.ts'
import type { ContainerRunner } from './container-runner.ts'
import { runInContainer } from './exec-capture.ts'

interface Lifecycle {
  readonly preStop?: {
    readonly sleep?: { readonly seconds?: number }
    readonly exec?: { readonly command?: readonly string[] }
  }
}

/** Stops a container as kubelet does: the preStop hook first, within the grace period, then the stop itself with what is left of it. */
export async function drainContainer(runner: ContainerRunner, graceMs: number): Promise<void> {
  const { preStop } = (runner.record.container as { lifecycle?: Lifecycle }).lifecycle ?? {}
  const startedAt = Date.now()
  const { running } = runner
  if (preStop !== undefined && running !== undefined && graceMs > 0) {
    const command = preStop.exec?.command ?? []
    const sleepMs = (preStop.sleep?.seconds ?? sleepSeconds(command)) * 1000
    if (running instanceof ContainerProcess && command.length > 0) {
      await runInContainer(await running.started, running.environment, command, graceMs).catch(() => undefined)
    } else if (sleepMs > 0) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(sleepMs, graceMs)))
    }
  }
  // Upstream leaves a container at least two seconds after its hook.
  const leftMs = graceMs === 0 ? 0 : Math.max(graceMs - (Date.now() - startedAt), 2000)
  runner.stop(leftMs)
}

/** The pause of a hook that only sleeps, as most do; a stand-in waits as long without running it. */
export function sleepSeconds(command: readonly string[]): number {
  const text = command.join(' ')
  const found =
    /^(?:\S*\/)?sleep (\d+(?:\.\d+)?)s?$/.exec(text) ??
    /^\S*sh -c (?:exec )?(?:\S*\/)?sleep (\d+(?:\.\d+)?)s?;?$/.exec(text)
  return found === null ? 0 : Number(found[1])
}
