import { encode } from './encode.ts'
import type { Called } from './lower-spares.ts'
import type { Failed, Filter, HeaderChange, PathChange, Replacement } from './model.ts'

/** What filters do, as the router reads it: operations apart by blanks, each a name and encoded words apart by colons. */
export function renderAction(filters: readonly Filter[], timeoutMs: number | undefined, called: Called): string {
  const operations = filters.flatMap((filter) => operationsOf(filter, called))
  if (timeoutMs !== undefined) operations.push(operation('timeout', String(timeoutMs)))
  return operations.length === 0 ? operation('nothing') : operations.join(' ')
}

function operationsOf(filter: Filter, called: Called): string[] {
  switch (filter.kind) {
    case 'request-headers':
      return headerOperations('request', filter.change)
    case 'response-headers':
      return headerOperations('response', filter.change)
    case 'redirect': {
      const { status, scheme = '', host = '', port = '', path } = filter
      return [operation('redirect', String(status), scheme, host, String(port), ...pathWords(path))]
    }
    case 'rewrite':
      return [
        ...(filter.host === undefined ? [] : [operation('host', filter.host)]),
        ...(filter.path === undefined ? [] : [operation('path', ...pathWords(filter.path))]),
      ]
    case 'sources':
      return [operation('sources', filter.allow.join(' '), filter.deny.join(' '), filter.isEnough ? 'enough' : '')]
    case 'client-certificate': {
      const { authority, mode, depth, commonName = '', errorPage = '', passes } = filter
      return [operation('show', authority, mode, String(depth), commonName, errorPage, String(passes))]
    }
    case 'basic-auth':
      return [operation('basic', filter.users, filter.realm)]
    case 'external-auth': {
      const { backend, host, path, method, signIn = '', signInParameter, headers, sent = [] } = filter
      const words = [called(backend), host, path, method, signIn, signInParameter, headers.join(' ')]
      return [operation('ask', ...words, ...sent.flat())]
    }
    case 'external-check':
      return [
        operation('check', called(filter.backend), filter.prefix, filter.sent.join(' '), filter.headers.join(' ')),
      ]
    case 'mirror':
      return [
        operation(
          'mirror',
          called(filter.backend),
          String(filter.numerator),
          String(filter.denominator),
          filter.host ?? '',
          filter.isBodiless ? 'bodiless' : '',
        ),
      ]
    case 'answers': {
      const pair = (one: Replacement | undefined) => [one?.from ?? '', one?.to ?? '']
      return [operation('answers', ...pair(filter.location), ...pair(filter.domain), ...pair(filter.path))]
    }
    case 'failed':
      return [operation('failed', String(filter.code), ...failedWords(filter.of))]
    case 'errors':
      return [operation('errors', filter.codes.join(' '), ...failedWords(filter.of), called(filter.backend))]
    case 'cors':
      return [
        operation(
          'cors',
          filter.origins.join(' '),
          filter.methods.join(', '),
          filter.headers.join(', '),
          filter.expose.join(', '),
          String(filter.credentials),
          String(filter.maxAgeSeconds),
        ),
      ]
    default:
      return filter satisfies never
  }
}

function failedWords({ namespace, ingress, service, port }: Failed): string[] {
  return [namespace, ingress, service, port]
}

function headerOperations(of: 'request' | 'response', { set, add, remove }: HeaderChange): string[] {
  return [
    ...set.map(([name, value]) => operation(`${of}-set`, name, value)),
    ...add.map(([name, value]) => operation(`${of}-add`, name, value)),
    ...remove.map((name) => operation(`${of}-remove`, name)),
  ]
}

function pathWords(path: PathChange | undefined): string[] {
  if (path === undefined) return ['', '', '']
  switch (path.kind) {
    case 'full':
      return ['full', path.path, '']
    case 'prefix':
      return ['prefix', path.path, path.prefix]
    case 'regex':
      return ['regex', path.path, path.pattern]
    default:
      return path satisfies never
  }
}

function operation(name: string, ...given: readonly string[]): string {
  return [name, ...given.map(encode)].join(':')
}
