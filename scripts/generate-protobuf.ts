// Writes src/objects/protobuf.generated.json: the protobuf field numbers of Kubernetes' API types. They stand in every Go
// program that links those types, as compressed descriptors. Run with a recent one: node scripts/generate-protobuf.ts $(which kubectl)
import { readFileSync, writeFileSync } from 'node:fs'
import { constants, inflateRawSync } from 'node:zlib'
import { type Shape, structType } from '../src/objects/index.ts'
import { byHand, type Field } from './protobuf-by-hand.ts'

const target = new URL('../src/objects/protobuf.generated.json', import.meta.url)

const messages = new Map<string, readonly Field[]>()
const mapEntries = new Map<string, string>()

/** Calls `field` for each field of an encoded message: a number for varints, bytes for the rest. */
function scan(bytes: Buffer, field: (number: number, value: number | Buffer) => void): void {
  let at = 0
  const varint = (): number => {
    for (let value = 0, scale = 1; ; scale *= 128) {
      const byte = bytes[at++]
      if (byte === undefined) throw new Error('the descriptor ends early')
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  while (at < bytes.length) {
    const tag = varint()
    if ((tag & 7) === 0) field(tag >>> 3, varint())
    else if ((tag & 7) === 2) {
      const length = varint()
      field(tag >>> 3, bytes.subarray(at, at + length))
      at += length
    } else throw new Error(`wire type ${tag & 7} in a descriptor`)
  }
}

/** The values of one field of an encoded message. */
function all(bytes: Buffer, wanted: number): (number | Buffer)[] {
  const found: (number | Buffer)[] = []
  scan(bytes, (number, value) => {
    if (number === wanted) found.push(value)
  })
  return found
}

const textOf = (bytes: Buffer, number: number): string => String(all(bytes, number)[0] ?? '')

/** `core.v1.Pod` for `.k8s.io.api.core.v1.Pod`. */
function keyOf(name: string): string {
  const own = /^\.?k8s\.io\.(?:api|apimachinery\.pkg\.apis)\.(.*)$/.exec(name)?.[1]
  return own ?? name.replace(/^\.?k8s\.io\.apimachinery\.pkg\./, '')
}

/** Types with a form of their own in JSON; the decoder knows them by these names. */
const special: Readonly<Record<string, string>> = {
  'api.resource.Quantity': 'quantity',
  'util.intstr.IntOrString': 'int-or-string',
  'meta.v1.Time': 'time',
  'meta.v1.MicroTime': 'micro-time',
  'meta.v1.FieldsV1': 'fields',
  'runtime.RawExtension': 'raw',
  'authentication.v1.ExtraValue': 'strings',
  'authorization.v1.ExtraValue': 'strings',
  'certificates.v1.ExtraValue': 'strings',
  'meta.v1.Verbs': 'strings',
}

const scalars: Readonly<Record<number, string>> = {
  1: 'double',
  3: 'int64',
  5: 'int32',
  8: 'bool',
  9: 'string',
  12: 'bytes',
}

function typeOf(field: Buffer): string {
  const type = all(field, 5)[0] as number
  if (type !== 11) {
    const scalar = scalars[type]
    if (scalar === undefined) throw new Error(`${textOf(field, 1)}: descriptor type ${type}`)
    return scalar
  }
  const key = keyOf(textOf(field, 6))
  return special[key] ?? key
}

function readField(field: Buffer): Field {
  const type = typeOf(field)
  const entry = mapEntries.get(type)
  const repeated = all(field, 4)[0] === 3
  const options = all(field, 8)[0] as Buffer | undefined
  return {
    number: all(field, 3)[0] as number,
    name: textOf(field, 1),
    type: entry !== undefined ? `{}${entry}` : repeated ? `[]${type}` : type,
    // gogoproto.nullable (65001)
    pointer: options === undefined || all(options, 65001)[0] !== 0,
  }
}

function readMessage(prefix: string, message: Buffer): void {
  const key = keyOf(`${prefix}.${textOf(message, 1)}`)
  for (const nested of all(message, 3) as Buffer[]) {
    const [keys, values] = all(nested, 2) as [Buffer, Buffer]
    if (typeOf(keys) !== 'string') throw new Error(`${key}: a map whose keys are not strings`)
    mapEntries.set(`${key}.${textOf(nested, 1)}`, typeOf(values))
  }
  messages.set(key, (all(message, 2) as Buffer[]).map(readField))
}

/** Every file descriptor in a Go program: a gzip member each (10 bytes of head, no name). */
function descriptors(program: Buffer): Buffer[] {
  const found: Buffer[] = []
  const magic = Buffer.from([0x1f, 0x8b, 0x08, 0x00])
  for (let at = program.indexOf(magic); at >= 0; at = program.indexOf(magic, at + 1)) {
    try {
      const bytes = inflateRawSync(program.subarray(at + 10, at + 1_000_000), { finishFlush: constants.Z_SYNC_FLUSH })
      if (/^\n.k8s\.io\/[a-z0-9/]*\/generated\.proto\x12/.test(bytes.toString('latin1', 0, 200))) found.push(bytes)
    } catch {
      // Other bytes that happen to look like the head of a gzip member.
    }
  }
  return found
}

const path = process.argv[2]
if (path === undefined) throw new Error('name a Go program that links k8s.io/api, e.g. kubectl')
for (const file of descriptors(readFileSync(path))) {
  const owner = textOf(file, 2)
  if (/^k8s\.io\.(api\.[a-z]+\.v\d+|apimachinery\.pkg\.apis\.meta\.v1)$/.test(owner))
    for (const message of all(file, 4) as Buffer[]) readMessage(owner, message)
}
if (!messages.has('core.v1.Pod')) throw new Error(`${path} holds no descriptor of core/v1`)

for (const [key, fields] of Object.entries(byHand)) {
  const known = messages.get(key) ?? []
  const numbers = new Set(known.map(({ number }) => number))
  messages.set(key, [...known, ...fields.filter(({ number }) => !numbers.has(number))])
}

/** The names that the OpenAPI description gives to a type's fields; undefined for types that it does not describe. */
function described(key: string): ReadonlyMap<string, { readonly shape: Shape }> | undefined {
  try {
    return structType(key).properties
  } catch {
    return undefined
  }
}

/** A field that Go embeds: the description has its fields in the place of it. */
function isInline(owner: string, { name, type }: Field): boolean {
  if (embedded.has(`${owner}.${name}`)) return true
  const names = described(owner)
  return names !== undefined && !names.has(name) && (messages.get(type) ?? []).some((field) => names.has(field.name))
}

/** Fields that JSON names otherwise than protobuf does. */
const jsonNames: Readonly<Record<string, string>> = {
  'admissionregistration.v1.MutatingWebhookConfiguration.Webhooks': 'webhooks',
  'admissionregistration.v1.ValidatingWebhookConfiguration.Webhooks': 'webhooks',
  'admissionregistration.v1.Validation.Expression': 'expression',
  'admissionregistration.v1.Variable.Name': 'name',
  'admissionregistration.v1.Variable.Expression': 'expression',
  'authentication.v1.BoundObjectReference.uID': 'uid',
  'networking.v1.IngressClassParametersReference.aPIGroup': 'apiGroup',
}

/** Embedded fields of types that the OpenAPI description at hand leaves out. */
const embedded = new Set([
  'admissionregistration.v1.NamedRuleWithOperations.ruleWithOperations',
  'admissionregistration.v1.RuleWithOperations.rule',
  'core.v1.PersistentVolumeSpec.persistentVolumeSource',
])

/** `[number, name, type]`, then `inline` or `pointer` where it matters: a list or a map is absent or not, pointer or no pointer. */
function rowOf({ number, name, type, pointer }: Field, inline: boolean): (string | number)[] {
  if (inline) return [number, name, type, 'inline']
  return pointer && !/^(\[\]|\{\})/.test(type) ? [number, name, type, 'pointer'] : [number, name, type]
}

const unnamed: string[] = []
const undescribed: string[] = []
const rows = [...messages].filter(([key]) => !(key in special)).sort(([a], [b]) => (a < b ? -1 : 1))
const lines = rows.map(([key, unsorted]) => {
  const fields = unsorted
    .map((field) => ({ ...field, name: jsonNames[`${key}.${field.name}`] ?? field.name }))
    .sort((a, b) => a.number - b.number)
  const inlined = new Set(fields.filter((field) => isInline(key, field)))
  const names = described(key)
  if (names !== undefined) {
    const flat = [...fields, ...[...inlined].flatMap((field) => messages.get(field.type) ?? [])].map(({ name }) => name)
    const extra = fields.filter((field) => !names.has(field.name) && !inlined.has(field))
    undescribed.push(...extra.map(({ name }) => `${key}.${name}`))
    const missing = [...names.keys()].filter((name) => !flat.includes(name) && name !== 'apiVersion' && name !== 'kind')
    unnamed.push(...missing.map((name) => `${key}.${name}`))
  }
  return `${JSON.stringify(key)}:${JSON.stringify(fields.map((field) => rowOf(field, inlined.has(field))))}`
})
writeFileSync(target, `{\n${lines.join(',\n')}\n}\n`)
process.stderr.write(
  `${lines.length} messages\ndescribed, but without a number here: ${unnamed.join(' ')}\nnumbered, but not described: ${undescribed.join(' ')}\n`,
)
