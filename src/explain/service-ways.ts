import { keyOf, type Snapshot } from '../cluster/index.ts'
import type { Service } from '../objects/index.ts'
import { type Analysis, type Grant, hasPort, type Kin } from '../policies/index.ts'
import { type Candidate, compileService, type Frontend } from '../services/index.ts'
import { distinct, sayBehind } from './behind.ts'
import { viewOf } from './entry.ts'
import { grantOfParties, type Party } from './parties.ts'
import type { Setting } from './setting.ts'
import type { Way } from './way.ts'

/** Each port of each Service at its ClusterIP: who is behind it, who reaches that, and from which nodes nobody does. */
export function serviceWays(setting: Setting, analysis: Analysis, parties: readonly Party[]): readonly Way[] {
  const clients = new Clients(analysis, parties)
  return [...setting.snapshot.services.values()].flatMap((service) => {
    const views = viewsOf(setting.snapshot, service)
    const ports = new Map<string, { readonly node: string; readonly frontend: Frontend }[]>()
    for (const { node, frontends } of views)
      for (const frontend of frontends) {
        if (frontend.kind !== 'cluster-ip') continue
        const name = `${frontend.port}/${frontend.protocol}`
        const known = ports.get(name)
        if (known === undefined) ports.set(name, [{ node, frontend }])
        else known.push({ node, frontend })
      }
    return [...ports].map(([port, seen]) => wayOf(setting, service, port, seen, clients))
  })
}

/** What nodes make of a Service: one node's view where all are the same. */
function viewsOf(snapshot: Snapshot, service: Service) {
  const { internalTrafficPolicy, trafficDistribution } = service.spec
  const isSame = internalTrafficPolicy !== 'Local' && trafficDistribution === undefined
  const nodes = isSame ? [...snapshot.nodes.values()].slice(0, 1) : [...snapshot.nodes.values()]
  const slices = snapshot.slicesOf(keyOf(service))
  return nodes.map((node) => ({
    node: node.metadata.name,
    frontends: compileService(service, slices, viewOf(node)).frontends,
  }))
}

function wayOf(
  setting: Setting,
  service: Service,
  port: string,
  seen: readonly { readonly node: string; readonly frontend: Frontend }[],
  clients: Clients,
): Way {
  const key = `service/${keyOf(service)}`
  const chosen = seen.flatMap(({ frontend: { outcome } }) => (outcome.kind === 'balance' ? outcome.endpoints : []))
  const without = seen.filter(({ frontend }) => frontend.outcome.kind !== 'balance')
  const { frontend } = without[0] ?? seen[0]!
  const leadsTo = distinct(chosen.map(({ address, port: own }) => sayBehind(setting, address, own)))
  const because = frontend.outcome.because
  const rest = { kind: 'service' as const, id: `${key}:${port}`, leadsTo, because }
  if (leadsTo.length === 0) return { ...rest, verdict: 'deny', clients: [], says: 'no endpoint takes connections' }
  const who = clients.of(chosen, setting, frontend.protocol)
  const nodes = [...new Set(without.map(({ node }) => node))].sort()
  const says =
    nodes.length === 0
      ? `at ${leadsTo.join(', ')}`
      : `nobody on ${nodes.length} nodes (${nodes.slice(0, 4).join(', ')})`
  return { ...rest, verdict: 'allow', clients: who, says }
}

/** Who reaches what is behind Services; most have the same. */
class Clients {
  readonly #analysis: Analysis
  readonly #parties: readonly Party[]
  readonly #grants = new Map<Kin, readonly Grant[]>()
  readonly #known = new Map<string, Way['clients']>()
  readonly #ids = new Map<Kin, number>()

  constructor(analysis: Analysis, parties: readonly Party[]) {
    this.#analysis = analysis
    this.#parties = parties
  }

  of(endpoints: readonly Candidate[], { snapshot }: Setting, protocol: Frontend['protocol']): Way['clients'] {
    const targets = new Map<string, { readonly kin: Kin; readonly port: number }>()
    for (const { address, port } of endpoints) {
      const pod = snapshot.findPod(address)
      const kin = pod && this.#analysis.find(keyOf(pod))
      if (kin !== undefined) targets.set(`${this.#id(kin)}:${port}`, { kin, port })
    }
    const sign = `${protocol} ${[...targets.keys()].sort().join(' ')}`
    const known = this.#known.get(sign) ?? this.#find([...targets.values()], protocol)
    this.#known.set(sign, known)
    return known
  }

  #find(targets: readonly { readonly kin: Kin; readonly port: number }[], protocol: Frontend['protocol']) {
    const names = this.#parties.flatMap(({ name }, at) =>
      targets.every(({ kin, port }) => hasPort(this.#grantsTo(kin)[at]!, protocol, port)) ? [name] : [],
    )
    return names.length === this.#parties.length ? 'everybody' : names
  }

  #grantsTo(kin: Kin): readonly Grant[] {
    const known = this.#grants.get(kin)
    if (known !== undefined) return known
    const to: Party = { name: '', members: [], end: kin }
    // What a pod sends to itself through a Service is not stopped.
    const grants = this.#parties.map((from) =>
      from.end === kin && kin.pods.length === 1 ? { kind: 'all' as const } : grantOfParties(from, to, this.#analysis),
    )
    this.#grants.set(kin, grants)
    return grants
  }

  #id(kin: Kin): number {
    const known = this.#ids.get(kin) ?? this.#ids.size
    this.#ids.set(kin, known)
    return known
  }
}
