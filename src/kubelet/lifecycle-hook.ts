import { setTimeout as pause } from 'node:timers/promises'
import { ContainerProcess, type RunningContainer } from '../containers/index.ts'
import type { Container, Probe } from '../objects/index.ts'
import { type ProbeDoor, runProbe } from './probe-run.ts'

/** What runs right after a container's start or before its end. */
export interface LifecycleHook extends Pick<Probe, 'exec' | 'httpGet' | 'tcpSocket'> {
  readonly sleep?: { readonly seconds?: number }
}

/** A hook of a container, if it has that one. */
export function findHook(container: Container, kind: 'postStart' | 'preStop'): LifecycleHook | undefined {
  return (container as { lifecycle?: Partial<Record<typeof kind, LifecycleHook>> }).lifecycle?.[kind]
}

/**
 * Runs a hook for `limitMs` at the longest; resolves to what went wrong, if anything. In a stand-in no command runs: one that only sleeps
 * is waited for as long, any other has worked.
 */
export async function runHook(
  hook: LifecycleHook,
  container: Container,
  running: RunningContainer,
  door: ProbeDoor,
  limitMs: number,
): Promise<string | undefined> {
  const command = hook.exec?.command ?? []
  const sleepMs = (hook.sleep?.seconds ?? (running instanceof ContainerProcess ? 0 : sleepSeconds(command))) * 1000
  if (sleepMs > 0) await pause(Math.min(sleepMs, limitMs))
  else if (hook.exec !== undefined) {
    if (!(running instanceof ContainerProcess)) return undefined
    const answer = await door.exec(command, limitMs).catch((error: Error) => ({ exitCode: 137, output: error.message }))
    if (answer.exitCode !== 0) return `command '${command.join(' ')}' exited with ${answer.exitCode}: ${answer.output}`
  } else if (hook.httpGet !== undefined) {
    const answer = await runProbe({ httpGet: hook.httpGet }, container, door, limitMs)
    if (!answer.ok) return answer.message
  }
  return undefined
}

/** The pause of a hook that only sleeps, as most do. */
function sleepSeconds(command: readonly string[]): number {
  const text = command.join(' ')
  const found =
    /^(?:\S*\/)?sleep (\d+(?:\.\d+)?)s?$/.exec(text) ??
    /^\S*sh -c (?:exec )?(?:\S*\/)?sleep (\d+(?:\.\d+)?)s?;?$/.exec(text)
  return found === null ? 0 : Number(found[1])
}
