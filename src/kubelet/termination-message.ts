import type { RunningContainer } from '../containers/index.ts'
import type { Container } from '../objects/index.ts'

/** What a container says of its last words. */
export interface LastWords {
  readonly terminationMessagePath?: string
  readonly terminationMessagePolicy?: 'File' | 'FallbackToLogsOnError'
}

// kubelet's limits for what is taken of a log.
const fallbackLines = 80
const fallbackBytes = 2048

/** The message of a terminated container: what it left in its file, or the end of its log where the policy says so and it failed. */
export function terminationMessage(
  container: Container,
  { lastWords, log }: Pick<RunningContainer, 'lastWords' | 'log'>,
  exitCode: number,
): string | undefined {
  const left = lastWords?.() ?? ''
  if (left !== '') return left
  if (exitCode === 0 || (container as LastWords).terminationMessagePolicy !== 'FallbackToLogsOnError') return undefined
  const end = Buffer.from(log.read({ tailLines: fallbackLines }))
  return end.length === 0 ? undefined : end.subarray(-fallbackBytes).toString()
}
