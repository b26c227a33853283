import { type Family, familyOf, findAddress } from '../addr/index.ts'
import { type Because, type Finding, internalAddresses, matchesAny } from '../cluster/index.ts'
import type { Node } from '../objects/index.ts'
import type { Bfd, Peer } from './model.ts'
import type { BFDProfile, BGPPeer } from './objects.ts'

/** What peers depend on beside themselves. */
export interface PeerSurroundings {
  readonly node: Node
  readonly profiles: readonly BFDProfile[]
  /** The `password` in a Secret of type `kubernetes.io/basic-auth`; undefined while there is none. */
  findPassword(namespace: string, name: string): string | undefined
}

/** Where a peer's password is looked for when no namespace is named. */
const defaultSecretNamespace = 'kube-system'

/** A peer for this node, still without routes; undefined when the node is not to speak with it, or the object makes no sense. */
export function compilePeer(object: BGPPeer, surroundings: PeerSurroundings, findings: Finding[]): Peer | undefined {
  const { spec, metadata } = object
  const { node } = surroundings
  const name = `bgppeer/${metadata.name}`
  if (!matchesAny(spec.nodeSelectors, node.metadata.labels)) return undefined
  const refuse = (code: string, field: string, says: string, remedy: string): undefined => {
    findings.push({ code, object: name, field: `spec.${field}`, says, try: remedy })
  }
  const neighbor = compileNeighbor(spec, refuse)
  const remoteAsn = spec.dynamicASN ?? spec.peerASN
  if (neighbor === undefined) return undefined
  if (remoteAsn === undefined)
    return refuse('NoASN', 'peerASN', 'neither peerASN nor dynamicASN is given', 'give the AS number of the router')
  const source = spec.sourceAddress === undefined ? undefined : findAddress(spec.sourceAddress)
  if (spec.sourceAddress !== undefined && source === undefined)
    return refuse('InvalidAddress', 'sourceAddress', `"${spec.sourceAddress}" is no address`, 'write an IP address')
  const password = compilePassword(spec, surroundings, refuse)
  if (password === null) return undefined
  const bfd = compileBfd(spec, surroundings.profiles, refuse)
  if (bfd === null) return undefined
  const multihop = spec.ebgpMultiHop === true
  const because: Because = { object: name, field: 'spec', value: spec.peerAddress ?? spec.interface ?? '' }
  const families = familiesOf(spec, neighbor)
  const own = internalAddresses(node).find((address) => familyOf(address) === (families[0] ?? 4))
  const holdSeconds = secondsOf(spec.holdTime, 90)
  return {
    name: metadata.name,
    localAsn: spec.myASN,
    remoteAsn,
    neighbor,
    // BFD over several hops needs to know where it speaks from (RFC 5883).
    localAddress: source ?? (multihop && bfd !== undefined ? own : undefined),
    multihop,
    holdSeconds,
    keepaliveSeconds: secondsOf(spec.keepaliveTime, Math.max(1, Math.floor(holdSeconds / 3))),
    connectRetrySeconds: secondsOf(spec.connectTime, 10),
    password,
    bfd,
    gracefulRestart: spec.enableGracefulRestart === true,
    families,
    routes: [],
    because,
  }
}

type Refuse = (code: string, field: string, says: string, remedy: string) => undefined

function compileNeighbor(spec: BGPPeer['spec'], refuse: Refuse): Peer['neighbor'] | undefined {
  if (spec.interface !== undefined) return { link: spec.interface }
  const address = findAddress(spec.peerAddress ?? '')
  if (address !== undefined) return { address, port: spec.peerPort ?? 179 }
  return refuse(
    'InvalidAddress',
    'peerAddress',
    spec.peerAddress === undefined
      ? 'neither peerAddress nor interface is given'
      : `"${spec.peerAddress}" is no address`,
    'write the address of the router',
  )
}

/** `null`: there should be one and there is none. Without it the session would come up unprotected, or not at all. */
function compilePassword(spec: BGPPeer['spec'], from: PeerSurroundings, refuse: Refuse): string | undefined | null {
  const { passwordSecret: secret, password: written } = spec
  if (secret === undefined && written === undefined) return undefined
  const password =
    secret === undefined ? written : from.findPassword(secret.namespace ?? defaultSecretNamespace, secret.name)
  if (password === undefined) {
    const says = `Secret "${secret?.namespace ?? defaultSecretNamespace}/${secret?.name}" has no field password`
    refuse('NoPassword', 'passwordSecret', says, 'create it with type kubernetes.io/basic-auth')
    return null
  }
  // TCP MD5 keys have at most 80 bytes (linux/tcp.h, TCP_MD5SIG_MAXKEYLEN); BIRD's strings have no escapes.
  if (/^[\x20\x21\x23-\x7e]{1,80}$/.test(password)) return password
  refuse(
    'InvalidPassword',
    'password',
    'it is empty, longer than 80, or has quotation marks or control characters',
    'choose another',
  )
  return null
}

function compileBfd(spec: BGPPeer['spec'], profiles: readonly BFDProfile[], refuse: Refuse): Bfd | undefined | null {
  const { bfdProfile } = spec
  if (bfdProfile === undefined) return undefined
  const profile = profiles.find(({ metadata }) => metadata.name === bfdProfile)
  if (profile === undefined) {
    refuse('NoBFDProfile', 'bfdProfile', `there is no BFDProfile "${bfdProfile}"`, 'create it, or take the field away')
    return null
  }
  const {
    receiveInterval = 300,
    transmitInterval = 300,
    detectMultiplier = 3,
    passiveMode = false,
  } = profile.spec ?? {}
  return {
    receiveMs: receiveInterval,
    transmitMs: transmitInterval,
    multiplier: detectMultiplier,
    passive: passiveMode,
  }
}

function familiesOf(spec: BGPPeer['spec'], neighbor: Peer['neighbor']): readonly Family[] {
  if (spec.dualStackAddressFamily === true || 'link' in neighbor) return [4, 6]
  return [familyOf(neighbor.address)]
}

/** Whole seconds, at least one, of a duration such as `90s`, `1m30s` or `500ms`. */
function secondsOf(duration: string | undefined, otherwise: number): number {
  if (duration === undefined) return otherwise
  const units: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1, ms: 0.001 }
  let seconds = 0
  for (const [, value, unit = 's'] of duration.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g))
    seconds += Number(value) * (units[unit] ?? 1)
  return Math.max(1, Math.round(seconds))
}
