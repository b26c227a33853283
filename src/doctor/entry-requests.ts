import { keyOf, type ObjectKey } from '../cluster/index.ts'
import type { Ingress, Sources } from '../gateways/index.ts'
import type { AskedRequest } from './request.ts'

type Routes = Sources['gatewayApi']
type Gateway = Routes['gateways'][number]
type Listener = NonNullable<NonNullable<Gateway['spec']>['listeners']>[number]
type Route = Routes['httpRoutes'][number]

const maxRequests = 4
/** Where a rule is for every host. */
const anyHost = 'any.example'

/** The requests that an Ingress promises to answer, at most four; a wildcard is asked as `any`. */
export function requestsOfIngress(ingress: Ingress): readonly AskedRequest[] {
  const objects = [`ingress/${keyOf(ingress)}`]
  const tls = new Set((ingress.spec?.tls ?? []).flatMap(({ hosts = [] }) => hosts))
  const rules = ingress.spec?.rules ?? []
  const asked = rules.flatMap(({ host = anyHost, http }) =>
    (http?.paths ?? []).map(
      ({ path = '/' }): AskedRequest => ({
        scheme: tls.has(host) ? 'https' : 'http',
        host: oneOf(host),
        path: path || '/',
        objects,
      }),
    ),
  )
  if (asked.length > 0 || ingress.spec?.defaultBackend === undefined) return asked.slice(0, maxRequests)
  return [{ scheme: 'http', host: anyHost, path: '/', objects }]
}

/** The requests that a Gateway's listeners of HTTP promise to answer, at most four; of a listener without routes, any. */
export function requestsOfGateway(api: Routes, gateway: Gateway): readonly AskedRequest[] {
  const key = keyOf(gateway)
  const requests = (gateway.spec?.listeners ?? []).flatMap((listener): AskedRequest[] => {
    if (listener.protocol !== 'HTTP' && listener.protocol !== 'HTTPS') return []
    const common = { scheme: listener.protocol === 'HTTP' ? 'http' : 'https', port: listener.port } as const
    const routes = api.httpRoutes.filter((route) => namesListener(route, key, listener))
    const host = oneOf(listener.hostname ?? anyHost)
    const any = { ...common, host, path: '/', objects: [`gateway/${key}`] }
    const asked = routes.map((route): AskedRequest => {
      const [first = host] = route.spec?.hostnames ?? []
      const objects = [`gateway/${key}`, `httproute/${keyOf(route)}`]
      return { ...common, host: oneOf(first), path: pathOf(route), objects }
    })
    return asked.length === 0 ? [any] : asked
  })
  return requests.slice(0, maxRequests)
}

function namesListener(route: Route, key: ObjectKey, listener: Listener): boolean {
  const own = route.metadata.namespace ?? ''
  return (route.spec?.parentRefs ?? []).some(
    ({ kind = 'Gateway', namespace = own, name, sectionName = listener.name, port = listener.port }) =>
      kind === 'Gateway' && `${namespace}/${name}` === key && sectionName === listener.name && port === listener.port,
  )
}

function pathOf({ spec }: Route): string {
  const path = spec?.rules?.[0]?.matches?.[0]?.path
  return path === undefined || path.type === 'RegularExpression' ? '/' : (path.value ?? '/')
}

/** One of the hosts that a wildcard stands for. */
function oneOf(host: string): string {
  return host.replace(/^\*\./, 'any.')
}
