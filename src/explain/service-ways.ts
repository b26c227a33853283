import type { Address } from '../addr/index.ts'
import { keyOf, type Snapshot } from '../cluster/index.ts'
import type { Service } from '../objects/index.ts'
import { type Analysis, type Grant, type GrantPeer, grantOf, hasPort, type Kin, policyNode } from '../policies/index.ts'
import { type Candidate, compileService, type Frontend } from '../services/index.ts'
import { distinct, sayBehind } from './behind.ts'
import { findOwner, viewOf } from './entry.ts'
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

/** Who is behind a Service, one of those that no policy tells apart: pods, or an address that none has, as the API server's. */
type End = Kin | GrantPeer

const everything: Grant = { kind: 'all' }

/** Who reaches what is behind Services; most have the same. */
class Clients {
  readonly #analysis: Analysis
  readonly #parties: readonly Party[]
  readonly #grants = new Map<string, readonly Grant[]>()
  readonly #known = new Map<string, Way['clients']>()
  readonly #ids = new Map<Kin, number>()

  constructor(analysis: Analysis, parties: readonly Party[]) {
    this.#analysis = analysis
    this.#parties = parties
  }

  of(endpoints: readonly Candidate[], { snapshot }: Setting, protocol: Frontend['protocol']): Way['clients'] {
    const targets = new Map<string, { readonly end: End; readonly port: number }>()
    for (const { address, port } of endpoints) {
      const end = this.#endAt(snapshot, address)
      targets.set(`${this.#idOf(end)}:${port}`, { end, port })
    }
    const sign = `${protocol} ${[...targets.keys()].sort().join(' ')}`
    const known = this.#known.get(sign) ?? this.#find([...targets.values()], protocol)
    this.#known.set(sign, known)
    return known
  }

  #endAt(snapshot: Setting['snapshot'], address: Address): End {
    const pod = snapshot.findPod(address)
    const kin = pod && this.#analysis.find(keyOf(pod))
    if (kin !== undefined) return kin
    const owner = findOwner(snapshot, address)
    const node = owner && { node: policyNode(owner).labels }
    return { selections: undefined, address, ...node }
  }

  #find(targets: readonly { readonly end: End; readonly port: number }[], protocol: Frontend['protocol']) {
    const names = this.#parties.flatMap(({ name }, at) =>
      targets.every(({ end, port }) => hasPort(this.#grantsTo(end)[at]!, protocol, port)) ? [name] : [],
    )
    return names.length === this.#parties.length ? 'everybody' : names
  }

  #grantsTo(to: End): readonly Grant[] {
    const id = this.#idOf(to)
    const known = this.#grants.get(id)
    if (known !== undefined) return known
    const grants = this.#parties.map((from) => this.#grant(from, to))
    this.#grants.set(id, grants)
    return grants
  }

  #grant(from: Party, to: End): Grant {
    if ('pods' in to) {
      // What a pod sends to itself through a Service is not stopped.
      if (from.end === to && to.pods.length === 1) return everything
      return grantOfParties(from, { name: '', members: [], end: to }, this.#analysis)
    }
    return 'nodes' in from.end ? everything : grantOf(from.end.egress, to, [])
  }

  #idOf(end: End): string {
    if (!('pods' in end)) return `address ${this.#analysis.signOf(end)}`
    const known = this.#ids.get(end) ?? this.#ids.size
    this.#ids.set(end, known)
    return `${known}`
  }
}
