import type { Place, Probe, ProbeResult } from '../doctor/index.ts'
import { renderPlace } from '../doctor/index.ts'
import type { Host, Namespace } from '../host/index.ts'
import { Tap } from './tap.ts'
import { type Patience, type Tried, tryTcp } from './tcp.ts'
import { tryUdp } from './udp.ts'

/** Opens the network namespace of a place, to be closed by who asked; rejects with what is wrong. */
export type OpenPlace = (place: Place) => Promise<Namespace>

const patience: Patience = { connectMs: 1300, answerMs: 2500 }
/** A gateway tries a server that refuses again, for three seconds, before it says 503. */
const gatewayPatience: Patience = { connectMs: 1300, answerMs: 4000 }
/** Probes at once: enough to be quick, too few to be a load. */
const width = 64
const lateMs = 20

/** Sends all probes, in parallel and bounded, and tells what came of each. A place that cannot be entered makes its probes `unseen`. */
export async function runProbes(
  host: Host,
  probes: readonly Probe[],
  open: OpenPlace,
): Promise<readonly ProbeResult[]> {
  const places = new Map<string, Promise<{ namespace: Namespace; tap: Tap } | string>>()
  const enter = (place: Place) => {
    const id = renderPlace(place)
    const known = places.get(id) ?? enterPlace(place, open)
    places.set(id, known)
    return known
  }
  const waiting = probes.flatMap((probe, at) => Array.from({ length: probe.tries }, () => ({ probe, at })))
  const tried: (Tried & { ms: number })[][] = probes.map(() => [])
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { probe, at } = next
      const place = await enter(probe.from)
      const started = performance.now()
      const result: Tried =
        typeof place === 'string'
          ? { outcome: { kind: 'unseen', says: place }, sight: undefined }
          : await (probe.transport === 'tcp' ? tryTcp : tryUdp)(
              host,
              place.namespace,
              place.tap,
              probe,
              probe.rung === 'gateway' ? gatewayPatience : patience,
            )
      tried[at]?.push({ ...result, ms: Math.round((performance.now() - started) * 10) / 10 })
    }
  }
  try {
    await Promise.all(Array.from({ length: width }, worker))
    // What is on its way through the taps is worth a moment.
    await new Promise((resolve) => setTimeout(resolve, lateMs))
  } finally {
    for (const place of places.values()) {
      const opened = await place
      if (typeof opened === 'string') continue
      opened.tap.close()
      opened.namespace.close()
    }
  }
  return probes.map((probe, at) => ({
    probe,
    tries: (tried[at] ?? []).map(({ outcome, ms, sight }) => ({ outcome, ms, wire: sight?.wire })),
  }))
}

async function enterPlace(place: Place, open: OpenPlace): Promise<{ namespace: Namespace; tap: Tap } | string> {
  try {
    const namespace = await open(place)
    return { namespace, tap: new Tap(namespace) }
  } catch (error) {
    return `${renderPlace(place)} cannot be entered: ${error instanceof Error ? error.message : String(error)}`
  }
}
