import { createHash } from 'node:crypto'
import { isCustom, withCustomKinds } from '../customresources/index.ts'
import { apiVersionOf, type Kind, openapi, openapiDocument } from '../objects/index.ts'
import { parseAccept } from './accept.ts'
import type { Answer } from './answer.ts'
import { Lapsing } from './lapsing.ts'
import { encodeSwagger } from './openapi-v2-protobuf.ts'
import type { Registry } from './registry.ts'
import { isRecord, type JsonRecord } from './value.ts'

// What clients ask for has `v2@v1.0`, which Go's parser of media types refuses in an answer.
const protobufType = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf'

interface Document {
  readonly json: JsonRecord
  readonly hash: string
  protobuf?: Buffer
}

const documents = new WeakMap<Registry, { readonly generation: number; readonly document: Lapsing<Document> }>()

/** `GET /openapi/v2`: all kinds in one Swagger 2.0 document, as JSON or in gnostic's protobuf, which kubectl up to 1.28 asks for. */
export function openapiV2(registry: Registry, accept: string | undefined): Answer {
  const document = documentOf(registry)
  const headers = { etag: `"${document.hash}"`, vary: 'Accept' }
  const binary = parseAccept(accept).find(({ type }) => type === 'application/json' || type.includes('protobuf'))
  if (binary?.type.includes('protobuf')) {
    document.protobuf ??= encodeSwagger(document.json)
    return { code: 200, type: protobufType, body: document.protobuf, headers }
  }
  return { code: 200, type: 'application/json', body: JSON.stringify(document.json), headers }
}

function documentOf(registry: Registry): Document {
  const known = documents.get(registry)
  if (known?.generation === registry.generation) return known.document.get()
  const document = new Lapsing(() => render(registry))
  documents.set(registry, { generation: registry.generation, document })
  return document.get()
}

function render(registry: Registry): Document {
  const definitions: JsonRecord = {}
  const paths: JsonRecord = {}
  for (const { name, versions } of registry.groups())
    for (const version of versions) addVersion(definitions, paths, registry.kindsOf(name, version), name, version)
  const json = { swagger: '2.0', info: { title: 'Kubernetes', version: 'unversioned' }, paths, definitions }
  const hash = createHash('sha256').update(Object.keys(definitions).join()).update(String(registry.generation))
  return { json, hash: hash.digest('hex').slice(0, 32).toUpperCase() }
}

function addVersion(
  definitions: JsonRecord,
  paths: JsonRecord,
  kinds: readonly Kind[],
  group: string,
  version: string,
): void {
  if (kinds.length === 0) return
  const builtin = kinds.some((kind) => !isCustom(kind))
    ? openapi(apiVersionOf({ group, version }))
    : openapiDocument({}, {})
  const document = withCustomKinds(builtin, kinds.filter(isCustom)) as {
    paths: Record<string, JsonRecord>
    components: { schemas: Record<string, JsonRecord> }
  }
  for (const [name, schema] of Object.entries(document.components.schemas)) definitions[name] ??= schemaOf(schema)
  for (const [path, item] of Object.entries(document.paths)) paths[path] = pathOf(item)
}

const methods = ['get', 'put', 'post', 'delete', 'patch']

function pathOf(item: JsonRecord): JsonRecord {
  const operations = methods.flatMap((method) => {
    const operation = item[method]
    return isRecord(operation) ? [[method, operationOf(operation)] as const] : []
  })
  return { ...Object.fromEntries(operations), parameters: parametersOf(item.parameters) }
}

function operationOf(operation: JsonRecord): JsonRecord {
  const { description, parameters, requestBody, ...rest } = operation
  const body = isRecord(requestBody) ? [{ name: 'body', in: 'body', required: true, schema: { type: 'object' } }] : []
  const extensions = Object.fromEntries(Object.entries(rest).filter(([name]) => name.startsWith('x-')))
  const content = isRecord(requestBody) && isRecord(requestBody.content) ? Object.keys(requestBody.content) : []
  return {
    description,
    ...(content.length > 0 ? { consumes: content } : {}),
    produces: ['application/json'],
    parameters: [...body, ...parametersOf(parameters)],
    responses: { 200: { description: 'OK' } },
    ...extensions,
  }
}

function parametersOf(parameters: unknown): JsonRecord[] {
  if (!Array.isArray(parameters)) return []
  return (parameters as JsonRecord[]).map(({ schema, ...rest }) => ({
    ...rest,
    type: isRecord(schema) ? schema.type : 'string',
    uniqueItems: true,
  }))
}

const kept = ['description', 'format', 'required', 'enum', 'pattern', 'minimum', 'maximum', 'type'] as const

/** A schema of OpenAPI v3 with what v2 can say of it. */
function schemaOf(schema: JsonRecord): JsonRecord {
  const { allOf, properties, items, additionalProperties, oneOf } = schema
  const reference = Array.isArray(allOf) && allOf.length === 1 ? (allOf[0] as JsonRecord).$ref : schema.$ref
  const result: JsonRecord = {}
  if (typeof reference === 'string') {
    if (schema.description !== undefined) result.description = schema.description
    result.$ref = reference.replace('#/components/schemas/', '#/definitions/')
  } else for (const name of kept) if (schema[name] !== undefined) result[name] = schema[name]
  for (const [name, value] of Object.entries(schema)) if (name.startsWith('x-')) result[name] = value
  if (Array.isArray(oneOf) && result.type === undefined && result.$ref === undefined && properties === undefined)
    result.type = 'string'
  if (schema['x-kubernetes-int-or-string']) Object.assign(result, { type: 'string', format: 'int-or-string' })
  if (isRecord(properties))
    result.properties = Object.fromEntries(
      Object.entries(properties).map(([name, value]) => [name, schemaOf(value as JsonRecord)]),
    )
  if (isRecord(items)) result.items = schemaOf(items)
  if (isRecord(additionalProperties)) result.additionalProperties = schemaOf(additionalProperties)
  return result
}
