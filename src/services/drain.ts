import type { Service } from '../objects/index.ts'
import type { Candidate, Drain, Finding } from './model.ts'
import { renderTarget } from './target.ts'

/** On a Service: how many seconds connections to an endpoint go on after it began to terminate, or went. */
const drainAnnotation = 'plumb.network/drain-seconds'

const maxSeconds = 86_400

/** When connections to endpoints that go are cut; undefined when they go on until they end, as upstream. */
export function drainOf(
  { metadata }: Service,
  object: string,
  frontends: readonly { readonly candidates: readonly Candidate[] }[],
  findings: Finding[],
): Drain | undefined {
  const value = metadata.annotations?.[drainAnnotation]
  if (value === undefined) return undefined
  const field = `metadata.annotations[${drainAnnotation}]`
  if (!/^\d{1,5}$/.test(value) || Number(value) > maxSeconds) {
    const says = `"${value}" is no number of seconds from 0 to ${maxSeconds}: connections to endpoints that go are not cut`
    findings.push({ code: 'BrokenDrainTime', object, field, says, try: 'write a whole number, such as 30' })
    return undefined
  }
  const staying = new Set<string>()
  const leaving = new Set<string>()
  const seen = new Set<readonly Candidate[]>()
  for (const { candidates } of frontends) {
    if (seen.has(candidates)) continue
    seen.add(candidates)
    for (const one of candidates) (one.terminating ? leaving : staying).add(renderTarget(one))
  }
  for (const target of staying) leaving.delete(target)
  return { seconds: Number(value), staying, leaving, because: { object, field, value } }
}
