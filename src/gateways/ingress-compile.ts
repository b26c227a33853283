import { isDeepStrictEqual } from 'node:util'
import { keyOf } from '../cluster/index.ts'
import { hostText } from './host.ts'
import { type Ingress, type IngressClass, objectOf } from './ingress.ts'
import { readIngress } from './ingress-claims.ts'
import { compare, controllerName, ownershipOf } from './ingress-class.ts'
import { askClients, type ClientCheck } from './ingress-clients.ts'
import { claimsByHost, compileHost, type HostClaims, type IngressHost } from './ingress-host.ts'
import { readTls } from './ingress-tls.ts'
import { difference, isSameList, Row } from './keyed.ts'
import { Answers, type Ledger, referredIn, watched } from './ledger.ts'
import type { Certificate, Entrance, Finding, ListenerModel, StreamRoute } from './model.ts'
import type { Offers } from './offers.ts'
import { readTrustedProxies } from './proxy-protocol.ts'
import { perObject, perObjectGiven } from './remember.ts'
import type { Sources } from './sources.ts'
import { type Claim as TierClaim, Tiers } from './tiers.ts'

/** An Ingress that has to do with us. */
interface Unit {
  readonly isOurs: boolean
  readonly order: string
  readonly hosts: ReadonlyMap<string, HostClaims>
  readonly certificates: readonly Certificate[]
  readonly findings: readonly Finding[]
}

/** A host with those that speak of it, oldest first. */
interface Host {
  readonly text: string
  readonly units: Unit[]
}

const anyHost = { id: '', host: { kind: 'any' } } as const
const because = { object: 'ingress', field: 'spec', value: '' }

/**
 * What all Ingresses of our classes mean together, followed. Of two that claim one host and path the older has it, then the first by
 * namespace and name; rules come before default backends. A change costs as much as the hosts that it is about.
 */
export class Ingresses {
  readonly #ledger: Ledger
  readonly #offers: Offers
  readonly #read: Answers<Ingress, Unit | undefined>
  readonly #settled: Answers<Host, IngressHost>
  readonly #units = new Map<Ingress, Unit>()
  readonly #hosts = new Map<string, Host>()
  readonly #results = new Map<string, IngressHost>()
  readonly #touched = new Set<string>()
  // Hosts are told apart by their certificates, but routes are for all of them.
  readonly #tiers = { http: new Tiers([anyHost]), https: new Tiers([anyHost]) }
  readonly #claims = { http: new Map<string, TierClaim>(), https: new Map<string, TierClaim>() }
  readonly #listeners = new Row<ListenerModel>()
  readonly #checks = new Row<readonly [string, ClientCheck]>()
  readonly #streams = new Row<StreamRoute>()
  readonly #findings = new Map<Unit | string, readonly Finding[]>()
  #ours = 0
  #ingresses: readonly Ingress[] = []
  #sources!: Sources
  #entrances: readonly Entrance[] = []

  constructor(ledger: Ledger, offers: Offers) {
    this.#ledger = ledger
    this.#offers = offers
    this.#read = new Answers(ledger, (ingress, look) => {
      const classes = look('ingressClasses', '') as readonly IngressClass[]
      const ownership = ownershipOf(ingress, objectOf(ingress), classes)
      if (ownership.kind === 'others') return undefined
      const order = `${ingress.metadata.creationTimestamp ?? ''} ${keyOf(ingress)}`
      if (ownership.kind === 'unknown-class')
        return { isOurs: false, order, hosts: new Map(), certificates: [], findings: [ownership.finding] }
      const own = watched(this.#sources, look)
      const read = readIngress(ingress, referredIn(own))
      const { certificates, tls, findings } = readTls(ingress, own.secrets)
      return {
        isOurs: true,
        order,
        hosts: claimsByHost(read, tls),
        certificates,
        findings: [...read.findings, ...findings],
      }
    })
    this.#settled = new Answers(ledger, ({ text, units }, look) => {
      const own = watched(this.#sources, look)
      const all = units.map(({ hosts }) => hosts.get(text)!)
      return compileHost(text, all, own, referredIn(own))
    })
  }

  /** What the objects mean now; the caller has turned the ledger to them. */
  update(
    sources: Sources,
    ports: { http: number; https: number },
  ): { entrances: readonly Entrance[]; findings: readonly Finding[] } {
    this.#sources = sources
    this.#ledger.turnList('ingressClasses', sources.ingressClasses)
    const { gone, come } = difference(this.#ingresses, sources.ingresses)
    this.#ingresses = sources.ingresses
    const spoilt = new Set(this.#read.takeSpoilt())
    for (const ingress of gone) {
      spoilt.delete(ingress)
      this.#read.forget(ingress)
      this.#drop(ingress)
    }
    for (const ingress of spoilt) this.#drop(ingress)
    for (const ingress of [...spoilt, ...come]) this.#put(ingress)
    for (const { text } of this.#settled.takeSpoilt()) this.#touched.add(text)
    for (const text of this.#touched) this.#settle(text)
    this.#touched.clear()
    const trusted = trustedOf(this.#ledger.list('ingressClasses') as readonly IngressClass[])
    this.#entrances = this.#ours === 0 ? [] : this.#open(ports, trusted.prefixes)
    return { entrances: this.#entrances, findings: unique([...this.#findings.values(), trusted.findings].flat()) }
  }

  #drop(ingress: Ingress): void {
    const unit = this.#units.get(ingress)
    if (unit === undefined) return
    this.#units.delete(ingress)
    this.#findings.delete(unit)
    this.#offers.remove(unit)
    if (unit.isOurs) this.#ours--
    for (const text of unit.hosts.keys()) {
      const host = this.#hosts.get(text)
      host?.units.splice(host.units.indexOf(unit), 1)
      this.#touched.add(text)
    }
  }

  #put(ingress: Ingress): void {
    const unit = this.#read.of(ingress)
    if (unit === undefined) return
    this.#units.set(ingress, unit)
    this.#offers.add(unit)
    if (unit.isOurs) this.#ours++
    if (unit.findings.length > 0) this.#findings.set(unit, unit.findings)
    for (const text of unit.hosts.keys()) {
      const host = this.#hosts.get(text) ?? { text, units: [] }
      this.#hosts.set(text, host)
      host.units.splice(placeOf(unit, host.units), 0, unit)
      this.#touched.add(text)
    }
  }

  #settle(text: string): void {
    const host = this.#hosts.get(text)!
    const before = this.#results.get(text)
    this.#settled.forget(host)
    if (host.units.length === 0) this.#hosts.delete(text)
    const now = host.units.length === 0 ? undefined : this.#settled.of(host)
    if (before !== undefined) this.#offers.remove(before.offer)
    if (now === undefined) this.#results.delete(text)
    else {
      this.#offers.add(now.offer)
      this.#results.set(text, now)
    }
    for (const entry of ['http', 'https'] as const) this.#route(entry, text, now)
    setOrDelete(this.#listeners, text, keepSame(before?.listener, now?.listener))
    setOrDelete(this.#checks, text, keepSame(this.#checks.get(text), now?.check?.authority && [text, now.check]))
    setOrDelete(this.#streams, text, keepSame(before?.stream, now?.stream))
    if (now === undefined || now.findings.length === 0) this.#findings.delete(text)
    else this.#findings.set(text, now.findings)
  }

  #route(entry: 'http' | 'https', text: string, result: IngressHost | undefined): void {
    const rules = result?.[entry] ?? []
    const before = this.#claims[entry].get(text)
    if (before !== undefined && isSameList(before.rules, rules)) return
    if (before !== undefined) this.#tiers[entry].remove(before)
    this.#claims[entry].delete(text)
    if (result === undefined || rules.length === 0) return
    const claim: TierClaim = { listener: '', host: result.host, created: '', object: '', rules }
    this.#claims[entry].set(text, claim)
    this.#tiers[entry].add(claim)
  }

  #open(ports: { http: number; https: number }, trustedProxies: readonly string[]): readonly Entrance[] {
    const passed = this.#streams.list()
    const checks = this.#checks.list()
    const named = this.#listeners.list()
    const ended = tlsListeners(named, [passed, checks], () => listenersOf(named, passed, checks))
    const open = (id: 'http' | 'https', listeners: Entrance['listeners'], streams: Entrance['streams']): Entrance => {
      const tiers = this.#tiers[id].list()
      const port = ports[id]
      const last = this.#entrances.find((one) => one.id === id)
      const before = last && [last.listeners, last.tiers, last.streams, last.port, last.trustedProxies]
      if (before !== undefined && isSameList(before, [listeners, tiers, streams, port, trustedProxies])) return last!
      const told = { id, port, shownPort: port, protocol: id === 'http' ? 'HTTP' : 'TLS', star: 'wildcard' } as const
      return { ...told, listeners, tiers, streams, trustedProxies, because }
    }
    return [open('http', anyListeners, noStreams), open('https', ended, passed)]
  }
}

const noStreams: Entrance['streams'] = []
const anyListeners: Entrance['listeners'] = [{ ...anyHost, mode: 'http', certificates: [], because }]
const tlsListeners = perObjectGiven<readonly ListenerModel[], readonly ListenerModel[]>()

function listenersOf(
  named: readonly ListenerModel[],
  streams: readonly StreamRoute[],
  checks: readonly (readonly [string, ClientCheck])[],
): readonly ListenerModel[] {
  const rest: ListenerModel = { ...anyHost, mode: 'http', certificates: [], because: { ...because, field: 'spec.tls' } }
  const all = named.some(({ host }) => host.kind === 'any') ? named : [...named, rest]
  const passed = streams.map(
    ({ host, listener, because: by }): ListenerModel => ({
      id: listener,
      host,
      mode: 'passthrough',
      certificates: [],
      because: by,
    }),
  )
  const names = new Set(streams.map(({ host }) => hostText(host)))
  return askClients([...all.filter(({ host }) => !names.has(hostText(host))), ...passed], new Map(checks))
}

/** Whose connections begin with a header of the PROXY protocol. */
const trustedOf = perObject((classes: readonly IngressClass[]) => {
  const all = classes
    .filter(({ spec }) => spec?.controller === controllerName)
    .map(({ metadata }) => readTrustedProxies(metadata.annotations, `ingressclass/${metadata.name}`))
  return { prefixes: all.flatMap(({ prefixes }) => prefixes), findings: all.flatMap(({ findings }) => findings) }
})

/** Where a unit belongs among others in order. */
function placeOf({ order }: Unit, units: readonly Unit[]): number {
  let [low, high] = [0, units.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (compare(units[middle]!.order, order) < 0) low = middle + 1
    else high = middle
  }
  return low
}

function setOrDelete<Value>(row: Row<Value>, key: string, value: Value | undefined): void {
  if (value === undefined) row.delete(key)
  else row.set(key, value)
}

/** The value of before as long as it says the same. */
function keepSame<Value>(before: Value | undefined, now: Value | undefined): Value | undefined {
  return before !== undefined && now !== undefined && isDeepStrictEqual(before, now) ? before : now
}

/** An alias says of its Ingress what the rule itself says. */
function unique(findings: readonly Finding[]): Finding[] {
  return [...new Map(findings.map((one) => [`${one.code} ${one.object} ${one.field} ${one.says}`, one])).values()]
}
