import type { Place, Probe, ProbeResult } from '../doctor/index.ts'
import { renderPlace } from '../doctor/index.ts'
import type { Host, Namespace } from '../host/index.ts'
import { type Sight, Tap } from './tap.ts'
import { type Tried, tryTcp } from './tcp.ts'
import { tryUdp } from './udp.ts'

/** Opens the network namespace of a place, to be closed by who asked; rejects with what is wrong. */
export type OpenPlace = (place: Place) => Promise<Namespace>

const patience = { connectMs: 1300, answerMs: 2500 }
/** A gateway tries a server that refuses again, for three seconds, before it says 503. */
const gatewayPatience = { connectMs: 1300, answerMs: 4000 }
/** When every try is over, from the beginning of all; what was not begun by then is not tried. */
const allMs = 4200
/** Tries at once: those of a ladder, so that none waits for another. */
const width = 192
const lateMs = 20

/** Sends all probes, in parallel and bounded, and tells what came of each within 4.2 s. A place that cannot be entered makes its probes `unseen`. */
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
          : started >= until
            ? { outcome: { kind: 'unseen', says: 'no time was left for it' }, sight: undefined }
            : await (probe.transport === 'tcp' ? tryTcp : tryUdp)(host, place.namespace, place.tap, probe, {
                ...(probe.rung === 'gateway' ? gatewayPatience : patience),
                until,
              })
      tried[at]?.push({ ...result, ms: Math.round((performance.now() - started) * 10) / 10 })
    }
  }
  // Entering them is this machine's own work, which the probes' time is not spent on.
  await Promise.all(probes.map(({ from }) => enter(from)))
  const until = performance.now() + allMs
  const arrivedAt = new Map<string, Tap>()
  try {
    await Promise.all(Array.from({ length: width }, worker))
    // What is on its way through the taps is worth a moment.
    await new Promise((resolve) => setTimeout(resolve, lateMs))
  } finally {
    for (const [id, place] of places) {
      const opened = await place
      if (typeof opened === 'string') continue
      arrivedAt.set(id, opened.tap)
      opened.tap.close()
      opened.namespace.close()
    }
  }
  return probes.map((probe, at) => ({
    probe,
    tries: (tried[at] ?? []).map(({ outcome, ms, sight }) => ({ outcome, ms, wire: wireOf(probe, sight, arrivedAt) })),
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

/** What the taps saw of a try, where it started and at the node that it asked. */
function wireOf({ target = '', from, port }: Probe, sight: Sight | undefined, taps: ReadonlyMap<string, Tap>) {
  const there = from.kind === 'outside' ? taps.get(target) : undefined
  if (sight === undefined || there === undefined) return sight?.wire
  return { ...sight.wire, arrived: there.arrived(sight.port, port) }
}
