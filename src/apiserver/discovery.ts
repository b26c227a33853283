import { apiVersionOf, errors, type Kind } from '../objects/index.ts'
import { parseAccept } from './accept.ts'
import { type Answer, json } from './answer.ts'
import { Refusal } from './refusal.ts'
import { type Group, type Registry, type ReviewKind, serves } from './registry.ts'

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']

interface Subresource {
  readonly name: string
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly verbs: readonly string[]
}

/** The answer to `GET /api` and `GET /apis`: aggregated in exactly the version that the client asked for, or the legacy list. */
export function discover(registry: Registry, root: 'api' | 'apis', accept: string | undefined): Answer {
  const groups = registry.groups().filter(({ name }) => (root === 'api') === (name === ''))
  for (const { type, parameters } of parseAccept(accept)) {
    if (type === '*/*' || type === 'application/*' || type === '') break
    if (type !== 'application/json') continue
    if (parameters.as === undefined) break
    const { as, g, v } = parameters
    if (as !== 'APIGroupDiscoveryList' || g !== 'apidiscovery.k8s.io' || (v !== 'v2' && v !== 'v2beta1')) continue
    const items = groups.map((group) => aggregated(registry, group))
    const body = JSON.stringify({ kind: as, apiVersion: `${g}/${v}`, metadata: {}, items })
    return { code: 200, type: `application/json;g=${g};v=${v};as=${as}`, body, headers: { vary: 'Accept' } }
  }
  if (root === 'apis') return json({ kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(legacyGroup) })
  return json({ kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] })
}

/** The answer to `GET /apis/{group}`. */
export function discoverGroup(registry: Registry, name: string): Answer {
  const group = registry.groups().find((item) => item.name === name && name !== '')
  if (group === undefined) throw new Refusal(errors.noSuchResource())
  return json({ kind: 'APIGroup', apiVersion: 'v1', ...legacyGroup(group) })
}

/** The answer to `GET /api/v1` and `GET /apis/{group}/{version}`: the APIResourceList. */
export function discoverVersion(registry: Registry, group: string, version: string): Answer {
  if (!serves(registry, group, version)) throw new Refusal(errors.noSuchResource())
  const resources = [
    ...registry.kindsOf(group, version).flatMap(legacyResources),
    ...registry.reviewsOf(group, version).map(({ plural, kind, namespaced = false }) => ({
      name: plural,
      singularName: kind.toLowerCase(),
      namespaced,
      kind,
      verbs: ['create'],
    })),
  ]
  return json({ kind: 'APIResourceList', apiVersion: 'v1', groupVersion: apiVersionOf({ group, version }), resources })
}

function legacyGroup({ name, versions }: Group) {
  const list = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }))
  return { name, versions: list, preferredVersion: list[0] }
}

function legacyResources(kind: Kind): object[] {
  const { plural, singular, namespaced, shortNames, categories } = kind
  const main = {
    name: plural,
    singularName: singular,
    namespaced,
    kind: kind.kind,
    verbs,
    ...(shortNames.length > 0 ? { shortNames } : {}),
    ...(categories.length > 0 ? { categories } : {}),
  }
  const parts = subresourcesOf(kind).map((item) => ({
    name: `${plural}/${item.name}`,
    singularName: '',
    namespaced,
    ...(item.group === kind.group && item.version === kind.version ? {} : { group: item.group, version: item.version }),
    kind: item.kind,
    verbs: item.verbs,
  }))
  return [main, ...parts]
}

function aggregated(registry: Registry, { name, versions }: Group) {
  return {
    metadata: { name, creationTimestamp: null },
    versions: versions.map((version) => ({
      version,
      resources: [
        ...registry.kindsOf(name, version).map(aggregatedResource),
        ...registry.reviewsOf(name, version).map(aggregatedReview),
      ],
      freshness: 'Current',
    })),
  }
}

function aggregatedResource(kind: Kind) {
  const subresources = subresourcesOf(kind).map(({ name, group, version, kind, verbs }) => ({
    subresource: name,
    responseKind: { group, version, kind },
    verbs,
  }))
  return {
    resource: kind.plural,
    responseKind: { group: kind.group, version: kind.version, kind: kind.kind },
    scope: kind.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: kind.singular,
    verbs,
    ...(kind.shortNames.length > 0 ? { shortNames: kind.shortNames } : {}),
    ...(kind.categories.length > 0 ? { categories: kind.categories } : {}),
    ...(subresources.length > 0 ? { subresources } : {}),
  }
}

function aggregatedReview({ group, version, kind, plural, namespaced }: ReviewKind) {
  const responseKind = { group, version, kind }
  return {
    resource: plural,
    responseKind,
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: kind.toLowerCase(),
    verbs: ['create'],
  }
}

function subresourcesOf(kind: Kind): Subresource[] {
  const own = { group: kind.group, version: kind.version, kind: kind.kind }
  return kind.subresources.map((name): Subresource => {
    switch (name) {
      case 'status':
        return { name, ...own, verbs: ['get', 'patch', 'update'] }
      case 'scale':
        return { name, group: 'autoscaling', version: 'v1', kind: 'Scale', verbs: ['get', 'patch', 'update'] }
      case 'ephemeralcontainers':
        return { name, ...own, verbs: ['get', 'patch', 'update'] }
      case 'log':
        return { name, ...own, verbs: ['get'] }
      case 'exec':
      case 'attach':
      case 'portforward':
        return {
          name,
          ...own,
          kind: `Pod${name === 'exec' ? 'Exec' : name === 'attach' ? 'Attach' : 'PortForward'}Options`,
          verbs: ['create', 'get'],
        }
      case 'proxy':
        return { name, ...own, kind: `${kind.kind}ProxyOptions`, verbs: ['create', 'delete', 'get', 'patch', 'update'] }
      case 'binding':
        return { name, group: '', version: 'v1', kind: 'Binding', verbs: ['create'] }
      case 'eviction':
        return { name, group: 'policy', version: 'v1', kind: 'Eviction', verbs: ['create'] }
      case 'token':
        return { name, group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest', verbs: ['create'] }
      case 'finalize':
        return { name, ...own, verbs: ['update'] }
      default:
        return name satisfies never
    }
  })
}
