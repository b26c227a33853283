import { keyOf } from '../cluster/index.ts'
import type { Sources } from '../gateways/index.ts'
import type { KubeObject } from '../objects/index.ts'

/** The same sources without some Ingresses, Gateways and routes, which are named as findings name them: `ingress/NAMESPACE/NAME`. */
export function withoutObjects(sources: Sources, excluded: ReadonlySet<string>): Sources {
  if (excluded.size === 0) return sources
  const rest = <T extends KubeObject>(all: readonly T[]): readonly T[] =>
    all.filter((one) => !excluded.has(`${one.kind.toLowerCase()}/${keyOf(one)}`))
  const { gatewayApi } = sources
  return {
    ...sources,
    ingresses: rest(sources.ingresses),
    gatewayApi: {
      ...gatewayApi,
      gateways: rest(gatewayApi.gateways),
      httpRoutes: rest(gatewayApi.httpRoutes),
      grpcRoutes: rest(gatewayApi.grpcRoutes),
      tlsRoutes: rest(gatewayApi.tlsRoutes),
      tcpRoutes: rest(gatewayApi.tcpRoutes),
      udpRoutes: rest(gatewayApi.udpRoutes),
    },
  }
}
