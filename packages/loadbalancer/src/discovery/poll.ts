import type { Clock } from '../clock.ts'
import type { InstanceList, ServiceInstance } from '../instance.ts'

/** Asks again and again. A failure repeats the last list as stale and waits `retryMs`, longer each time up to 30 s. */
export function poll(
  clock: Clock,
  listener: (list: InstanceList) => void,
  ask: () => Promise<{ instances: readonly ServiceInstance[]; nextMs: number }>,
  retryMs: number,
): () => void {
  let stopped = false
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
      const { instances, nextMs } = await ask()
      if (stopped) return
      last = instances
      waitMs = nextMs
      failures = 0
      tell({ instances })
    } catch (error) {
      if (stopped) return
      waitMs = Math.min(30_000, retryMs * 2 ** Math.min(failures++, 10))
      tell({ instances: last, stale: true, trouble: error instanceof Error ? error.message : String(error) })
    }
    cancel = clock.after(waitMs, () => void round())
  }
  void round()
  return () => {
    stopped = true
    cancel()
  }
}
