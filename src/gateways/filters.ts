import type { Backends, Referring } from './backend-reference.ts'
import type { HeaderFilter, PathModifier, RouteFilter } from './gateway-api.ts'
import type { Because, Filter, HeaderChange, PathChange, PathPattern } from './model.ts'
import { type Verdict, verdict } from './verdict.ts'

export interface CompiledFilters {
  readonly filters: readonly Filter[]
  /** Why the rule cannot be served as it is written; its requests get 500. */
  readonly broken?: string
  /** About references of filters. */
  readonly refused?: Verdict
  /** What of them is not done here. */
  readonly unsupported?: string
}

const unfiltered: CompiledFilters = { filters: [] }

/** What the filters of a rule or of a backend reference mean for requests that came by a path pattern. */
export function compileFilters(
  filters: readonly RouteFilter[],
  path: PathPattern,
  backends: Backends,
  from: Referring,
  because: Because,
): CompiledFilters {
  if (filters.length === 0) return unfiltered
  const compiled: Filter[] = []
  let refused: Verdict | undefined
  let broken: string | undefined
  let unsupported: string | undefined
  for (const [at, filter] of filters.entries()) {
    const field = { ...because, field: `${because.field}.filters[${at}]`, value: filter.type }
    const one = compileFilter(filter, path)
    if (one !== undefined) compiled.push(one)
    else if (filter.type === 'RequestMirror' && filter.requestMirror !== undefined) {
      const { backendRef, percent, fraction } = filter.requestMirror
      const { retry: _, persistence: __, limits: ___, ...plain } = from
      const found = backends.resolve(backendRef, plain, field)
      refused ??= found.refused
      const share = fraction ?? { numerator: percent ?? 100 }
      if (found.target.kind === 'backend')
        compiled.push({
          kind: 'mirror',
          backend: found.target.id,
          numerator: share.numerator,
          denominator: share.denominator ?? 100,
        })
    } else if (filter.type === 'ExternalAuth' && filter.externalAuth !== undefined) {
      const { retry: _, persistence: __, limits: ___, ...plain } = from
      const fault = externalFault(filter.externalAuth)
      const found = backends.resolve(filter.externalAuth.backendRef, plain, field)
      refused ??= found.refused
      if (fault !== undefined) unsupported ??= `${field.field}: ${fault}`
      // Nobody passes who cannot be asked about.
      if (fault !== undefined || found.target.kind === 'broken')
        broken ??= fault ?? (found.target.kind === 'broken' ? found.target.says : '')
      else compiled.push(externalCheck(filter.externalAuth, found.target.id))
    } else {
      broken = `filter ${filter.type} is not known`
      refused ??= verdict(false, 'InvalidKind', broken)
    }
  }
  return {
    filters: compiled,
    ...(broken && { broken }),
    ...(refused && { refused }),
    ...(unsupported && { unsupported }),
  }
}

type ExternalAuth = NonNullable<RouteFilter['externalAuth']>

function externalFault({ protocol, forwardBody, http = {} }: ExternalAuth): string | undefined {
  if (protocol !== 'HTTP') return `who may pass is asked by HTTP, and not by ${protocol}`
  if ((forwardBody?.maxSize ?? 0) > 0) return 'bodies are not shown to who is asked'
  const names = [...(http.allowedHeaders ?? []), ...(http.allowedResponseHeaders ?? [])]
  if (!/^(\/[\w.~/%@!$&'()*+,;=:-]*)?$/.test(http.path ?? '')) return 'the path in front cannot be one'
  return names.every((name) => /^[\w!#$%&'*+.^`|~-]+$/.test(name)) ? undefined : 'a header cannot be named so'
}

function externalCheck({ http = {} }: ExternalAuth, backend: string): Filter {
  const { path = '', allowedHeaders = [], allowedResponseHeaders = [] } = http
  const lower = (names: readonly string[]) => names.map((name) => name.toLowerCase())
  return {
    kind: 'external-check',
    backend,
    prefix: path.replace(/\/+$/, ''),
    sent: lower(allowedHeaders),
    headers: lower(allowedResponseHeaders),
  }
}

function compileFilter(filter: RouteFilter, path: PathPattern): Filter | undefined {
  switch (filter.type) {
    case 'RequestHeaderModifier':
      return filter.requestHeaderModifier && { kind: 'request-headers', change: changeOf(filter.requestHeaderModifier) }
    case 'ResponseHeaderModifier':
      return (
        filter.responseHeaderModifier && { kind: 'response-headers', change: changeOf(filter.responseHeaderModifier) }
      )
    case 'RequestRedirect': {
      const { scheme, hostname, path: change, port, statusCode = 302 } = filter.requestRedirect ?? {}
      return {
        kind: 'redirect',
        status: statusCode,
        ...(scheme && { scheme }),
        ...(hostname && { host: hostname }),
        ...(port && { port }),
        ...(change && { path: pathChange(change, path) }),
      }
    }
    case 'URLRewrite': {
      const { hostname, path: change } = filter.urlRewrite ?? {}
      return { kind: 'rewrite', ...(hostname && { host: hostname }), ...(change && { path: pathChange(change, path) }) }
    }
    case 'CORS': {
      const { allowOrigins = [], allowMethods = [], allowHeaders = [], exposeHeaders = [], ...rest } = filter.cors ?? {}
      return {
        kind: 'cors',
        origins: allowOrigins,
        methods: allowMethods,
        headers: allowHeaders,
        expose: exposeHeaders,
        credentials: rest.allowCredentials ?? false,
        maxAgeSeconds: rest.maxAge ?? 5,
      }
    }
    default:
      return undefined
  }
}

function changeOf({ set = [], add = [], remove = [] }: HeaderFilter): HeaderChange {
  const pair = ({ name, value }: { name: string; value: string }) => [name, value] as const
  return { set: set.map(pair), add: add.map(pair), remove }
}

function pathChange({ type, replaceFullPath, replacePrefixMatch }: PathModifier, path: PathPattern): PathChange {
  if (type === 'ReplaceFullPath') return { kind: 'full', path: replaceFullPath || '/' }
  // The API allows it with prefixes only; with anything else there is nothing to replace.
  return { kind: 'prefix', prefix: path.kind === 'prefix' ? path.value : '', path: replacePrefixMatch ?? '' }
}
