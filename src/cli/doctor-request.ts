import { keyOf } from '../cluster/index.ts'
import {
  type AskedRequest,
  type Diagnosis,
  diagnose,
  diagnoseRequest,
  findBackend,
  gatewayProbes,
  routeRequest,
  type Stand,
  subjectsOf,
  testRequest,
} from '../doctor/index.ts'
import { gatewaySources } from '../explain/index.ts'
import { compileGateways, type GatewayModel, type Ingress, type Sources } from '../gateways/index.ts'
import { openHost } from '../host/index.ts'
import { runProbes } from '../probes/index.ts'
import { gatewayResources } from '../proxy/index.ts'
import { collect } from './collect.ts'
import { type Cluster, factsOf } from './read-cluster.ts'
import { readKinds } from './read-kinds.ts'

/** The gateways' model and the Ingresses, as they are at the API server. */
export interface Gateways {
  readonly model: GatewayModel
  readonly ingresses: readonly Ingress[]
  readonly gatewayApi: Sources['gatewayApi']
}

/** What gateways make of everything that they are compiled from, read once. */
export async function readGateways(cluster: Cluster): Promise<Gateways> {
  const sources = await readSources(cluster)
  const { ingresses, gatewayApi } = sources
  return { model: compileGateways(sources), ingresses, gatewayApi }
}

/** Reads everything that gateways are compiled from, once; throws when some of it may not be read. */
export async function readSources({ client, snapshot }: Pick<Cluster, 'client' | 'snapshot'>): Promise<Sources> {
  const wanted = gatewayResources.map((resource) => ({ resource, optional: resource.group.startsWith('gateway.') }))
  const found = await readKinds(client, wanted)
  if (typeof found === 'string') throw new Error(`Ingresses, Gateways and their certificates cannot be read: ${found}`)
  return gatewaySources([...found.values()].flat(), snapshot)
}

/** `https://shop.example:8443/cart` as a request; undefined for what is no URL of HTTP. */
export function parseUrl(text: string): Omit<AskedRequest, 'objects'> | undefined {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) return undefined
  const { protocol, hostname, port, pathname, search } = new URL(text)
  const scheme = protocol === 'https:' ? 'https' : 'http'
  return {
    scheme,
    host: hostname.replace(/^\[|\]$/g, ''),
    path: `${pathname}${search}`,
    ...(port === '' ? {} : { port: Number(port) }),
  }
}

/** The request with the Ingresses and routes that speak of its host. */
export function withObjects({ ingresses, gatewayApi }: Gateways, request: Omit<AskedRequest, 'objects'>): AskedRequest {
  const wildcard = request.host.replace(/^[^.]+/, '*')
  const speaks = ({ spec }: Ingress): boolean =>
    (spec?.rules ?? []).some(({ host }) => host === request.host || host === wildcard)
  const named = ingresses.filter(speaks).map((one) => `ingress/${keyOf(one)}`)
  const routes = gatewayApi.httpRoutes
    .filter(({ spec }) => (spec?.hostnames ?? []).some((host) => host === request.host || host === wildcard))
    .map((one) => `httproute/${keyOf(one)}`)
  return { ...request, objects: [...named, ...routes] }
}

/** Sends a request to the gateways and climbs the ladder of the Service behind its route at the same time. */
export async function examineRequest(
  cluster: Cluster,
  { model, gatewayApi }: Gateways,
  request: AskedRequest,
  stand: Stand,
): Promise<Diagnosis> {
  const { snapshot, sight } = cluster
  const routed = routeRequest(model, snapshot, request, new Date().toISOString())
  const backend = findBackend(routed)
  const service = backend === undefined ? undefined : snapshot.services.get(backend.service)
  const subjects =
    service === undefined ? [] : subjectsOf(snapshot, service, { port: backend!.port, path: request.path })
  const subject = typeof subjects === 'string' ? undefined : subjects[0]
  const probes = gatewayProbes(snapshot, routed, stand.outside)
  const facts = factsOf(cluster)
  const [results, collected] = await Promise.all([
    runProbes(openHost(), probes, sight.open),
    subject === undefined ? undefined : collect(cluster, subject, stand),
  ])
  const tested = testRequest({ snapshot, stand, facts }, results)
  const policies = backend === undefined ? [] : policiesOf(gatewayApi, backend.service)
  const behind = collected && diagnose(collected)
  return diagnoseRequest({
    ...routed,
    request: { ...request, objects: [...request.objects, ...policies] },
    tested,
    backend: behind,
    controls: behind?.controls ?? [],
  })
}

/** The BackendTLSPolicies that say how the pods of a Service are spoken to. */
function policiesOf({ policies }: Sources['gatewayApi'], service: string): readonly string[] {
  return policies
    .filter(({ metadata, spec }) =>
      (spec?.targetRefs ?? []).some(
        ({ kind, name }) => kind === 'Service' && `${metadata.namespace}/${name}` === service,
      ),
    )
    .map((one) => `backendtlspolicy/${keyOf(one)}`)
}
