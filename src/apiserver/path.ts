import { errors } from '../objects/index.ts'
import { Refusal } from './refusal.ts'

/** What the path of a resource request names. */
export interface ResourcePath {
  readonly group: string
  readonly version: string
  readonly namespace: string | undefined
  readonly plural: string
  readonly name: string | undefined
  readonly subresource: string | undefined
  /** The deprecated `/watch/` in front of the resource. */
  readonly watch: boolean
}

const pathLimit = 8192

/** The decoded segments of a path; 400 when it is too long or badly escaped. */
export function segmentsOf(pathname: string): string[] {
  if (pathname.length > pathLimit)
    throw new Refusal(errors.badRequest(`the path is longer than ${pathLimit} characters`))
  try {
    return pathname
      .split('/')
      .filter((segment) => segment !== '')
      .map(decodeURIComponent)
  } catch {
    throw new Refusal(errors.badRequest(`the path ${JSON.stringify(pathname.slice(0, 200))} is badly escaped`))
  }
}

/** Reads `/api/v1/…` and `/apis/{group}/{version}/…`; undefined when the path is not below a group version. */
export function parseResourcePath(segments: readonly string[]): ResourcePath | undefined {
  const [root, ...rest] = segments
  if (root !== 'api' && root !== 'apis') return undefined
  const group = root === 'api' ? '' : rest.shift()
  const version = rest.shift()
  if (group === undefined || version === undefined || rest.length === 0) return undefined
  const watch = rest[0] === 'watch' && rest.length > 1
  if (watch) rest.shift()
  const inNamespace = rest[0] === 'namespaces' && rest.length >= 3 && !ofNamespace(rest)
  const namespace = inNamespace ? rest[1] : undefined
  const [plural = '', name, subresource, ...extra] = inNamespace ? rest.slice(2) : rest
  if (extra.length > 0 && subresource !== 'proxy') return undefined
  return { group, version, namespace, plural, name, subresource, watch }
}

/** `namespaces/x/status` and `namespaces/x/finalize` are about the namespace itself. */
function ofNamespace(rest: readonly string[]): boolean {
  return rest.length === 3 && (rest[2] === 'status' || rest[2] === 'finalize')
}
