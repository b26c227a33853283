import type { Address, Family } from '../addr/index.ts'
import type { ObjectKey } from '../cluster/index.ts'
import type {
  Chain,
  Element,
  Expression,
  Operation,
  Rule,
  SetDeclaration,
  Statement,
  TableFamily,
} from '../nft/index.ts'
import { type Candidate, type Frontend, mayRunOn, type ServiceModel, type Transport } from './model.ts'

export type { Chain, Element, Expression, Operation, Rule, SetDeclaration, Statement, TableFamily }

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
  readonly action: 'balance' | 'reject' | 'drop'
  /** Values in `endpoints`: `10.244.0.7 . 53`; no doubles. */
  readonly endpoints: readonly string[]
  /** UDP only, for conntrack: every endpoint that still serves, chosen or not, as in `endpoints`. */
  readonly serving: readonly string[]
  /** The Service and the name of its port, for whoever lists the map. */
  readonly comment: string
}

/** Comments of elements are bounded by NFTNL_UDATA_COMMENT_MAXLEN of nft. */
const maxComment = 127

/** A Service's meaning in nft's words; each lowered frontend stands for the model's frontend of the same address, protocol and port. */
export function lowerService(model: ServiceModel, nodeName: string): LoweredService {
  const hairpins = new Set<Address>()
  for (const { outcome } of model.frontends) {
    if (outcome.kind !== 'balance') continue
    for (const { address, node } of outcome.endpoints) if (mayRunOn(nodeName, node)) hairpins.add(address)
  }
  const frontends = model.frontends.map((frontend) => lowerFrontend(model.key, frontend))
  return { key: model.key, created: model.created, frontends, hairpins: [...hairpins] }
}

function lowerFrontend(key: ObjectKey, frontend: Frontend): LoweredFrontend {
  const { family, address, protocol, port, portName, outcome, candidates } = frontend
  return {
    family,
    address,
    protocol,
    port,
    id: `${address} . ${protocol} . ${port}`,
    action: outcome.kind,
    endpoints: outcome.kind === 'balance' ? outcome.endpoints.map(renderTarget) : [],
    serving: protocol === 'udp' ? candidates.filter((one) => one.serving || one.ready).map(renderTarget) : [],
    comment: (portName === '' ? key : `${key}:${portName}`).slice(0, maxComment),
  }
}

function renderTarget({ address, port }: Candidate): string {
  return `${address} . ${port}`
}
