import { parseProcesses, parseSessions, type Worker } from '../haproxy/index.ts'
import { askHaproxy } from './socket.ts'

/** The workers behind a master socket, those that were replaced and still have connections included; none while the master is between two lives. */
export async function workersOf(masterSocket: string): Promise<readonly Worker[]> {
  try {
    return parseProcesses(await askHaproxy(masterSocket, 'show proc'))
  } catch {
    return []
  }
}

/** Whether a worker has a request or a stream under way; connections that wait for their next request are none. */
export async function isBusy(masterSocket: string): Promise<boolean> {
  for (const { pid } of await workersOf(masterSocket)) {
    const sessions = await askHaproxy(masterSocket, `@!${pid} show sess`).catch(() => '')
    if (parseSessions(sessions).some(({ frontend }) => frontend !== 'GLOBAL')) return true
  }
  return false
}
