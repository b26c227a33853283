import type { Kind } from './contract.ts'
import { apiVersionOf, kinds } from './kinds.ts'
import { schemaNameOf, schemasOf } from './openapi-schemas.ts'

type Json = Record<string, unknown>

/** What the paths of a resource depend on; every served kind satisfies it. */
export interface PathSubject
  extends Pick<Kind, 'group' | 'version' | 'kind' | 'plural' | 'namespaced' | 'subresources'> {
  /** Whether strategic merge patches are taken, which clients choose by; they are unless it says no. */
  readonly strategic?: boolean
}

/** The OpenAPI v3 document of one group/version (`v1`, `apps/v1`): paths with the operations that kubectl looks for, and schemas for `kubectl explain`. */
export function openapi(groupVersion: string): Json {
  const served = kinds.filter((kind) => apiVersionOf(kind) === groupVersion)
  const paths: Record<string, Json> = {}
  for (const kind of served) Object.assign(paths, pathsOf(kind, schemaNameOf(kind)))
  return openapiDocument(paths, schemasOf(served))
}

/** A whole OpenAPI v3 document around paths and schemas. */
export function openapiDocument(paths: Record<string, Json>, schemas: Record<string, Json>): Json {
  return { openapi: '3.0.0', info: { title: 'Kubernetes', version: 'unversioned' }, paths, components: { schemas } }
}

/** The paths of one resource; `schema` is its name in `components.schemas`. */
export function pathsOf(kind: PathSubject, schema: string): Record<string, Json> {
  const root = kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`
  const collection = kind.namespaced ? `${root}/namespaces/{namespace}/${kind.plural}` : `${root}/${kind.plural}`
  const scope = kind.namespaced
    ? [pathParameter('namespace', 'object name and auth scope, such as for teams and projects')]
    : []
  const named = [pathParameter('name', `name of the ${kind.kind}`), ...scope, pretty]
  const object = schemaRef(schema)
  const list = schemaRef(`${schema}List`)
  const paths: Record<string, Json> = {
    [collection]: {
      get: operation(kind, 'list', listParameters, undefined, list),
      post: operation(kind, 'post', writeParameters, object, object),
      delete: operation(kind, 'deletecollection', [...listParameters, dryRun], undefined, status),
      parameters: [...scope, pretty],
    },
    [`${collection}/{name}`]: {
      get: operation(kind, 'get', [], undefined, object),
      put: operation(kind, 'put', writeParameters, object, object),
      patch: operation(kind, 'patch', patchParameters, patchBody, object),
      delete: operation(kind, 'delete', deleteParameters, undefined, status),
      parameters: named,
    },
  }
  if (kind.namespaced)
    paths[`${root}/${kind.plural}`] = {
      get: operation(kind, 'list', listParameters, undefined, list),
      parameters: [pretty],
    }
  for (const name of kind.subresources.filter((item) => item === 'status'))
    paths[`${collection}/{name}/${name}`] = {
      get: operation(kind, 'get', [], undefined, object),
      put: operation(kind, 'put', writeParameters, object, object),
      patch: operation(kind, 'patch', patchParameters, patchBody, object),
      parameters: named,
    }
  return paths
}

function operation(
  kind: PathSubject,
  action: string,
  parameters: readonly Json[],
  request: Json | undefined,
  response: Json,
): Json {
  const patches = kind.strategic === false ? patchTypes.filter((type) => type !== strategicPatch) : patchTypes
  const body = action === 'patch' ? patches : jsonTypes
  return {
    description: `${action} ${kind.kind}`,
    parameters,
    ...(request === undefined ? {} : { requestBody: { content: content(body, request), required: true } }),
    responses: {
      [action === 'post' ? '201' : '200']: { description: 'OK', content: content(jsonTypes, response) },
      401: { description: 'Unauthorized' },
    },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': { group: kind.group, kind: kind.kind, version: kind.version },
  }
}

const jsonTypes = ['application/json', 'application/yaml']
const strategicPatch = 'application/strategic-merge-patch+json'
const patchTypes = [
  'application/apply-patch+yaml',
  'application/json-patch+json',
  'application/merge-patch+json',
  strategicPatch,
]
const patchBody = { type: 'object' }
const status = { type: 'object' }

function content(types: readonly string[], schema: Json): Json {
  return Object.fromEntries(types.map((type) => [type, { schema }]))
}

function schemaRef(name: string): Json {
  return { $ref: `#/components/schemas/${name}` }
}

function pathParameter(name: string, description: string): Json {
  return { name, in: 'path', description, required: true, schema: { type: 'string', uniqueItems: true } }
}

function query(name: string, type: 'string' | 'boolean' | 'integer', description: string): Json {
  return { name, in: 'query', description, schema: { type, uniqueItems: true } }
}

const pretty = query('pretty', 'string', "If 'true', then the output is pretty printed.")
const dryRun = query('dryRun', 'string', 'When present, nothing is persisted. The one valid value is All.')
const fieldManager = query('fieldManager', 'string', 'The name of the actor that makes these changes.')
const fieldValidation = query(
  'fieldValidation',
  'string',
  'What to do with unknown or duplicate fields: Ignore drops them, Warn drops them with a warning, Strict refuses the request.',
)
const writeParameters = [dryRun, fieldManager, fieldValidation]
const patchParameters = [
  ...writeParameters,
  query('force', 'boolean', 'Apply only: take over fields that other managers own.'),
]
const deleteParameters = [
  dryRun,
  query('gracePeriodSeconds', 'integer', 'Seconds before the object should be deleted; 0 means at once.'),
  query('propagationPolicy', 'string', 'Orphan, Background or Foreground: what becomes of dependents.'),
]
const listParameters = [
  query('allowWatchBookmarks', 'boolean', 'Ask for BOOKMARK events in a watch.'),
  query('continue', 'string', 'The token of the next page.'),
  query('fieldSelector', 'string', 'Restrict the list by fields.'),
  query('labelSelector', 'string', 'Restrict the list by labels.'),
  query('limit', 'integer', 'The largest number of items in one answer.'),
  query('resourceVersion', 'string', 'The version that the answer must be at or after.'),
  query('resourceVersionMatch', 'string', 'How resourceVersion is applied to a list: Exact or NotOlderThan.'),
  query('sendInitialEvents', 'boolean', 'Start a watch with the state at its beginning.'),
  query('timeoutSeconds', 'integer', 'How long a list or watch may take.'),
  query('watch', 'boolean', 'Follow changes as events.'),
]
