import { HostError, type Network } from '../host/index.ts'
import type { LoggedPacket } from '../netlink/index.ts'
import type { Log } from './contract.ts'

/** A group is one socket's: a former agent may hold it still. */
const retryMs = 5000

/** Listens to a log group as soon as it is free, which is now as a rule; until then nothing of it is heard, and `trouble` is told once. */
export function listenToLog(
  network: Network,
  { group, bytes, trouble }: { readonly group: number; readonly bytes: number; readonly trouble: string },
  onPacket: (packet: LoggedPacket) => void,
  log: Log,
): { close(): void } {
  let watch: { close(): void } | undefined
  let retry: NodeJS.Timeout | undefined
  let told = false
  const open = (): void => {
    try {
      watch = network.watchLoggedPackets(group, bytes, onPacket)
    } catch (error) {
      if (!(error instanceof HostError)) throw error
      if (!told) log.warn({ error: error.message }, trouble)
      told = true
      retry = setTimeout(open, retryMs).unref()
    }
  }
  open()
  return {
    close() {
      clearTimeout(retry)
      watch?.close()
    },
  }
}
