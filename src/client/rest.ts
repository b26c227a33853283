import { type KubeObject, parseObjects, type Status } from '../objects/index.ts'
import { pause } from './backoff.ts'
import { ApiError, type Client, type ListOptions, type PatchType, type Resource } from './contract.ts'
import { collectionPath, listQuery, objectPath, writeQuery } from './path.ts'
import { type Answer, collect, type Transport } from './transport.ts'

const patchTypes: Record<PatchType, string> = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
}

/** How often a request is sent again on 429, or on 503 with Retry-After. */
const maxRetries = 5

/** The calls of `Client` that are single requests. */
export type Rest = Omit<Client, 'informer' | 'exec' | 'close'>

/** REST calls over a transport. */
export function openRest(transport: Transport): Rest {
  const request = async <T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
    for (let attempt = 0; ; attempt++) {
      const answer = await transport.request(method, path, text, { accept: 'application/json', ...headers })
      if (answer.code >= 200 && answer.code < 300) return parseBody(answer) as T
      const waitMs = retryAfterMs(answer)
      if (waitMs === undefined || attempt === maxRetries) throw errorOf(answer, method, path)
      await pause(waitMs)
    }
  }
  const get = async <T extends KubeObject>(resource: Resource, namespace: string | undefined, name: string) =>
    request<T>('GET', objectPath(resource, namespace, name))

  return {
    server: transport.server,
    request,
    get,
    async download(path) {
      const response = await transport.stream(path, {}, new AbortController().signal)
      if (response.statusCode === 200) return response
      throw errorOf(await collect(response), 'GET', path)
    },
    async list<T extends KubeObject>(resource: Resource, options: ListOptions = {}) {
      const path = collectionPath(resource, options.namespace) + listQuery(options)
      const { items, metadata } = await request<{ items: T[] | null; metadata?: Partial<ListMeta> }>('GET', path)
      return {
        items: (items ?? []).map((item) => withKind(resource, item)),
        metadata: { ...metadata, resourceVersion: metadata?.resourceVersion ?? '' },
      }
    },
    async find<T extends KubeObject>(resource: Resource, namespace: string | undefined, name: string) {
      try {
        return await get<T>(resource, namespace, name)
      } catch (error) {
        if (error instanceof ApiError && error.code === 404) return undefined
        throw error
      }
    },
    create(resource, object, options = {}) {
      const { namespace, name } = object.metadata
      const path = options.subresource
        ? objectPath(resource, namespace, name, options.subresource)
        : namespacedCollection(resource, namespace, name)
      return request('POST', path + writeQuery(options), object)
    },
    update(resource, object, options = {}) {
      const path = objectPath(resource, object.metadata.namespace, object.metadata.name, options.subresource)
      return request('PUT', path + writeQuery(options), object)
    },
    patch(resource, namespace, name, type, patch, options = {}) {
      const path = objectPath(resource, namespace, name, options.subresource) + writeQuery(options)
      return request('PATCH', path, patch, { 'content-type': patchTypes[type] })
    },
    async delete(resource, namespace, name, options = {}) {
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', ...options }
      await request('DELETE', objectPath(resource, namespace, name), body)
    },
  }
}

interface ListMeta {
  resourceVersion: string
  continue?: string
}

/** Items of a list carry no apiVersion and kind on a real server; everything here relies on them. */
export function withKind<T extends KubeObject>(resource: Resource, item: T): T {
  if (item.kind !== undefined && item.apiVersion !== undefined) return item
  const apiVersion = resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
  return { ...item, apiVersion, kind: resource.kind }
}

/** The ApiError of a refusal, also when a proxy answered with something that is no Status. */
export function errorOf(answer: Answer, method: string, path: string): ApiError {
  const value = safeParse(answer.body) as Partial<Status> | undefined
  if (value?.kind === 'Status') return new ApiError({ ...(value as Status), code: value.code ?? answer.code })
  const text = answer.body.toString('utf8', 0, 300).trim()
  return new ApiError({
    apiVersion: 'v1',
    kind: 'Status',
    metadata: {},
    status: 'Failure',
    code: answer.code,
    reason: answer.code === 404 ? 'NotFound' : answer.code === 401 ? 'Unauthorized' : 'Unknown',
    message: `${method} ${path}: HTTP ${answer.code}${text === '' ? '' : `: ${text}`}`,
  })
}

function namespacedCollection(resource: Resource, namespace: string | undefined, name: string): string {
  if (resource.namespaced && !namespace) throw new TypeError(`${resource.kind} ${name}: metadata.namespace is empty`)
  return collectionPath(resource, namespace)
}

function parseBody(answer: Answer): unknown {
  const text = answer.body.toString('utf8')
  return /\bjson\b/.test(answer.headers['content-type'] ?? '') && text !== '' ? parseObjects(text) : text
}

function safeParse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}

/** Retry-After of a 429 or 503, at least 50 ms and at most 10 s. */
function retryAfterMs(answer: Answer): number | undefined {
  const header = answer.headers['retry-after']
  if (answer.code !== 429 && !(answer.code === 503 && header !== undefined)) return undefined
  const seconds = Number(header)
  return Number.isFinite(seconds) ? Math.min(10_000, Math.max(50, seconds * 1000)) : 1000
}
