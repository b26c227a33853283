import { type GatewayModel, type HostPattern, hostText, type PathPattern, type Route } from './model.ts'

/** A request as it arrives. `sni` is undefined without TLS, and empty for TLS without a name. */
export interface RequestQuestion {
  readonly host: string
  /** Without the query. */
  readonly path: string
  readonly sni?: string
}

export type RequestAnswer =
  | { readonly kind: 'forwarded'; readonly backend: string; readonly route: Route }
  | { readonly kind: 'answered'; readonly status: 421; readonly says: string }
  | { readonly kind: 'answered'; readonly status: 404; readonly says: string }
  | { readonly kind: 'answered'; readonly status: 500; readonly says: string; readonly route: Route }

/** What becomes of a request, with the route (and by its because the object and field) that decides. */
export function explainRequest(model: GatewayModel, { host, path, sni }: RequestQuestion): RequestAnswer {
  const name = hostName(host)
  if (sni !== undefined) {
    const asked = certificateOf(model, name)
    if (asked !== undefined && asked !== certificateOf(model, hostName(sni))) {
      const says = `the connection was made for "${sni}", and ${name} is served with another certificate`
      return { kind: 'answered', status: 421, says }
    }
  }
  for (const tier of hostTiers(name)) {
    const route = findRoute(model.routes, tier, path)
    if (route === undefined) continue
    if (route.target.kind === 'broken') return { kind: 'answered', status: 500, says: route.target.says, route }
    return { kind: 'forwarded', backend: route.target.id, route }
  }
  return { kind: 'answered', status: 404, says: `no route is for ${name}${path}, and no default backend is named` }
}

/** The patterns that a host can match, the most specific first. */
function hostTiers(name: string): HostPattern[] {
  const dot = name.indexOf('.')
  const wildcard: HostPattern[] = dot > 0 ? [{ kind: 'wildcard', name: name.slice(dot + 1) }] : []
  return [{ kind: 'exact', name }, ...wildcard, { kind: 'any' }]
}

function findRoute(routes: readonly Route[], host: HostPattern, path: string): Route | undefined {
  const text = hostText(host)
  return routes
    .filter((route) => hostText(route.host) === text && pathMatches(route.path, path))
    .sort((a, b) => rank(b.path) - rank(a.path))[0]
}

function rank({ kind, value }: PathPattern): number {
  return kind === 'exact' ? Number.POSITIVE_INFINITY : value.length
}

function pathMatches({ kind, value }: PathPattern, path: string): boolean {
  return kind === 'exact' ? path === value : path === value || path.startsWith(`${value}/`)
}

function certificateOf({ tlsHosts }: GatewayModel, name: string): string | undefined {
  for (const tier of hostTiers(name).slice(0, -1)) {
    const found = tlsHosts.find(({ host }) => hostText(host) === hostText(tier))
    if (found !== undefined) return found.certificate
  }
  return undefined
}

/** The name in a Host header: without the port and a last dot, in lower case. */
function hostName(host: string): string {
  return host.toLowerCase().replace(/:\d*$/, '').replace(/\.+$/, '')
}
