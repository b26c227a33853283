import { setTimeout as pause } from 'node:timers/promises'
import { askLab, LabUnreachable } from './control-client.ts'
import type { LabState } from './lab-state.ts'
import { findInit, findLauncher, labNames, type RunDirectory, removeRemains, runDirectory } from './run-directory.ts'

/** A lab that runs. */
export interface Lab {
  readonly directory: RunDirectory
  readonly state: LabState
}

/** The running lab of that name, or undefined. */
export async function findLab(name: string): Promise<Lab | undefined> {
  const directory = runDirectory(name)
  try {
    return { directory, state: await askLab<LabState>(directory, 'state') }
  } catch (error) {
    if (error instanceof LabUnreachable && findInit(directory) === undefined) return undefined
    throw error
  }
}

/** The names of all labs that have a run directory, running or not. */
export function listLabs(): Promise<string[]> {
  return labNames()
}

const politeMs = 2000
const forcedMs = 5000

/**
 * Ends a lab and everything in it; false when there was none. A lab that does not end by itself is killed by its first
 * process, which takes the others along; what is left of the run directory is removed.
 */
export async function down(name: string): Promise<boolean> {
  const directory = runDirectory(name)
  const known = (await labNames()).includes(name)
  const asked = await askLab(directory, 'shutdown', {}, politeMs).then(
    () => true,
    () => false,
  )
  // One that does not even answer is not waited for.
  if (!(await isGone(directory, asked ? politeMs : 0))) {
    const init = findInit(directory)
    if (init !== undefined) process.kill(init, 'SIGKILL')
    if (!(await isGone(directory, forcedMs))) throw new Error(`lab ${name}: its processes do not end (pid ${init})`)
  }
  removeRemains(directory)
  return known
}

/** Whether the lab's processes have ended in time, its launcher with them, which removes the run directory last. */
async function isGone(directory: RunDirectory, timeoutMs: number): Promise<boolean> {
  const end = Date.now() + timeoutMs
  while (findInit(directory) !== undefined || findLauncher(directory) !== undefined) {
    if (Date.now() > end) return false
    await pause(10)
  }
  return true
}
