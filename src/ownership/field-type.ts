import { type Kind, type Property, type Shape, type StructType, schemaOf, structType } from '../objects/index.ts'

/** How values of a type are owned and merged. */
export type FieldType =
  /** As one piece: scalars, atomic lists, maps and structs. */
  | { readonly kind: 'leaf' }
  /** Field by field; a field that is not there is not declared, which an open struct allows. */
  | { readonly kind: 'struct'; readonly fields: ReadonlyMap<string, Field>; readonly open?: boolean }
  /** Key by key. */
  | { readonly kind: 'map'; readonly values: FieldType }
  /** Item by item: told apart by the values under `keys`, or by themselves when there are no keys (a set). */
  | {
      readonly kind: 'list'
      readonly keys: readonly string[]
      /** What stands for a key that an item leaves out. */
      readonly defaults: Readonly<Record<string, unknown>>
      readonly items: FieldType
    }
  /** No schema: maps key by key, everything else as one piece. */
  | { readonly kind: 'deduced' }

/** One field of a struct. */
export interface Field {
  readonly type: FieldType
  /** What stands for a missing value of a field that the Go type always writes: nobody adds or removes such a field. */
  readonly missing?: unknown
}

/** Values of one piece. */
export const leaf = { kind: 'leaf' } as const satisfies FieldType
/** Values without a schema. */
export const deduced = { kind: 'deduced' } as const satisfies FieldType

/** The one default that keys of list maps have in upstream's schemas. */
const keyDefaults: Readonly<Record<string, unknown>> = { protocol: 'TCP' }

const types = new Map<string, FieldType>()

/** The type of a built-in kind's objects; deduced for kinds without a schema. */
export function builtinType(kind: Pick<Kind, 'group' | 'version' | 'kind'>): FieldType {
  const schema = schemaOf(kind)
  return schema === undefined ? deduced : typeOfStruct(schema)
}

/** The type of one struct of the Kubernetes API. */
export function typeOfStruct(struct: StructType): FieldType {
  let type = types.get(struct.key)
  if (type === undefined) {
    type = struct.atomic ? leaf : lazyStruct(struct)
    types.set(struct.key, type)
  }
  return type
}

// Types may hold themselves (JSONSchemaProps), so fields are looked up at first use.
function lazyStruct(struct: StructType): FieldType {
  let fields: ReadonlyMap<string, Field> | undefined
  return {
    kind: 'struct',
    get fields() {
      fields ??= new Map([...struct.properties].map(([name, property]) => [name, fieldOf(struct, name, property)]))
      return fields
    },
  }
}

function fieldOf(struct: StructType, name: string, property: Property): Field {
  const type = typeOfProperty(property)
  const root = struct.properties.has('apiVersion') && struct.properties.has('kind')
  if (!((root && embedded.has(name)) || embedded.has(`${struct.key}.${name}`))) return { type }
  return { type, missing: type.kind === 'list' ? [] : {} }
}

function typeOfProperty({ shape, atomic, listType, listMapKeys }: Property): FieldType {
  if (atomic) return leaf
  if (shape.kind === 'list') {
    if (listType === undefined) return leaf
    return {
      kind: 'list',
      keys: listType === 'map' ? (listMapKeys ?? []) : [],
      defaults: keyDefaults,
      items: typeOfShape(shape.items),
    }
  }
  return typeOfShape(shape)
}

function typeOfShape(shape: Shape): FieldType {
  switch (shape.kind) {
    case 'scalar':
    case 'list':
      return leaf
    case 'any':
      return deduced
    case 'struct':
      return typeOfStruct(structType(shape.type))
    case 'map':
      return { kind: 'map', values: typeOfShape(shape.values) }
    default:
      return shape satisfies never
  }
}

/** Fields that the Go types of k8s.io/api write even when nothing is in them (structs by value): of every kind, and of single types. */
const embedded = new Set([
  'metadata',
  'spec',
  'status',
  'core.v1.PodTemplateSpec.metadata',
  'core.v1.PodTemplateSpec.spec',
  'core.v1.PodSpec.containers',
  'apps.v1.DeploymentSpec.strategy',
  'apps.v1.DeploymentSpec.template',
  'apps.v1.ReplicaSetSpec.template',
  'apps.v1.StatefulSetSpec.template',
  'apps.v1.StatefulSetSpec.updateStrategy',
  'apps.v1.DaemonSetSpec.template',
  'apps.v1.DaemonSetSpec.updateStrategy',
  'batch.v1.JobSpec.template',
  'batch.v1.CronJobSpec.jobTemplate',
  'batch.v1.JobTemplateSpec.metadata',
  'batch.v1.JobTemplateSpec.spec',
  'core.v1.ServiceStatus.loadBalancer',
  'networking.v1.IngressStatus.loadBalancer',
  'core.v1.NodeStatus.daemonEndpoints',
  'core.v1.NodeStatus.nodeInfo',
  'core.v1.NodeDaemonEndpoints.kubeletEndpoint',
])
