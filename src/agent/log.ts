import type { Log } from './contract.ts'

/** pino's JSON lines on standard error; loaded here because it costs tens of milliseconds. */
export async function openLog(node: string): Promise<Log> {
  const { pino, destination } = (await import('pino')).default
  const log: Log = pino({ base: { node } }, destination({ fd: 2, sync: true }))
  return log
}
