import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import type { Namespace } from './contract.ts'

/** Starts a process inside the namespace (`child_process.spawn`): a child inherits the network namespace of the thread that forks it. */
export function spawnIn(
  namespace: Namespace,
  command: string,
  args: readonly string[],
  options: SpawnOptions = {},
): ChildProcess {
  return namespace.run(() => spawn(command, args, options))
}
