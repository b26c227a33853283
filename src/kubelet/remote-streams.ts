import type { Readable, Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { Status } from '../objects/index.ts'

/** Which streams a client of exec and attach wants (`PodExecOptions`, `PodAttachOptions`). */
export interface StreamRequest {
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly tty: boolean
}

/** The streams of a remote command, whatever carries them (k8s.io/apimachinery remotecommand). */
export interface RemoteStreams {
  readonly stdin: Readable | undefined
  readonly stdout: Writable | undefined
  readonly stderr: Writable | undefined
  /** Calls back with the size of the client's window, in characters. */
  onResize(callback: (columns: number, rows: number) => void): void
  /** Calls back once, when the client has gone or everything has been said. */
  onClose(callback: () => void): void
  /** Tells the outcome after all output, and ends the connection. */
  finish(status: Status): Promise<void>
}

/** The Status of a command that ended well. */
export const successStatus: Status = { apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Success' }

/** The Status that ends an exec: `NonZeroExitCode` with a cause `ExitCode` is what clients take the exit code from. */
export function exitStatus(code: number): Status {
  if (code === 0) return successStatus
  return {
    ...failureStatus(`command terminated with non-zero exit code: exit status ${code}`, 'NonZeroExitCode'),
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  }
}

export function failureStatus(message: string, reason: string): Status {
  return { apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Failure', message, reason }
}

/** Ends output streams and waits until all of it is on its way, or nobody is there to take it. */
export async function flush(...outputs: readonly (Writable | undefined)[]): Promise<void> {
  for (const output of outputs) {
    if (output === undefined || output.destroyed) continue
    if (!output.writableEnded) output.end()
    await finished(output, { readable: false }).catch(() => undefined)
  }
}

/** Reads the client's window sizes out of a resize stream: JSON documents `{"Width":…,"Height":…}`, one after another. */
export function parseSizes(text: string): { sizes: { columns: number; rows: number }[]; rest: string } {
  const sizes: { columns: number; rows: number }[] = []
  let at = 0
  for (let end = text.indexOf('}'); end >= 0; end = text.indexOf('}', at)) {
    const [, columns] = /"Width":(\d{1,5})\b/.exec(text.slice(at, end + 1)) ?? []
    const [, rows] = /"Height":(\d{1,5})\b/.exec(text.slice(at, end + 1)) ?? []
    if (columns !== undefined && rows !== undefined) sizes.push({ columns: Number(columns), rows: Number(rows) })
    at = end + 1
  }
  // What is no size must not be kept without bound.
  return { sizes, rest: text.slice(at).slice(-100) }
}
