import { metaProperty, metaSchemas, pathsOf } from '../objects/index.ts'
import type { CustomKind } from './kind.ts'

type Json = Record<string, unknown>

interface Document {
  readonly paths: Record<string, Json>
  readonly components: { readonly schemas: Record<string, Json> }
}

/** An OpenAPI v3 document with the paths and schemas of custom kinds added. */
export function withCustomKinds(document: Json, kinds: readonly CustomKind[]): Json {
  if (kinds.length === 0) return document
  const { paths, components } = document as unknown as Document
  const added: Json = {}
  const schemas: Record<string, Json> = metaSchemas()
  for (const kind of kinds) {
    const name = schemaNameOf(kind)
    Object.assign(added, pathsOf({ ...kind, strategic: false }, name))
    schemas[name] = objectSchema(kind)
    schemas[`${name}List`] = listSchema(kind, name)
  }
  return { ...document, paths: { ...paths, ...added }, components: { schemas: { ...components.schemas, ...schemas } } }
}

/** The group backwards, as upstream names the schemas of custom kinds: `com.example.v1.CronTab`. */
export function schemaNameOf({ group, version, kind }: CustomKind): string {
  return [...group.split('.').reverse(), version, kind].join('.')
}

function objectSchema(kind: CustomKind): Json {
  const { schema } = kind.custom
  const text = (description: string) => ({ description, type: 'string' })
  return {
    ...schema,
    properties: {
      ...schema.properties,
      apiVersion: text('The group and version of this object.'),
      kind: text('The kind of this object.'),
      metadata: metaProperty('ObjectMeta'),
    },
    'x-kubernetes-group-version-kind': [{ group: kind.group, kind: kind.kind, version: kind.version }],
  }
}

function listSchema(kind: CustomKind, name: string): Json {
  const { listKind } = kind.custom
  return {
    description: `${listKind} is a list of ${kind.kind}`,
    type: 'object',
    required: ['items'],
    properties: {
      apiVersion: { type: 'string' },
      items: { type: 'array', items: { $ref: `#/components/schemas/${name}` } },
      kind: { type: 'string' },
      metadata: metaProperty('ListMeta'),
    },
    'x-kubernetes-group-version-kind': [{ group: kind.group, kind: listKind, version: kind.version }],
  }
}
