import type { Clock } from '../clock.ts'
import type { InstanceList, ServiceInstance } from '../instance.ts'

/** One question. It may tell lists before it ends; resolves to the wait before the next one, in milliseconds. */
export type Ask = (tell: (instances: readonly ServiceInstance[]) => void, signal: AbortSignal) => Promise<number>

/** Asks again and again. A failure repeats the last list as stale and waits `retryMs`, longer each time up to 30 s. */
export function poll(clock: Clock, listener: (list: InstanceList) => void, ask: Ask, retryMs: number): () => void {
  const stop = new AbortController()
  let cancel = () => undefined as unknown
  let failures = 0
  let last: readonly ServiceInstance[] = []
  let told = ''
  const tell = (list: InstanceList): void => {
    const now = JSON.stringify(list)
    if (now === told) return
    told = now
    listener(list)
  }
  async function round(): Promise<void> {
    let waitMs: number
    try {
      const take = (instances: readonly ServiceInstance[]): void => {
        if (stop.signal.aborted) return
        last = instances
        failures = 0
        tell({ instances })
      }
      waitMs = await ask(take, stop.signal)
      if (stop.signal.aborted) return
    } catch (error) {
      if (stop.signal.aborted) return
      waitMs = Math.min(30_000, retryMs * 2 ** Math.min(failures++, 10))
      tell({ instances: last, stale: true, trouble: error instanceof Error ? error.message : String(error) })
    }
    cancel = clock.after(waitMs, () => void round())
  }
  void round()
  return () => {
    stop.abort()
    cancel()
  }
}
