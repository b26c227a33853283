import { setTimeout } from 'node:timers/promises'
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
import { compileGateways, type GatewayModel, type Ingress, type Sources } from '../gateways/index.ts'
import { openHost } from '../host/index.ts'
import { runProbes } from '../probes/index.ts'
import { GatewayObjects } from '../proxy/index.ts'
import { collect } from './collect.ts'
import { type Cluster, factsOf } from './read-cluster.ts'

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

const patienceMs = 10_000

/** Reads everything that gateways are compiled from, once; throws when some of it may not be read. */
export async function readSources({
  client,
  snapshot,
  troubles,
}: Pick<Cluster, 'client' | 'snapshot'> & Partial<Pick<Cluster, 'troubles'>>): Promise<Sources> {
  const objects = new GatewayObjects(client, () => undefined)
  try {
    const patience = setTimeout(patienceMs, 'late' as const, { ref: false })
    // Whoever may not read them is told so; informers would go on trying for ever.
    if ((await Promise.race([objects.synced, patience])) === 'late') {
      const why = [...new Set(troubles)].sort().join('; ')
      throw new Error(
        `Ingresses, Gateways and their certificates cannot be read, so there is no verdict: ${why || 'the API server does not answer'}; plumb access prints the ClusterRole that reading needs`,
      )
    }
    return objects.sources(snapshot)
  } finally {
    objects.stop()
  }
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
  { model }: Gateways,
  request: AskedRequest,
  stand: Stand,
): Promise<Diagnosis> {
  const { snapshot, sight } = cluster
  const routed = routeRequest(model, request, new Date().toISOString())
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
  const behind = collected && diagnose(collected)
  return diagnoseRequest({ ...routed, tested, backend: behind, controls: behind?.controls ?? [] })
}
