import type { IncomingMessage } from 'node:http'
import { errors } from '../objects/index.ts'
import { type Answer, json, text } from './answer.ts'
import type { Core } from './core.ts'
import { discover, discoverGroup, discoverVersion } from './discovery.ts'
import { openapiIndex, openapiOf, version } from './documents.ts'
import { openapiV2 } from './openapi-v2.ts'
import { Refusal } from './refusal.ts'
import { groupVersions } from './registry.ts'

/** What is answered whatever is stored: health, metrics, version, discovery, OpenAPI; undefined for other paths. */
export function answerFixed(core: Core, request: IncomingMessage, segments: readonly string[]): Answer | undefined {
  const [first, second, third, fourth, fifth] = segments
  const { accept } = request.headers
  const found = (): Answer | undefined => {
    switch (first) {
      case undefined:
        return json({ paths: rootPaths(core) })
      case 'healthz':
      case 'livez':
      case 'readyz':
        return text(health(first, request.url ?? ''))
      case 'metrics':
        return segments.length === 1 ? text(core.metrics.text(core.store.revision)) : undefined
      case 'version':
        return segments.length === 1 ? version() : undefined
      case 'api':
        if (segments.length === 1) return discover(core.registry, 'api', accept)
        return segments.length === 2 ? discoverVersion(core.registry, '', second!) : undefined
      case 'apis':
        if (segments.length === 1) return discover(core.registry, 'apis', accept)
        if (segments.length === 2) return discoverGroup(core.registry, second!)
        return segments.length === 3 ? discoverVersion(core.registry, second!, third!) : undefined
      case '.well-known':
        return second === 'openid-configuration' && segments.length === 2 ? issuerDocument(core) : undefined
      case 'openid':
        return second === 'v1' && third === 'jwks' ? json({ keys: [core.tokens.key.jwk] }) : undefined
      case 'openapi':
        if (second === 'v2' && segments.length === 2) return openapiV2(core.registry, accept)
        if (second !== 'v3') return undefined
        if (segments.length === 2) return openapiIndex(core.registry)
        if (third === 'api' && segments.length === 4) return openapiOf(core.registry, '', fourth!)
        return third === 'apis' && segments.length === 5 ? openapiOf(core.registry, fourth!, fifth!) : undefined
      default:
        return undefined
    }
  }
  const answer = found()
  if (answer !== undefined && request.method !== 'GET' && request.method !== 'HEAD')
    throw new Refusal(errors.methodNotAllowed())
  return answer
}

/** What `?verbose` says, check by check: whoever answers has its store and its informers. */
function health(endpoint: string, url: string): string {
  if (!/[?&]verbose\b/.test(url)) return 'ok'
  return `[+]ping ok\n[+]log ok\n[+]store ok\n${endpoint} check passed\n`
}

/** OpenID Connect Discovery of the issuer of service account tokens. */
function issuerDocument({ tokens }: Core): Answer {
  return json({
    issuer: tokens.issuer,
    jwks_uri: `${tokens.issuer}/openid/v1/jwks`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [tokens.key.jwk.alg],
  })
}

function rootPaths(core: Core): string[] {
  const versions = groupVersions(core.registry).map((name) => (name.includes('/') ? `/apis/${name}` : `/api/${name}`))
  return [
    '/api',
    '/apis',
    ...versions,
    '/healthz',
    '/livez',
    '/metrics',
    '/openapi/v2',
    '/openapi/v3',
    '/readyz',
    '/version',
  ]
}
