import assert from 'node:assert/strict'
import { test } from 'node:test'
import { apiVersionOf, kinds, openapi, Services, schemaOf, structType } from './index.ts'

interface Document {
  paths: Record<string, { patch?: { parameters: { name: string }[]; 'x-kubernetes-group-version-kind': object } }>
  components: {
    schemas: Record<string, Record<string, unknown> & { properties?: Record<string, Record<string, unknown>> }>
  }
}

const groupVersions = [...new Set(kinds.map(apiVersionOf))]
const documentOf = (groupVersion: string) => openapi(groupVersion) as unknown as Document

for (const groupVersion of groupVersions)
  test(`every reference in ${groupVersion} leads somewhere`, () => {
    const { components, paths } = documentOf(groupVersion)
    const text = JSON.stringify({ components, paths })
    const targets = new Set(
      [...text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map((match) => match[1] as string),
    )
    assert.ok(targets.size > 0)
    for (const target of targets) assert.ok(target in components.schemas, target)
  })

test('kubectl finds the patch of every kind, and that it validates fields', () => {
  for (const kind of kinds) {
    const { paths } = documentOf(apiVersionOf(kind))
    const patches = Object.values(paths).flatMap((path) => (path.patch === undefined ? [] : [path.patch]))
    const own = patches.find(
      (patch) => (patch['x-kubernetes-group-version-kind'] as { kind: string }).kind === kind.kind,
    )
    const names = own?.parameters.map((parameter) => parameter.name) ?? []
    assert.ok(names.includes('fieldValidation') && names.includes('dryRun'), kind.kind)
  }
})

test('schemas say what they are, how they merge and what they mean', () => {
  const { schemas } = documentOf('v1').components
  assert.deepEqual(schemas['io.k8s.api.core.v1.Service']?.['x-kubernetes-group-version-kind'], [
    { group: '', kind: 'Service', version: 'v1' },
  ])
  const { description, ...ports } = schemas['io.k8s.api.core.v1.ServiceSpec']?.properties?.ports ?? {}
  assert.match(String(description), /^The list of ports that are exposed by this service/)
  assert.deepEqual(ports, {
    type: 'array',
    items: { allOf: [{ $ref: '#/components/schemas/io.k8s.api.core.v1.ServicePort' }], default: {} },
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['port', 'protocol'],
    'x-kubernetes-patch-merge-key': 'port',
    'x-kubernetes-patch-strategy': 'merge',
  })
})

const rules: readonly [
  type: string,
  field: string,
  strategy: string | undefined,
  key: string | undefined,
  listType: string | undefined,
][] = [
  ['meta.v1.ObjectMeta', 'finalizers', 'merge', undefined, 'set'],
  ['meta.v1.ObjectMeta', 'ownerReferences', 'merge', 'uid', 'map'],
  ['core.v1.PodSpec', 'containers', 'merge', 'name', 'map'],
  ['core.v1.PodSpec', 'volumes', 'merge,retainKeys', 'name', 'map'],
  ['core.v1.PodSpec', 'tolerations', undefined, undefined, undefined],
  ['core.v1.PodSpec', 'hostAliases', 'merge', 'ip', 'map'],
  ['core.v1.Container', 'ports', 'merge', 'containerPort', 'map'],
  ['core.v1.Container', 'volumeMounts', 'merge', 'mountPath', 'map'],
  ['apps.v1.DeploymentSpec', 'strategy', 'retainKeys', undefined, undefined],
  ['apps.v1.DeploymentStatus', 'conditions', 'merge', 'type', 'map'],
  ['discovery.v1.EndpointSlice', 'endpoints', undefined, undefined, undefined],
]

for (const [type, field, strategy, key, listType] of rules)
  test(`${type}.${field} merges by ${key ?? 'nothing'}`, () => {
    const property = structType(type).properties.get(field)
    assert.ok(property)
    assert.deepEqual(
      [property.patchStrategy?.join(','), property.patchMergeKey, property.listType],
      [strategy, key, listType],
    )
  })

test('every merge rule names fields that exist', () => {
  const seen = new Set<string>()
  const walk = (key: string) => {
    if (seen.has(key)) return
    seen.add(key)
    for (const [name, property] of structType(key).properties) {
      let shape = property.shape
      while (shape.kind === 'list' || shape.kind === 'map') shape = shape.kind === 'list' ? shape.items : shape.values
      if (shape.kind !== 'struct') continue
      walk(shape.type)
      const fields = structType(shape.type).properties
      for (const field of [...(property.listMapKeys ?? []), property.patchMergeKey ?? []].flat())
        assert.ok(fields.has(field), `${key}.${name} merges by ${field}`)
    }
  }
  for (const kind of kinds) walk(schemaOf(kind)?.key as string)
  assert.ok(seen.has('core.v1.Probe') && schemaOf(Services) !== undefined)
})
