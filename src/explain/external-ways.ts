import { type Address, addressAt, type Family, familyOf } from '../addr/index.ts'
import { keyOf } from '../cluster/index.ts'
import type { Service } from '../objects/index.ts'
import { type AddressRange, type Analysis, rangeOf } from '../policies/index.ts'
import { compileService, explainService, type Frontend, type ServiceModel } from '../services/index.ts'
import { findHolder } from './announced.ts'
import type { Answer } from './answer.ts'
import { type Asked, contextOf, toQuestion } from './asked.ts'
import { distinct, sayBehind } from './behind.ts'
import { conclude } from './conclude.ts'
import type { Source } from './end.ts'
import { findOwner, viewOf } from './entry.ts'
import { cut, rangesIn, sayRanges } from './outside.ts'
import type { Setting } from './setting.ts'
import type { Way } from './way.ts'

/** A frontend for the world outside on the nodes at which packets for it come in and are served. */
interface Entry {
  readonly frontend: Frontend
  readonly served: { readonly node: string; readonly model: ServiceModel; readonly address: Address }[]
  readonly unserved: string[]
}

/** So many nodes and ranges of clients are asked at most. */
const mostNodes = 8
const mostRanges = 64

/** Each port of each Service at its external addresses and at nodes, for clients outside. */
export function externalWays(setting: Setting, analysis: Analysis): readonly Way[] {
  return [...setting.snapshot.services.values()].flatMap((service) =>
    [...entriesOf(setting, service)].map(([id, entry]) => wayOf(setting, analysis, service, id, entry)),
  )
}

function entriesOf({ snapshot }: Setting, service: Service): ReadonlyMap<string, Entry> {
  const { type = 'ClusterIP', externalIPs = [], externalTrafficPolicy } = service.spec
  const entries = new Map<string, Entry>()
  const ingress = service.status?.loadBalancer?.ingress ?? []
  if (type === 'ClusterIP' && externalIPs.length + ingress.length === 0) return entries
  const isLocal = externalTrafficPolicy === 'Local'
  const slices = snapshot.slicesOf(keyOf(service))
  const sorted = [...snapshot.nodes.keys()].sort()
  const holder = isLocal ? undefined : holderOf(snapshot, service)
  for (const node of isLocal ? sorted : [holder ?? sorted[0] ?? '']) {
    const model = compileService(service, slices, viewOf(snapshot.nodes.get(node)))
    for (const frontend of model.frontends) {
      const { kind, family, address, port, protocol, outcome } = frontend
      if (kind === 'cluster-ip') continue
      const where =
        kind === 'node-port' ? `node port ${port}/${protocol} IPv${family}` : `${port}/${protocol} at ${address}`
      const entry = entries.get(where) ?? { frontend, served: [], unserved: [] }
      entries.set(where, entry)
      if (outcome.kind === 'balance') entry.served.push({ node, model, address })
      else entry.unserved.push(node)
    }
  }
  return entries
}

function holderOf(snapshot: Setting['snapshot'], { status }: Service): string | undefined {
  const [first] = (status?.loadBalancer?.ingress ?? []).flatMap(({ ip = '' }) => (ip === '' ? [] : [ip as Address]))
  return first === undefined ? undefined : findHolder(snapshot, first)?.node
}

function wayOf(setting: Setting, analysis: Analysis, service: Service, where: string, entry: Entry): Way {
  const { frontend, served, unserved } = entry
  const kind = frontend.kind === 'node-port' ? ('node-port' as const) : ('external' as const)
  const rest = { kind, id: `service/${keyOf(service)} ${where}` }
  if (served.length === 0) {
    const { outcome } = frontend
    return {
      ...rest,
      verdict: 'deny',
      leadsTo: [],
      clients: [],
      says: 'no endpoint takes connections',
      because: outcome.because,
    }
  }
  const ranges = clientsOf(setting, analysis, frontend)
  const allowed: AddressRange[] = []
  const leadsTo = new Set<string>()
  const seen = new Set<string>()
  let denied: Answer['verdict'] | undefined
  for (const range of ranges) {
    const client = strangerIn(setting, frontend.family, range)
    if (client === undefined) continue
    const answers = served.slice(0, mostNodes).map((one) => ask(setting, client, one, frontend))
    const reached = answers.flatMap(({ branches }) => branches.filter(({ verdict }) => verdict.kind !== 'deny'))
    const refused = answers.find(({ verdict }) => verdict.kind === 'deny')
    denied ??= refused?.verdict
    if (reached.length === 0) continue
    allowed.push(range)
    for (const { endpoint, seenAs } of reached) {
      leadsTo.add(sayBehind(setting, endpoint.address, endpoint.port))
      seen.add(seenAs === client ? 'themselves' : seenAs === frontend.address ? 'that address' : 'a node')
    }
  }
  const because = denied?.because ?? frontend.because.address
  if (allowed.length === 0)
    return { ...rest, verdict: 'deny', leadsTo: [], clients: [], says: denied?.says ?? 'nobody may come', because }
  const by = { 4: [], 6: [], [frontend.family]: allowed } as Record<Family, AddressRange[]>
  const nobody =
    unserved.length === 0 ? '' : `; nobody on ${unserved.length} nodes (${unserved.slice(0, 4).join(', ')})`
  const partly = denied === undefined ? '' : `; not everybody: ${denied.says}`
  const says = `clients are seen as ${[...seen].sort().join(' or ')}${nobody}${partly}`
  return { ...rest, verdict: 'allow', leadsTo: distinct(leadsTo), clients: [sayRanges(by)], says, because }
}

/** The addresses of a family in parts that nothing on the way tells apart. */
function clientsOf(
  { snapshot }: Setting,
  analysis: Analysis,
  { family, outcome, sources }: Frontend,
): readonly AddressRange[] {
  const meant = (sources?.allowed ?? []).map((prefix) => rangeOf(prefix))
  const kins = new Set(
    (outcome.kind === 'balance' ? outcome.endpoints : []).flatMap(({ address }) => {
      const pod = snapshot.findPod(address)
      return (pod && analysis.find(keyOf(pod))) ?? []
    }),
  )
  for (const { ingress } of kins) meant.push(...rangesIn(family, ingress))
  return cut(family, meant).slice(0, mostRanges)
}

/** An address of the range that is nobody's in the cluster. */
function strangerIn({ snapshot }: Setting, family: Family, { low, high }: AddressRange): Address | undefined {
  for (let offset = low === 0n ? 1n : low, tries = 0; offset <= high && tries < 64; offset += 1n, tries++) {
    const address = addressAt(family, offset)
    if (snapshot.findPod(address) === undefined && findOwner(snapshot, address) === undefined) return address
  }
  return undefined
}

function ask(
  { snapshot, facts }: Setting,
  client: Address,
  { node, model, address }: Entry['served'][number],
  { port, protocol }: Frontend,
): Answer {
  const because = { object: `node/${node}`, field: 'status.addresses', value: address }
  const source: Source = { label: client, node, pod: undefined, addresses: [client], outside: true, because }
  const from = { kind: 'address', address: client } as const
  const question = {
    from,
    to: { kind: 'address', address } as const,
    transport: protocol,
    port,
    family: familyOf(client),
  }
  const asked: Asked = { snapshot, question, facts, source }
  const destination = { address, port, transport: protocol }
  const answer = explainService(toQuestion(source, destination), contextOf(asked, address, [model]))
  return conclude(asked, answer, destination, [], [])
}
