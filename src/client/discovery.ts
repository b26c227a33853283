import { apiVersionOf, findKindOf } from '../objects/index.ts'
import { ApiError, type Client, type Resource } from './contract.ts'

interface ResourceList {
  resources?: { name: string; kind: string; namespaced: boolean; verbs?: string[] }[]
}

interface GroupList {
  groups?: { name: string; preferredVersion?: { groupVersion: string }; versions?: { groupVersion: string }[] }[]
}

/** Answers how to address a kind: built-in ones from the registry, others as the server says. */
export interface Discovery {
  /** The resource, or undefined when the server does not serve the kind (yet). Only what was found is remembered. */
  find(apiVersion: string, kind: string): Promise<Resource | undefined>
  /** Every resource that the server lists and deletes, each kind once, in its preferred version. */
  all(): Promise<Resource[]>
}

/** Discovery through one client. */
export function openDiscovery(client: Pick<Client, 'request'>): Discovery {
  const known = new Map<string, Resource>()

  const load = async (apiVersion: string): Promise<(Resource & { verbs: readonly string[] })[]> => {
    const [group, version] = apiVersion.includes('/') ? apiVersion.split('/', 2) : ['', apiVersion]
    const path = group === '' ? `/api/${version}` : `/apis/${apiVersion}`
    const list = await client.request<ResourceList>('GET', path)
    return (list.resources ?? [])
      .filter(({ name }) => !name.includes('/'))
      .map(({ name, kind, namespaced, verbs }) => ({
        group: group ?? '',
        version: version ?? '',
        plural: name,
        namespaced,
        kind,
        verbs: verbs ?? [],
      }))
  }

  return {
    async find(apiVersion, kind) {
      const builtIn = findKindOf(apiVersion, kind)
      if (builtIn !== undefined) return builtIn
      const key = `${apiVersion} ${kind}`
      if (known.has(key)) return known.get(key)
      const loaded = await load(apiVersion).catch((error) => {
        if (error instanceof ApiError && error.code === 404) return []
        throw error
      })
      for (const resource of loaded) known.set(`${apiVersionOf(resource)} ${resource.kind}`, resource)
      return known.get(key)
    },
    async all() {
      const groups = await client.request<GroupList>('GET', '/apis')
      const versions = (groups.groups ?? []).flatMap(
        ({ preferredVersion, versions }) => preferredVersion?.groupVersion ?? versions?.[0]?.groupVersion ?? [],
      )
      // A group whose server is away must not hide the others; upstream calls it a partial discovery failure.
      const lists = await Promise.allSettled(['v1', ...versions].map(load))
      const failed = lists.find((list) => list.status === 'rejected' && !isMissing(list.reason))
      if (failed?.status === 'rejected') throw failed.reason
      return lists
        .flatMap((list) => (list.status === 'fulfilled' ? list.value : []))
        .filter(({ verbs }) => verbs.includes('list') && verbs.includes('delete'))
    },
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof ApiError && error.code === 404
}
