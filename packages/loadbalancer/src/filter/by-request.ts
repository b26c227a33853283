import { type BalancedRequest, findHeader } from '../instance.ts'
import { type Filter, preferring } from './filter.ts'

/** Instances whose metadata `hint` is the request's; all when there is none. */
export function hints(options: { headerName?: string; default?: string } = {}): Filter {
  const header = (options.headerName ?? 'X-SC-LB-Hint').toLowerCase()
  return {
    name: 'hint',
    variantOf(request, inventory) {
      const hint = request.hint ?? findHeader(request, header) ?? options.default ?? ''
      return inventory.valuesOf('hint').has(hint) ? hint : ''
    },
    apply: (endpoints, hint) =>
      hint === '' ? endpoints : preferring(endpoints, ({ instance }) => instance.metadata?.hint === hint),
    because: ({ instance }, hint) => `its hint is ${instance.metadata?.hint ?? 'not set'}, the request's is ${hint}`,
  }
}

/** The instance that the request's cookie names, while it is there. */
export function requestBasedStickySession(cookieName = 'sc-lb-instance-id'): Filter {
  return {
    name: 'request-based-sticky-session',
    variantOf(request, inventory) {
      const id = findCookie(findHeader(request, 'cookie') ?? '', cookieName)
      return id !== undefined && inventory.byId.has(id) ? id : ''
    },
    apply: (endpoints, id) =>
      id === '' ? endpoints : preferring(endpoints, ({ instance }) => instance.instanceId === id),
    because: (_endpoint, id) => `cookie ${cookieName} names ${id}`,
  }
}

/** The value of a cookie in a Cookie header (RFC 6265, section 4.2.1). */
export function findCookie(header: string, name: string): string | undefined {
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=')
    if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim()
  }
  return undefined
}

/** The instance that was picked last, while it is there. */
export function sameInstancePreference(): Filter {
  let last = ''
  return {
    name: 'same-instance-preference',
    variantOf: (_request, inventory) => (inventory.byId.has(last) ? last : ''),
    apply: (endpoints, id) =>
      id === '' ? endpoints : preferring(endpoints, ({ instance }) => instance.instanceId === id),
    because: (_endpoint, id) => `${id} was picked last and is still there`,
    picked(endpoint) {
      last = endpoint.instance.instanceId
    },
  }
}

/** Where a request says its API version, by Spring's names. */
export interface ApiVersionOptions {
  readonly default?: string
  /** A request without a version, or with one that nobody has, finds no instance. */
  readonly required?: boolean
  readonly header?: string
  readonly queryParameter?: string
  /** Which segment of the path, from 0. */
  readonly pathSegment?: number
  /** Parameter by media type of the Accept or Content-Type header: `{ 'application/json': 'v' }`. */
  readonly mediaTypeParameters?: Readonly<Record<string, string>>
  /** When nobody has the version: all instances instead of none. */
  readonly fallbackToAvailableInstances?: boolean
}

const noVersion = '\u0000none'

/** Instances whose metadata `version` is the request's API version (`v1`, `1` and `1.0` are the same). */
export function apiVersion(options: ApiVersionOptions): Filter {
  return {
    name: 'api-version',
    variantOf(request, inventory) {
      const wanted = findVersion(request, options) ?? options.default
      if (wanted === undefined) return options.required === true ? noVersion : ''
      const version = normalize(wanted)
      for (const value of inventory.valuesOf('version')) if (normalize(value) === version) return version
      return noVersion
    },
    apply(endpoints, version) {
      if (version === '') return endpoints
      const found = endpoints.filter(({ instance }) => normalize(instance.metadata?.version ?? '') === version)
      return found.length === 0 && options.fallbackToAvailableInstances === true ? endpoints : found
    },
    because: ({ instance }, version) =>
      `its API version is ${instance.metadata?.version ?? 'not set'}, ${version === noVersion ? 'and no instance has the request’s' : `the request's is ${version}`}`,
  }
}

function normalize(version: string): string {
  return version.replace(/^[vV](?=\d)/, '').replace(/(\.0)+$/, '')
}

function findVersion(request: BalancedRequest, options: ApiVersionOptions): string | undefined {
  const { header, queryParameter, pathSegment, mediaTypeParameters } = options
  const [path = '', query = ''] = (request.path ?? '').split('?')
  if (header !== undefined) {
    const value = findHeader(request, header.toLowerCase())
    if (value !== undefined) return value
  }
  if (queryParameter !== undefined) {
    const value = new URLSearchParams(query).get(queryParameter)
    if (value !== null) return value
  }
  if (pathSegment !== undefined) {
    const value = path.split('/').filter((segment) => segment !== '')[pathSegment]
    if (value !== undefined) return value
  }
  for (const name of ['accept', 'content-type']) {
    for (const type of (findHeader(request, name) ?? '').split(',')) {
      const [media = '', ...parameters] = type.split(';').map((part) => part.trim())
      const wanted = mediaTypeParameters?.[media.toLowerCase()]
      const found = parameters.find((parameter) => parameter.split('=')[0]?.trim() === wanted)
      if (found !== undefined) return found.slice(found.indexOf('=') + 1).trim()
    }
  }
  return undefined
}
