import { externalAddresses, reach, reachData } from '../explain/index.ts'
import type { AskedUrl } from './asked-url.ts'
import { drawPicture } from './draw.ts'
import { findTroubles } from './findings.ts'
import type { HolderJournal } from './holder-journal.ts'
import { namesIn } from './names.ts'
import { reachOf } from './reach-of.ts'
import type { Source, State, WhyAsked } from './source.ts'

/** An answer of the API: data, or why there is none, with the status of HTTP. */
export interface ApiAnswer {
  readonly status: 200 | 400 | 404
  readonly body: unknown
}

/** What the routes answer from. */
export interface Desk {
  readonly source: Source
  readonly journal: HolderJournal
}

type Parameters = AskedUrl['parameters']

const ok = (body: unknown): ApiAnswer => ({ status: 200, body })
const bad = (error: string): ApiAnswer => ({ status: 400, body: { error } })

/** Every question that the page asks, by path. All are GET, and change nothing. */
export const routes: Readonly<Record<string, (desk: Desk, parameters: Parameters) => Promise<ApiAnswer>>> = {
  '/api/about': async ({ source }) => {
    const { assumptions } = await source.state()
    const { says, blind, agents } = source
    return ok({ says, blind, assumptions, flows: agents?.flows })
  },
  '/api/picture': async ({ source }) => ok(picture(await source.state())),
  '/api/findings': async ({ source }) => ok(troubles(await source.state())),
  '/api/names': async ({ source }) => ok(names(await source.state())),
  '/api/reach': async ({ source }, { of = '' }) => {
    const state = await source.state()
    return ok(of === '' ? { subjects: reached(state).subjects } : reachOf(reached(state), state, inFull(of)))
  },
  '/api/why': async ({ source }, parameters) => {
    const asked = parseWhy(parameters)
    const answer = typeof asked === 'string' ? asked : await source.why(asked)
    return typeof answer === 'string' ? bad(answer) : ok(answer)
  },
  '/api/show': async ({ source }, { object = '' }) => {
    const shown = await source.show(object)
    return typeof shown === 'string' ? { status: 404, body: { error: shown } } : ok(shown)
  },
  '/api/addresses': async ({ source, journal }) => {
    const { snapshot } = await source.state()
    const live = await source.agents?.addresses()
    return ok({ addresses: externalAddresses(snapshot), live, moves: journal.moves })
  },
}

/** A workload that is named without a namespace is of the default one, as everywhere. */
const inFull = (object: string): string => object.replace(/^([^/]+)\/([^/]+)$/, '$1/default/$2')

/** What takes time is found once for each state. */
function once<T>(find: (state: State) => T): (state: State) => T {
  const known = new WeakMap<State, { readonly found: T }>()
  return (state) => {
    const before = known.get(state)
    if (before !== undefined) return before.found
    const begin = performance.now()
    const found = find(state)
    known.set(state, { found })
    costs.set(find, performance.now() - begin)
    return found
  }
}

const costs = new Map<unknown, number>()

/** Milliseconds that it took last to find all anew. */
export function costMs(): number {
  return [...costs.values()].reduce((sum, one) => sum + one, 0)
}

const picture = once(drawPicture)
const names = once(namesIn)
const reached = once((state) => {
  const { edges, audited, ...rest } = reach(state)
  return { ...rest, edges: reachData(edges), audited: reachData(audited) }
})
const troubles = once((state) => findTroubles(picture(state), reached(state)))

function parseWhy({ from = '', to = '', protocol = 'tcp', family, method }: Parameters): WhyAsked | string {
  if (from === '' || to === '') return 'say from where and where to'
  if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'sctp' && protocol !== 'icmp')
    return `protocol "${protocol}" is not tcp, udp, sctp or icmp`
  if (family !== undefined && family !== '4' && family !== '6') return `family "${family}" is not 4 or 6`
  return {
    from,
    to,
    protocol,
    ...(family === undefined ? {} : { family }),
    ...(method === undefined ? {} : { method }),
  }
}
