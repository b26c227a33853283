/** How a restarted container's delays have grown (kubelet: 10 s, doubling to 5 min, forgotten after 10 min of running). */
export interface BackOff {
  readonly delayMs: number
  readonly crashes: number
}

export const noBackOff: BackOff = { delayMs: 0, crashes: 0 }

const firstDelayMs = 10_000
const maximumDelayMs = 300_000
const forgetAfterMs = 600_000

/** The back-off after a run of `ranMs`. The first restart comes at once, as upstream. */
export function nextBackOff(backOff: BackOff, ranMs: number): BackOff {
  if (ranMs >= forgetAfterMs) return { delayMs: 0, crashes: 1 }
  if (backOff.crashes === 0) return { delayMs: 0, crashes: 1 }
  const delayMs = backOff.delayMs === 0 ? firstDelayMs : Math.min(backOff.delayMs * 2, maximumDelayMs)
  return { delayMs, crashes: backOff.crashes + 1 }
}

/** Whether the pod's restart policy wants a container that ended with `exitCode` again. */
export function shouldRestart(restartPolicy: string, exitCode: number): boolean {
  return restartPolicy === 'Always' || (restartPolicy === 'OnFailure' && exitCode !== 0)
}

/** The message of a container in `CrashLoopBackOff`. */
export function backOffMessage(delayMs: number, container: string, pod: string): string {
  const minutes = Math.floor(delayMs / 60_000)
  const seconds = (delayMs % 60_000) / 1000
  const text = minutes === 0 ? `${seconds}s` : `${minutes}m${seconds}s`
  return `back-off ${text} restarting failed container=${container} pod=${pod}`
}
