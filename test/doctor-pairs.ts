// Two faults at once, in one small application.

import { type Fault, faults } from './doctor-faults.ts'
import { canCoexist, merge } from './doctor-objects.ts'

/** Both faults as one, with what each alone is to be blamed on. */
export interface Pair {
  readonly fault: Fault
  readonly both: readonly [Fault, Fault]
}

/** Every so many of all pairs that can be: each fault meets about as many others. */
const stride = 37

/** A selection of the pairs of which neither fault keeps the other from being tried. */
export function pairsOfFaults(): readonly Pair[] {
  const open = faults.filter(({ hides }) => hides !== true)
  const all = open.flatMap((one, at) =>
    open.slice(at + 1).flatMap((other): [Fault, Fault][] => (fits(one, other) ? [[one, other]] : [])),
  )
  return all.filter((_, at) => at % stride === 0).map(([one, other], at) => apart(join(one, other), at))
}

/** One question must meet both. */
function fits(one: Fault, other: Fault): boolean {
  return (one.target === undefined || other.target === undefined) && canCoexist(one.parts, other.parts)
}

function join(one: Fault, other: Fault): Pair {
  const target = one.target ?? other.target
  const fault: Fault = {
    name: `${one.name}-and-${other.name}`,
    rows: `${one.rows}, ${other.rows}`,
    says: `${one.says}; ${other.says}`,
    parts: merge(one.parts, other.parts),
    ...(target === undefined ? {} : { target }),
    inject: [...(one.inject ?? []), ...(other.inject ?? [])],
    rule: one.rule,
    object: one.object,
  }
  return { fault, both: [one, other] }
}

/** With hosts, ports of Gateways and addresses that no other pair has. */
function apart(pair: Pair, at: number): Pair {
  const text = JSON.stringify(pair)
    .replaceAll(/\b[a-z]+\.example\b/g, `pair-${at}.example`)
    .replaceAll(/\b848\d\b/g, String(8500 + at))
    .replaceAll('203.0.113.88', `203.0.113.${100 + at}`)
    .replaceAll('10.96.77.77', `10.96.77.${1 + at}`)
  return JSON.parse(text) as Pair
}
