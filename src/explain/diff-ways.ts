import type { Blamer } from './blame-change.ts'
import type { Change } from './change.ts'
import { partiesOf } from './parties.ts'
import { analyseSetting, waysOf } from './reach.ts'
import type { Setting } from './setting.ts'
import { byId, type Way } from './way.ts'

const severities: Readonly<Record<Way['kind'], Change['severity']>> = {
  external: 'high',
  'node-port': 'high',
  route: 'high',
  exit: 'high',
  service: 'medium',
  certificate: 'medium',
}

/** What became of Services, external addresses, routes, certificates and exits. */
export function diffWays(before: Setting, after: Setting, blamer: Blamer): readonly Change[] {
  const [was, is] = [before, after].map(sideOf) as [ReturnType<typeof sideOf>, ReturnType<typeof sideOf>]
  const both = is.names.filter((name) => was.all.has(name))
  const ids = new Set([...was.ways.keys(), ...is.ways.keys()])
  return [...ids].flatMap((id) => {
    const [old, now] = [was.ways.get(id), is.ways.get(id)]
    const ends = endsChange(old, now, blamer)
    const clients = old !== undefined && now !== undefined ? clientsChange(old, now, both, blamer) : []
    return [...ends, ...clients]
  })
}

function sideOf(setting: Setting) {
  const analysis = analyseSetting(setting)
  const parties = partiesOf(setting, analysis, false)
  const names = parties.map(({ name }) => name)
  return { ways: byId(waysOf(setting, analysis, parties)), names, all: new Set(names) }
}

function endsChange(old: Way | undefined, now: Way | undefined, blamer: Blamer): readonly Change[] {
  const way = now ?? old
  if (way === undefined) return []
  const { kind: what, id: subject } = way
  const severity = severities[what]
  const base = { what, subject, severity }
  const could = old?.verdict === 'allow'
  const can = now?.verdict === 'allow'
  // What stands in both states and leads elsewhere may do so by an object further along.
  const further = old !== undefined && now !== undefined ? [...(now.through ?? []), ...(old.through ?? [])] : []
  const because = blamer.pick([now?.because, old?.because, ...further])
  // Who leaves by no Egress leaves as its node.
  if (what === 'exit' && (old === undefined || now === undefined))
    return [
      {
        ...base,
        kind: 'changed',
        says: leads(old?.leadsTo ?? ['as its node'], now?.leadsTo ?? ['as its node']),
        because,
      },
    ]
  if (could && !can)
    return [{ ...base, kind: 'closed', says: now?.says ?? `is gone; it led to ${old.leadsTo.join(', ')}`, because }]
  if (!could && can) return [{ ...base, kind: 'opened', says: `leads to ${now.leadsTo.join(', ')}`, because }]
  if (old === undefined || now === undefined || old.leadsTo.join() === now.leadsTo.join()) return []
  return [
    {
      ...base,
      kind: 'changed',
      severity: what === 'service' ? 'low' : severity,
      says: leads(old.leadsTo, now.leadsTo),
      because,
    },
  ]
}

function leads(old: readonly string[], now: readonly string[]): string {
  return `leads to ${now.join(', ') || 'nobody'} instead of ${old.join(', ') || 'nobody'}`
}

/** Who lost or gained what is behind a Service; of clients outside, which addresses. */
function clientsChange(old: Way, now: Way, both: readonly string[], blamer: Blamer): readonly Change[] {
  if (old.verdict !== 'allow' || now.verdict !== 'allow' || old.clients === now.clients) return []
  const listOf = ({ clients = [] }: Way): readonly string[] => (clients === 'everybody' ? both : clients)
  const [was, is] = [new Set(listOf(old)), new Set(listOf(now))]
  const isWithin = now.kind === 'service'
  const counts = (name: string): boolean => !isWithin || both.includes(name)
  const lost = [...was].filter((name) => !is.has(name) && counts(name))
  const gained = [...is].filter((name) => !was.has(name) && counts(name))
  return [...told('closed', lost, now, blamer), ...told('opened', gained, now, blamer)]
}

function told(kind: 'closed' | 'opened', names: readonly string[], way: Way, blamer: Blamer): readonly Change[] {
  const [first] = names
  if (first === undefined) return []
  const [, target = '', port = '0'] = /^(.*):(\d+)$/.exec(way.leadsTo[0] ?? '') ?? []
  const protocol = (['udp', 'sctp'] as const).find((one) => way.id.includes(`/${one}`)) ?? 'tcp'
  const more = names.length > 4 ? ` and ${names.length - 4} more` : ''
  const says = `${kind} for ${names.slice(0, 4).join(', ')}${more}`
  const because =
    way.kind === 'service'
      ? blamer.connection({ from: first, to: target, protocol, port: Number(port) })
      : blamer.pick([way.because])
  return [{ kind, what: way.kind, subject: way.id, severity: severities[way.kind], says, because }]
}
