import type { HostPattern } from './host.ts'
import { hostText } from './host.ts'
import type { Claim, Claims, ReadIngress } from './ingress-claims.ts'
import { type ClientCheck, compileChecks } from './ingress-clients.ts'
import type { Referred } from './ingress-referred.ts'
import { compilePassthrough, compileRules, type Served } from './ingress-rules.ts'
import { settleClaims } from './ingress-settle.ts'
import { settleTls, type TlsClaim } from './ingress-tls.ts'
import type { Finding, HttpRule, ListenerModel, StreamRoute } from './model.ts'
import type { Offer } from './offers.ts'

/** What an Ingress wants of one host. */
export interface HostClaims extends Claims {
  readonly tls: readonly TlsClaim[]
}

/** What all Ingresses that speak of a host mean for it. Hosts have nothing to do with one another. */
export interface IngressHost {
  readonly host: HostPattern
  readonly http: readonly HttpRule[]
  readonly https: readonly HttpRule[]
  /** By which its TLS is told apart. */
  readonly listener?: ListenerModel
  readonly stream?: StreamRoute
  readonly check?: ClientCheck
  readonly offer: Offer
  readonly findings: readonly Finding[]
}

/** Takes an Ingress apart by hosts. */
export function claimsByHost(
  { stages, canary, passthrough }: ReadIngress,
  tls: readonly TlsClaim[],
): ReadonlyMap<string, HostClaims> {
  const found = new Map<string, { stages: Claim[][]; canary: Claim[]; passthrough: Claim[]; tls: TlsClaim[] }>()
  const at = (host: HostPattern) => {
    const text = hostText(host)
    const own = found.get(text) ?? { stages: stages.map((): Claim[] => []), canary: [], passthrough: [], tls: [] }
    found.set(text, own)
    return own
  }
  for (const [stage, claims] of stages.entries()) for (const claim of claims) at(claim.host).stages[stage]!.push(claim)
  for (const claim of canary) at(claim.host).canary.push(claim)
  for (const claim of passthrough) at(claim.host).passthrough.push(claim)
  for (const claim of tls) at(claim.host).tls.push(claim)
  return found
}

/** Who has what at a host; Ingresses are given oldest first. */
export function compileHost(
  text: string,
  all: readonly HostClaims[],
  sources: Served,
  referred: Referred,
): IngressHost {
  const { claims, passthrough, findings } = settleClaims(all)
  const checks = compileChecks(claims, referred)
  const rules = compileRules(claims, checks, sources, referred)
  const streams = compilePassthrough(passthrough, sources.services)
  const tls = settleTls(all.flatMap((one) => one.tls))
  const [stream] = streams.routes
  const check = checks.get(text)
  const pods = claims.map(({ settings }) => settings.pods)
  return {
    host: (claims[0] ?? all.flatMap((one) => [...one.tls, ...one.canary])[0]!).host,
    http: rules.http,
    https: rules.https,
    ...(tls.listener && { listener: tls.listener }),
    ...(stream && { stream }),
    ...(check && { check }),
    offer: {
      backends: [...rules.backends, ...streams.backends],
      authorities: [check, ...pods].flatMap((one) => one?.authority ?? []),
      certificates: pods.flatMap(({ certificate }) => certificate ?? []),
      userLists: claims.flatMap(({ settings: { userList } }) => userList ?? []),
    },
    findings: [...findings, ...rules.findings, ...streams.findings, ...tls.findings],
  }
}
