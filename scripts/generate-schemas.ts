// Writes src/objects/schemas.generated.json from the models of @kubernetes/client-node, which are generated from
// Kubernetes' own OpenAPI description. Run after that package changes: node scripts/generate-schemas.ts
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { kinds } from '../src/objects/index.ts'

const root = new URL('..', import.meta.url)
const models = new URL('node_modules/@kubernetes/client-node/dist/gen/models/', root)
const target = new URL('src/objects/schemas.generated.json', root)

interface Attribute {
  readonly name: string
  readonly baseName: string
  readonly type: string
  readonly format: string
}

/** `[type, required, description]`, the type as in the notation of src/objects/schema.ts. */
type Row = [string, 0 | 1, string]

/** Quantities are plain strings in the models. A trailing `{}` marks a map of them. */
const quantities = new Set([
  'V1ContainerStatus.allocatedResources{}',
  'V1EmptyDirVolumeSource.sizeLimit',
  ...['default', 'defaultRequest', 'max', 'maxLimitRequestRatio', 'min'].map((name) => `V1LimitRangeItem.${name}{}`),
  'V1NodeStatus.allocatable{}',
  'V1NodeStatus.capacity{}',
  'V1PersistentVolumeClaimStatus.allocatedResources{}',
  'V1PersistentVolumeClaimStatus.capacity{}',
  'V1PersistentVolumeSpec.capacity{}',
  'V1PodSpec.overhead{}',
  'V1PodStatus.allocatedResources{}',
  'V1ResourceFieldSelector.divisor',
  'V1ResourceQuotaSpec.hard{}',
  'V1ResourceQuotaStatus.hard{}',
  'V1ResourceQuotaStatus.used{}',
  ...['V1ResourceRequirements', 'V1VolumeResourceRequirements'].flatMap((type) => [
    `${type}.limits{}`,
    `${type}.requests{}`,
  ]),
  'V2MetricTarget.averageValue',
  'V2MetricTarget.value',
  'V2MetricValueStatus.averageValue',
  'V2MetricValueStatus.value',
  'V2HPAScalingRules.tolerance',
])

const packages: Readonly<Record<string, string>> = {
  '': 'core',
  'rbac.authorization.k8s.io': 'rbac',
}

/** Types that are reached through many groups and belong to apimachinery. */
const meta =
  /^V1(ObjectMeta|OwnerReference|ManagedFieldsEntry|LabelSelector|LabelSelectorRequirement|Condition|ListMeta|ShardInfo|DeleteOptions|Preconditions|FieldSelectorRequirement)$/

const keyOf = new Map<string, string>()
const types: Record<string, { description: string; properties: Record<string, Row> }> = {}

function read(model: string, suffix: string): string {
  return readFileSync(new URL(`${model}${suffix}`, models), 'utf8')
}

function unquote(text: string): string {
  return text.replace(/\\(['"`\\])/g, '$1').trim()
}

function assign(model: string, owner: string): string {
  const known = keyOf.get(model)
  if (known !== undefined) return known
  const bare = model.replace(/^.*?(V\d+(?:(?:alpha|beta)\d+)?)(?=[A-Z])/, '')
  const key = `${meta.test(model) ? 'meta.v1' : owner}.${bare}`
  keyOf.set(model, key)
  types[key] = { description: '', properties: {} }
  Object.assign(types[key], describe(model, owner))
  return key
}

function describe(model: string, owner: string) {
  const declaration = read(model, '.d.ts')
  const table = /attributeTypeMap = (\[[\s\S]*?\n\]);/.exec(read(model, '.js'))?.[1]
  if (table === undefined) throw new Error(`${model} has no attributeTypeMap: the generator's input has changed`)
  const about = /\/\*\*\n\* ([^\n]*)\n\*\/\nexport declare class/.exec(declaration)?.[1] ?? ''
  const properties: Record<string, Row> = {}
  for (const attribute of JSON.parse(table) as Attribute[]) {
    const member = new RegExp(`(?:/\\*\\*\\n\\s*\\* ([^\\n]*)\\n\\s*\\*/\\n)?\\s*'${attribute.name}'(\\??):`).exec(
      declaration,
    )
    if (member === null) throw new Error(`${model}.d.ts does not declare ${attribute.name}`)
    const quantity = quantities.delete(`${model}.${attribute.baseName}`)
      ? 'quantity'
      : quantities.delete(`${model}.${attribute.baseName}{}`)
        ? '{}quantity'
        : undefined
    const type = quantity ?? render(attribute.type, attribute.format, owner)
    properties[attribute.baseName] = [type, member[2] === '' ? 1 : 0, unquote(member[1] ?? '')]
  }
  return { description: unquote(about), properties }
}

function render(type: string, format: string, owner: string): string {
  const list = /^Array<(.*)>$/.exec(type)?.[1]
  if (list !== undefined) return `[]${render(list, format, owner)}`
  const values = /^\{ \[key: string\]: (.*); \}$/.exec(type)?.[1]
  if (values !== undefined) return `{}${render(values, format, owner)}`
  switch (type) {
    case 'string':
      return format === 'byte' ? 'byte' : 'string'
    case 'boolean':
    case 'any':
      return type
    case 'number':
      return format === '' ? 'double' : format
    case 'Date':
      return 'date-time'
    case 'V1MicroTime':
      return 'date-time-micro'
    case 'IntOrString':
      return 'int-or-string'
    default:
      return assign(type, owner)
  }
}

const version = /OpenAPI spec version: (\S+)/.exec(read('V1Pod', '.d.ts'))?.[1]
// The core group first: other groups embed its types.
assign('V1ListMeta', 'meta.v1')
for (const kind of ['V1PodTemplate', 'V1Binding']) assign(kind, 'core.v1')
assign('V1Scale', 'autoscaling.v1')
assign('AuthenticationV1TokenRequest', 'authentication.v1')
for (const { group, version, kind } of kinds) {
  const owner = `${packages[group] ?? group.replace(/\..*/, '')}.${version}`
  const prefix = version[0]?.toUpperCase() + version.slice(1)
  const model = [`${prefix}${kind}`, `Core${prefix}${kind}`].find((name) => existsSync(new URL(`${name}.js`, models)))
  if (model === undefined) throw new Error(`@kubernetes/client-node has no model of ${kind}`)
  assign(model, owner)
}
assign('V1Eviction', 'policy.v1')
if (quantities.size > 0) throw new Error(`no such fields, so no quantities: ${[...quantities].join(', ')}`)

const header = {
  notice:
    'Derived from the OpenAPI description of Kubernetes. Copyright The Kubernetes Authors. Licensed under the Apache License, Version 2.0: http://www.apache.org/licenses/LICENSE-2.0',
  source: `Kubernetes ${version}, through the models of @kubernetes/client-node`,
}
const sorted = Object.fromEntries(Object.entries(types).sort(([a], [b]) => (a < b ? -1 : 1)))
// One type per line, so that a change reads as one in a diff.
const lines = Object.entries(sorted).map(([key, type]) => `${JSON.stringify(key)}:${JSON.stringify(type)}`)
writeFileSync(
  target,
  `{"notice":${JSON.stringify(header.notice)},\n"source":${JSON.stringify(header.source)},\n"types":{\n${lines.join(',\n')}\n}}\n`,
)
process.stderr.write(`${lines.length} types\n`)
