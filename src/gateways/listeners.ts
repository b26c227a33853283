import { keyOf, matches, type ObjectKey } from '../cluster/index.ts'
import type { KubeObject } from '../objects/index.ts'
import { type Gateway, gatewayGroup, type Listener, type ListenerSet, type NamespaceChoice } from './gateway-api.ts'
import { type HostPattern, hostText, parseHost } from './host.ts'
import { compare } from './ingress-class.ts'
import { type ResolvedValidation, resolveCertificates, resolveValidation } from './listener-tls.ts'
import type { Because, Certificate } from './model.ts'
import type { Sources } from './sources.ts'
import { type Verdict, verdict } from './verdict.ts'

/** A listener of a Gateway or of a ListenerSet of it, judged. */
export interface ListenerState {
  readonly gateway: Gateway
  readonly owner: Gateway | ListenerSet
  readonly spec: Listener
  /** Unique: kind, namespace and name of the owner, name of the listener. */
  readonly id: string
  readonly host: HostPattern
  /** What it shares its port with; listeners of other classes are in its way. */
  readonly protocol: 'HTTP' | 'TLS' | 'TCP' | 'UDP'
  readonly mode: 'http' | 'terminate' | 'passthrough'
  readonly kinds: readonly string[]
  readonly certificates: readonly Certificate[]
  readonly validation: ResolvedValidation['validation']
  accepted: Verdict
  resolved: Verdict
  conflicted: Verdict
  readonly because: Because
}

/** A Gateway of ours with all its listeners in the order of precedence, and the ListenerSets that ask to be part of it. */
export interface GatewayState {
  readonly gateway: Gateway
  readonly accepted: Verdict
  readonly listeners: readonly ListenerState[]
  readonly sets: readonly { readonly set: ListenerSet; readonly allowed: boolean }[]
}

/** What a protocol is served as, and which routes it takes (`supportedKinds` where the listener names none). */
const protocols: Readonly<Record<string, { protocol: ListenerState['protocol']; kinds: readonly string[] }>> = {
  HTTP: { protocol: 'HTTP', kinds: ['HTTPRoute', 'GRPCRoute'] },
  HTTPS: { protocol: 'TLS', kinds: ['HTTPRoute', 'GRPCRoute'] },
  TLS: { protocol: 'TLS', kinds: ['TLSRoute'] },
  TCP: { protocol: 'TCP', kinds: ['TCPRoute'] },
  UDP: { protocol: 'UDP', kinds: ['UDPRoute'] },
}

const mostListeners = 1024

/** Judges the listeners of a Gateway: its own first, then those of the ListenerSets that ask for it, the older set first. */
export function compileListeners(gateway: Gateway, sets: readonly ListenerSet[], sources: Sources): GatewayState {
  const asking = [...sets]
    .sort(
      (a, b) =>
        compare(a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '') || compare(keyOf(a), keyOf(b)),
    )
    .map((set) => ({ set, allowed: allowsSet(gateway, set, sources) }))
  const own = (gateway.spec?.listeners ?? []).map((spec, at) => judge(gateway, gateway, spec, at, sources))
  markConflicts(own)
  const later = asking
    .filter(({ allowed }) => allowed)
    .flatMap(({ set }) => (set.spec?.listeners ?? []).map((spec, at) => judge(gateway, set, spec, at, sources)))
    .slice(0, mostListeners)
  const taken = own.filter(({ accepted }) => accepted.ok)
  for (const listener of later) {
    const conflict = taken.map((other) => conflictOf(other, listener)).find((one) => one !== undefined)
    if (conflict !== undefined) refuse(listener, conflict)
    else if (listener.accepted.ok) taken.push(listener)
  }
  return { gateway, accepted: acceptedOf(gateway, own), listeners: [...own, ...later], sets: asking }
}

/** Whether a Gateway is served at all, and whether with all of its own listeners. */
function acceptedOf(gateway: Gateway, own: readonly ListenerState[]): Verdict {
  const { addresses = [], infrastructure } = gateway.spec ?? {}
  const foreign = addresses.find(({ type = 'IPAddress' }) => type !== 'IPAddress')
  if (foreign !== undefined)
    return verdict(false, 'UnsupportedAddress', `addresses of type ${foreign.type} cannot be given; name an IPAddress`)
  if (infrastructure?.parametersRef !== undefined) {
    const { kind, name } = infrastructure.parametersRef
    return verdict(false, 'InvalidParameters', `${kind} "${name}" is no parameter of a Gateway; there are none`)
  }
  const good = own.filter(({ accepted }) => accepted.ok)
  if (own.length > 0 && good.length === 0) return verdict(false, 'ListenersNotValid', 'no listener is accepted')
  if (good.length < own.length) return verdict(true, 'ListenersNotValid', 'not all listeners are accepted')
  return verdict(true, 'Accepted', 'its listeners are served')
}

/** The Gateway that a ListenerSet asks to be part of, if it is one. */
export function parentOf({ spec, metadata }: ListenerSet): ObjectKey | undefined {
  const {
    group = gatewayGroup,
    kind = 'Gateway',
    name,
    namespace = metadata.namespace,
  } = spec?.parentRef ?? { name: '' }
  return group === gatewayGroup && kind === 'Gateway' ? `${namespace}/${name}` : undefined
}

function allowsSet(gateway: Gateway, set: ListenerSet, sources: Sources): boolean {
  const choice = gateway.spec?.allowedListeners?.namespaces
  return allowsNamespace(choice, 'None', gateway.metadata.namespace ?? '', set.metadata.namespace ?? '', sources)
}

/** Whether objects of a namespace may attach; the default differs between routes and ListenerSets. */
export function allowsNamespace(
  choice: NamespaceChoice | undefined,
  standard: 'Same' | 'None',
  own: string,
  other: string,
  sources: Pick<Sources, 'namespaces'>,
): boolean {
  switch (choice?.from ?? standard) {
    case 'All':
      return true
    case 'Same':
      return own === other
    case 'Selector':
      return matches(choice?.selector, labelsOf(sources.namespaces.get(other), other))
    default:
      return false
  }
}

function labelsOf(namespace: KubeObject | undefined, name: string): Record<string, string> {
  // Every namespace has this label; an API server puts it there.
  return { 'kubernetes.io/metadata.name': name, ...namespace?.metadata.labels }
}

function judge(
  gateway: Gateway,
  owner: Gateway | ListenerSet,
  spec: Listener,
  at: number,
  sources: Sources,
): ListenerState {
  const known = protocols[spec.protocol]
  const kind = owner.kind === 'ListenerSet' ? 'ListenerSet' : 'Gateway'
  const object = `${kind.toLowerCase()}/${keyOf(owner)}`
  const because = { object, field: `spec.listeners[${at}]`, value: spec.name }
  const { kinds, invalid } = allowedKinds(spec, known?.kinds ?? [])
  const isTls = known?.protocol === 'TLS'
  const passthrough = isTls && spec.protocol === 'TLS' && spec.tls?.mode === 'Passthrough'
  const from = { group: gatewayGroup, kind, namespace: owner.metadata.namespace ?? '' }
  const tls = isTls && !passthrough ? resolveCertificates(spec, from, because, sources) : undefined
  const clients = isTls && !passthrough ? resolveValidation(gateway, spec.port, sources) : {}
  const kindsResolved = invalid
    ? verdict(false, 'InvalidRouteKinds', `${spec.protocol} takes ${known?.kinds.join(', ') ?? 'nothing'}`)
    : undefined
  const supported =
    known === undefined
      ? verdict(false, 'UnsupportedProtocol', `"${spec.protocol}" is none of ${Object.keys(protocols).join(', ')}`)
      : undefined
  return {
    gateway,
    owner,
    spec,
    id: `${object}/${spec.name}`,
    host: parseHost(spec.hostname, 'suffix'),
    protocol: known?.protocol ?? 'TCP',
    mode: passthrough ? 'passthrough' : spec.protocol === 'TLS' ? 'terminate' : 'http',
    kinds,
    certificates: tls?.certificates ?? [],
    validation: clients.validation,
    accepted: supported ?? clients.accepted ?? verdict(true, 'Accepted', 'the listener is served'),
    resolved:
      kindsResolved ??
      clients.resolved ??
      tls?.resolved ??
      verdict(true, 'ResolvedRefs', 'all references are resolved'),
    conflicted: verdict(false, 'NoConflicts', 'no other listener is in its way'),
    because,
  }
}

function allowedKinds(spec: Listener, able: readonly string[]): { kinds: readonly string[]; invalid: boolean } {
  const named = spec.allowedRoutes?.kinds ?? []
  if (named.length === 0) return { kinds: able, invalid: false }
  const good = named.filter(({ group = gatewayGroup, kind }) => group === gatewayGroup && able.includes(kind))
  return { kinds: [...new Set(good.map(({ kind }) => kind))], invalid: good.length < named.length }
}

/** Of a Gateway's own listeners that cannot be told apart none is accepted. */
function markConflicts(own: readonly ListenerState[]): void {
  for (const one of own) {
    const conflict = own
      .filter((other) => other !== one)
      .map((other) => conflictOf(other, one))
      .find(Boolean)
    if (conflict !== undefined) refuse(one, conflict)
  }
}

function conflictOf(a: ListenerState, b: ListenerState): Verdict | undefined {
  if (a.spec.port !== b.spec.port) return undefined
  // UDP ports are others than TCP ports.
  if ((a.protocol === 'UDP') !== (b.protocol === 'UDP')) return undefined
  if (a.protocol !== b.protocol)
    return verdict(false, 'ProtocolConflict', `port ${b.spec.port} is for ${a.spec.protocol} (${a.id})`)
  const byName = a.protocol === 'HTTP' || a.protocol === 'TLS'
  if (byName && hostText(a.host) !== hostText(b.host)) return undefined
  return verdict(false, 'HostnameConflict', `port ${b.spec.port} for ${hostText(b.host)} is taken by ${a.id}`)
}

function refuse(listener: ListenerState, conflict: Verdict): void {
  listener.accepted = conflict
  listener.conflicted = { ...conflict, ok: true }
}

/** Whether HAProxy can be told about it: accepted, and with a certificate where it ends TLS. */
export function isServed(listener: ListenerState): boolean {
  if (!listener.accepted.ok) return false
  return listener.protocol !== 'TLS' || listener.mode === 'passthrough' || listener.certificates.length > 0
}
