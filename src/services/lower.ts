import type { Address, Family } from '../addr/index.ts'
import type { ObjectKey } from '../cluster/index.ts'
import type {
  Chain,
  DataType,
  Element,
  Expression,
  Operation,
  Rule,
  SetDeclaration,
  Statement,
  TableFamily,
} from '../nft/index.ts'
import { maglevTable, spread } from './maglev.ts'
import {
  type Candidate,
  type Frontend,
  type Hashing,
  maxEndpoints,
  mayRunOn,
  type Outcome,
  type ServiceModel,
  type Transport,
} from './model.ts'
import { renderTarget } from './target.ts'

export { loopbackGuard } from '../nft/index.ts'
export type { Chain, DataType, Element, Expression, Operation, Rule, SetDeclaration, Statement, TableFamily }

/** A Service in nft's words: what it puts into the shared sets and maps, before it is settled which index an endpoint gets. */
export interface LoweredService {
  readonly key: ObjectKey
  readonly created: string
  readonly frontends: readonly LoweredFrontend[]
  /** Endpoints of this node, one entry per use: they may reach themselves through the frontend. */
  readonly hairpins: readonly Address[]
}

/** One entry of `service-class` with its endpoints. */
export interface LoweredFrontend {
  readonly family: Family
  readonly address: Address
  readonly protocol: Transport
  readonly port: number
  /** The key in `service-class`: `10.96.0.10 . udp . 53`. */
  readonly id: string
  /** How refusals and masquerading know the frontend: by its address, or as an external one by its policy. */
  readonly reach: 'cluster-ip' | 'external-cluster' | 'external-local'
  readonly action: 'balance' | 'reject' | 'drop'
  /** Values in `endpoints`: `10.244.0.7 . 53`, as often as their weights say. With `inside`, for who comes from outside. */
  readonly endpoints: readonly string[]
  /** Policy Local of an external frontend: the same for pods and the node itself. */
  readonly inside: readonly string[] | undefined
  /** The Service port whose seats clients keep, and for how long. */
  readonly affinity:
    | { readonly port: string; readonly seconds: number; readonly scope: 'cluster' | 'local' }
    | undefined
  /** The lists are Maglev's tables: a hash of this finds the place, and each entry has its own. */
  readonly hashed: Hashing['by'] | undefined
  /** Prefixes that may come; everybody unless told. */
  readonly sources: readonly string[] | undefined
  /** UDP only, for conntrack: every endpoint that still serves, chosen or not, as in `endpoints`. */
  readonly serving: readonly string[]
  /** The Service and the name of its port, for whoever lists the map. */
  readonly comment: string
  /** Where the Service says the address. */
  readonly field: string
}

/** Comments of elements are bounded by NFTNL_UDATA_COMMENT_MAXLEN of nft. */
const maxComment = 127

/** A Service's meaning in nft's words; each lowered frontend stands for the model's frontend of the same address, protocol and port. */
export function lowerService(model: ServiceModel, nodeName: string): LoweredService {
  const hairpins = new Set<Address>()
  const [{ affinity = undefined, hashing = undefined } = {}] = model.frontends
  const rendered = new Map<readonly Candidate[], readonly string[]>()
  // Addresses of one port share what was chosen for it, and so do their lists.
  const render = (some: readonly Candidate[]): readonly string[] => {
    const known = rendered.get(some)
    if (known !== undefined) return known
    for (const { address, node } of some) if (mayRunOn(nodeName, node)) hairpins.add(address)
    // Clients that keep a seat draw it once, evenly; and most Services know nothing of weights.
    const plain = affinity !== undefined || (hashing === undefined && some.every(({ weight }) => weight === 1))
    const texts = plain ? some.map(renderTarget) : renderWeighted(some, hashing !== undefined)
    rendered.set(some, texts)
    return texts
  }
  const frontends = model.frontends.map((frontend) => lowerFrontend(model.key, frontend, render))
  return { key: model.key, created: model.created, frontends, hairpins: [...hairpins] }
}

/** Endpoints of different weights as often as they get connections, or in the places of a table; where all have 0, all are alike. */
function renderWeighted(some: readonly Candidate[], hashed: boolean): readonly string[] {
  const equal = some.every(({ weight }) => weight === 0)
  const weighted = some.map((one) => ({ target: renderTarget(one), weight: equal ? 1 : one.weight }))
  return hashed ? maglevTable(weighted) : spread(weighted, maxEndpoints)
}

function lowerFrontend(
  key: ObjectKey,
  frontend: Frontend,
  render: (some: readonly Candidate[]) => readonly string[],
): LoweredFrontend {
  const { kind, family, address, protocol, port, portName, outcome, candidates, inside, affinity, hashing, sources } =
    frontend
  const list = (one: Outcome): readonly string[] => (one.kind === 'balance' ? render(one.endpoints) : [])
  const name = portName === '' ? key : `${key}:${portName}`
  return {
    family,
    address,
    protocol,
    port,
    id: `${address} . ${protocol} . ${port}`,
    reach: kind === 'cluster-ip' ? 'cluster-ip' : inside === undefined ? 'external-cluster' : 'external-local',
    action: outcome.kind,
    endpoints: list(outcome),
    inside: inside && list(inside.outcome),
    affinity: affinity && {
      port: `${name}/${protocol}`,
      seconds: affinity.timeoutSeconds,
      scope: outcome.kind === 'balance' ? outcome.scope : 'cluster',
    },
    hashed: hashing?.by,
    sources: sources?.allowed,
    serving: protocol === 'udp' ? candidates.filter((one) => one.serving || one.ready).map(renderTarget) : [],
    comment: name.slice(0, maxComment),
    field: frontend.because.address.field,
  }
}
