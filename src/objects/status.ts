import type { FieldError } from './contract.ts'
import type { Status } from './types.ts'

/** What a refusal is about: the resource as clients name it, with its group. */
export interface Target {
  readonly group: string
  readonly plural: string
}

type Details = NonNullable<Status['details']>

function failure(code: number, reason: string, message: string, details?: Details): Status {
  return {
    apiVersion: 'v1',
    kind: 'Status',
    metadata: {},
    status: 'Failure',
    message,
    reason,
    ...(details === undefined ? {} : { details }),
    code,
  }
}

function qualified({ group, plural }: Target): string {
  return group === '' ? plural : `${plural}.${group}`
}

function detailsOf({ group, plural }: Target, name: string): Details {
  return { ...(name === '' ? {} : { name }), ...(group === '' ? {} : { group }), kind: plural }
}

/** 404: no such object. */
export function notFound(target: Target, name: string): Status {
  return failure(404, 'NotFound', `${qualified(target)} ${JSON.stringify(name)} not found`, detailsOf(target, name))
}

/** 404: no such path or resource; clients read "the server doesn't have a resource type" out of it. */
export function noSuchResource(): Status {
  return failure(404, 'NotFound', 'the server could not find the requested resource', {})
}

/** 409: an object of that name is there. */
export function alreadyExists(target: Target, name: string): Status {
  const message = `${qualified(target)} ${JSON.stringify(name)} already exists`
  return failure(409, 'AlreadyExists', message, detailsOf(target, name))
}

/** What a stale resourceVersion is told. */
export const staleMessage =
  'the object has been modified; please apply your changes to the latest version and try again'

/** 409: the write lost against another one; `cause` says how, by default a stale resourceVersion. */
export function conflict(target: Target, name: string, cause: string = staleMessage): Status {
  const message = `Operation cannot be fulfilled on ${qualified(target)} ${JSON.stringify(name)}: ${cause}`
  return failure(409, 'Conflict', message, detailsOf(target, name))
}

/** 409: server-side apply met fields of other managers (`"kubectl" using apps/v1`, sorted); one cause per field. */
export function applyConflict(conflicts: readonly { manager: string; field: string }[]): Status {
  const count = `Apply failed with ${conflicts.length} conflict${conflicts.length === 1 ? '' : 's'}`
  const byManager = [...Map.groupBy(conflicts, ({ manager }) => manager)]
  const lines = byManager.flatMap(([manager, own]) =>
    conflicts.length === 1
      ? `conflict with ${manager}: ${own[0]!.field}`
      : [`conflicts with ${manager}:`, ...own.map(({ field }) => `- ${field}`)],
  )
  return failure(409, 'Conflict', `${count}: ${lines.join('\n')}`, {
    causes: conflicts.map((item) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with ${item.manager}`,
      field: item.field,
    })),
  })
}

/** `field: message`, or the bare message when the error names no field. */
export function renderFieldError(error: FieldError): string {
  return error.field === '' ? error.message : `${error.field}: ${error.message}`
}

/** 422: validation refused the object; `kind` is the Kind, as upstream prints it. */
export function invalid(
  kind: { readonly group: string; readonly kind: string },
  name: string,
  errors: readonly FieldError[],
): Status {
  const texts = [...new Set(errors.map(renderFieldError))]
  const all = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`
  const title = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`
  const message = `${title} ${JSON.stringify(name)} is invalid${texts.length === 0 ? '' : `: ${all}`}`
  return failure(422, 'Invalid', message, {
    ...(name === '' ? {} : { name }),
    ...(kind.group === '' ? {} : { group: kind.group }),
    kind: kind.kind,
    causes: errors.map(({ reason, message, field }) => ({ reason, message, field })),
  })
}

/** 400: the request itself makes no sense. */
export function badRequest(message: string): Status {
  return failure(400, 'BadRequest', message)
}

/**
 * 400: the body does not decode into the kind; `why` is a decoder's text, or `strict decoding error: unknown field "spec.foo"`.
 * `apiVersion` is the object's own, `apps/v1`.
 */
export function undecodable(apiVersion: string, kind: string, why: string): Status {
  const version = JSON.stringify(apiVersion.slice(apiVersion.indexOf('/') + 1))
  return badRequest(`${kind} in version ${version} cannot be handled as a ${kind}: ${why}`)
}

/** What follows `cannot be handled as a Service: ` when strict validation finds unknown or duplicate fields. */
export function strictDecodingError(problems: readonly string[]): string {
  return `strict decoding error: ${problems.join(', ')}`
}

/** 410: the resourceVersion is older than what is kept. */
export function expired(requested: string | number, oldest: string | number): Status {
  return failure(410, 'Expired', `too old resource version: ${requested} (${oldest})`)
}

/** 410: the continue token outlived its snapshot. */
export function continueExpired(): Status {
  return failure(
    410,
    'Expired',
    'The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter.',
  )
}

/** 504: the list asks for a resourceVersion that is not there yet. */
export function resourceVersionTooLarge(requested: string | number, current: string | number): Status {
  return failure(504, 'Timeout', `Timeout: Too large resource version: ${requested}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  })
}

/** 429: not now; `retryAfterSeconds` says when to ask again, if that is known. */
export function tooManyRequests(
  message: string,
  causes: NonNullable<Details['causes']>,
  retryAfterSeconds?: number,
): Status {
  const retry = retryAfterSeconds === undefined ? {} : { retryAfterSeconds }
  return failure(429, 'TooManyRequests', message, { causes, ...retry })
}

/** 413: the body is larger than the server reads. */
export function tooLarge(limitBytes: number): Status {
  return failure(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${limitBytes}`)
}

/** 415: the body's media type is not served here. */
export function unsupportedMediaType(accepted: readonly string[]): Status {
  const message = `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`
  return failure(415, 'UnsupportedMediaType', message)
}

/** 406: no representation that the client accepts. */
export function notAcceptable(served: readonly string[]): Status {
  return failure(406, 'NotAcceptable', `only the following media types are accepted: ${served.join(', ')}`)
}

/** 401: no valid credentials. */
export function unauthorized(): Status {
  return failure(401, 'Unauthorized', 'Unauthorized')
}

/** Who wants to do what, for a 403's text. */
export interface Attempt {
  readonly user: string
  readonly verb: string
  readonly target: Target
  readonly subresource?: string
  readonly namespace?: string
  readonly name?: string
}

/** 403: authorization refused. */
export function forbidden({ user, verb, target, subresource, namespace, name = '' }: Attempt): Status {
  const what = subresource === undefined ? target.plural : `${target.plural}/${subresource}`
  const where = namespace === undefined ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`
  const object = name === '' ? qualified(target) : `${qualified(target)} ${JSON.stringify(name)}`
  const cause = `User ${JSON.stringify(user)} cannot ${verb} resource ${JSON.stringify(what)} in API group ${JSON.stringify(target.group)} ${where}`
  return failure(403, 'Forbidden', `${object} is forbidden: ${cause}`, detailsOf(target, name))
}

/** 403: admission or a rule of the server refused this object. */
export function forbiddenBecause(target: Target, name: string, cause: string): Status {
  const message = `${qualified(target)} ${JSON.stringify(name)} is forbidden: ${cause}`
  return failure(403, 'Forbidden', message, detailsOf(target, name))
}

/** 403: the namespace is going away, nothing new may be made in it. */
export function namespaceTerminating(target: Target, name: string, namespace: string): Status {
  const cause = `unable to create new content in namespace ${namespace} because it is being terminated`
  const status = forbiddenBecause(target, name, cause)
  return {
    ...status,
    details: {
      ...status.details,
      causes: [
        {
          reason: 'NamespaceTerminating',
          message: `namespace ${namespace} is being terminated`,
          field: 'metadata.namespace',
        },
      ],
    },
  }
}

/** 405: the resource does not take this verb. */
export function methodNotAllowed(target?: Target, verb?: string): Status {
  if (target === undefined || verb === undefined)
    return failure(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {})
  const message = `${verb} is not supported on resources of kind ${JSON.stringify(qualified(target))}`
  return failure(405, 'MethodNotAllowed', message, detailsOf(target, ''))
}

/** 503: not now. */
export function serviceUnavailable(message: string): Status {
  return failure(503, 'ServiceUnavailable', message)
}

/** 500: our bug. */
export function internalError(message: string): Status {
  return failure(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] })
}

/** 200: the answer to a DELETE that removed the object at once. */
export function deleted(target: Target, name: string, uid: string): Status {
  return {
    apiVersion: 'v1',
    kind: 'Status',
    metadata: {},
    status: 'Success',
    details: { ...detailsOf(target, name), uid },
  }
}
