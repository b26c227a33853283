import { keyOf } from '../cluster/index.ts'
import type { KubeObject, Service } from '../objects/index.ts'
import { type Conversion, Converted, type ConvertTo, type Note } from './convert-objects.ts'
import { convertRule } from './convert-rule.ts'
import { covers, type HostPattern, hostText, moreSpecific, parseHost } from './host.ts'
import { type Ingress, objectOf } from './ingress.ts'
import { type Claim, readIngress } from './ingress-claims.ts'
import { compare } from './ingress-class.ts'
import { type ClientCheck, checkOfClaim, compileChecks } from './ingress-clients.ts'
import type { Referred } from './ingress-referred.ts'
import { settleClaims } from './ingress-settle.ts'
import type { ConfigMap, Lookup } from './sources.ts'

/**
 * The objects of the Gateway API that serve what Ingresses serve, of whatever class, and a report: what means something else then, and what
 * is left out. A route with a fence that the Gateway API has no word for is left out, rather than opened.
 */
export function convertIngresses(
  ingresses: readonly Ingress[],
  services: Lookup<Service>,
  configMaps: Lookup<ConfigMap>,
  to: ConvertTo,
): Conversion {
  const ordered = [...ingresses].sort(
    (a, b) =>
      compare(a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '') || compare(keyOf(a), keyOf(b)),
  )
  const read = ordered.map((one) => readIngress(one, { ...unread, configMaps }))
  const { claims, passthrough, findings } = settleClaims(read)
  const checks = compileChecks(claims, unread)
  const into = new Converted(to)
  for (const finding of [...read.flatMap((one) => one.findings), ...findings]) into.note({ kind: 'lost', ...finding })
  const listeners = httpsListeners(ordered, into)
  for (const claim of passthrough) convertPassthrough(claim, services, into)
  const groups = Map.groupBy(
    claims,
    ({ ingress, host, entries }) => `${objectOf(ingress)} ${hostText(host)} ${entries}`,
  )
  for (const own of groups.values()) convertGroup(own, checks, services, listeners, into)
  tellOfHosts(claims, listeners, into)
  return into.finish()
}

/** Only what annotations ask for matters here, not who is in the Secrets that they name. */
const unread: Omit<Referred, 'configMaps'> = {
  secrets: {
    get: (key) => {
      const [namespace = '', name = ''] = key.split('/')
      const auth = Buffer.from('somebody:{PLAIN}unknown').toString('base64')
      return { apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name }, data: { auth } }
    },
  },
  grants: [],
  isUnread: true,
}

interface HttpsListener {
  readonly host: HostPattern
  readonly name: string
}

/** One for each TLS host; of two Secrets the older Ingress's is taken. */
function httpsListeners(ingresses: readonly Ingress[], into: Converted): HttpsListener[] {
  const listeners = new Map<string, HttpsListener>()
  for (const ingress of ingresses) {
    for (const [at, { hosts = [], secretName }] of (ingress.spec?.tls ?? []).entries()) {
      if (!secretName) continue
      const named = hosts.length > 0 ? hosts : (ingress.spec?.rules ?? []).flatMap(({ host }) => host ?? [])
      if (named.length === 0)
        into.note({
          kind: 'lost',
          code: 'CertificateWithoutHost',
          object: objectOf(ingress),
          field: `spec.tls[${at}]`,
          says: 'the certificate is for no host',
          try: 'add a listener of protocol HTTPS without hostname to the Gateway by hand',
        })
      for (const text of named) {
        const host = parseHost(text, 'suffix')
        if (listeners.has(hostText(host))) continue
        const name = into.addHttps(hostText(host), ingress.metadata.namespace ?? '', secretName)
        listeners.set(hostText(host), { host, name })
      }
    }
  }
  return [...listeners.values()]
}

/** The claims of one Ingress for one host become an HTTPRoute. */
function convertGroup(
  claims: readonly Claim[],
  checks: ReadonlyMap<string, ClientCheck>,
  services: Lookup<Service>,
  listeners: readonly HttpsListener[],
  into: Converted,
): void {
  const { ingress, host, entries } = claims[0]!
  const rules = claims.flatMap(
    (claim) => convertRule(claim, checkOfClaim(claim, checks, unread) !== undefined, services, into) ?? [],
  )
  const secure = ownerOf(host, listeners)
  const sections = [
    ...(entries.includes('http') ? ['http'] : []),
    ...(entries.includes('https') && secure !== undefined ? [secure.name] : []),
  ]
  if (rules.length > 0 && sections.length > 0) into.addHttpRoutes(ingress, host, sections, rules)
}

/** The most specific listener that means a host. */
function ownerOf(host: HostPattern, listeners: readonly HttpsListener[]): HttpsListener | undefined {
  const asked = suffixed(host)
  return listeners.filter((one) => covers(one.host, asked)).sort((a, b) => moreSpecific(a.host, b.host))[0]
}

/** What the Gateway API makes of the text of a host. */
function suffixed(host: HostPattern): HostPattern {
  return host.kind === 'wildcard' ? { kind: 'suffix', name: host.name } : host
}

/** What becomes of hosts at the listeners of a Gateway, each told once. */
function tellOfHosts(claims: readonly Claim[], listeners: readonly HttpsListener[], into: Converted): void {
  const hosts = new Map(claims.map((claim) => [hostText(claim.host), claim]))
  for (const { host, because, entries } of hosts.values()) {
    const text = hostText(host)
    const told = (kind: Note['kind'], code: string, says: string, remedy: string): void =>
      into.note({ kind, code, object: because.object, field: because.field, says, try: remedy })
    if (host.kind === 'wildcard')
      told(
        'changed',
        'WildcardDepth',
        `${text} is one label of an Ingress, and any number of an HTTPRoute`,
        'add routes for deeper names that are meant otherwise',
      )
    const owner = ownerOf(host, listeners)
    if (entries.includes('https') && owner === undefined)
      told(
        'lost',
        'HttpsWithoutCertificate',
        `${text} was served by HTTPS with the default certificate; a Gateway has none`,
        'add a listener of protocol HTTPS with a certificate',
      )
    const wider = [...hosts.values()].filter((one) => one.host !== host && covers(suffixed(one.host), suffixed(host)))
    const lost = wider.filter((one) => ownerOf(one.host, listeners) !== owner)
    if (owner !== undefined && lost.length > 0)
      told(
        'changed',
        'ListenerIsolation',
        `by HTTPS, paths of ${text} without a rule are 404 instead of those of ${lost.map((one) => hostText(one.host)).join(', ')}`,
        `add their rules to the route of ${text}`,
      )
  }
}

function convertPassthrough(claim: Claim, services: Lookup<Service>, into: Converted): void {
  if (claim.settings.blocked !== undefined) return
  const references = into.backendRefs(claim, services)
  if (references === undefined) return
  const { ingress, host } = claim
  into.addPassthrough(ingress, hostText(host), references)
}

/** Whether an object of a manifest is an Ingress. */
export function isIngress(object: KubeObject): object is Ingress {
  return object.kind === 'Ingress' && object.apiVersion.startsWith('networking.k8s.io/')
}
