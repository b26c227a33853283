import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KubeObject } from './types.ts'
import { deprecationOf, warningsOf } from './warnings.ts'

const warned = (group: string, kind: string, spec: object, metadata: object = {}) =>
  warningsOf({ group, kind }, { metadata: { name: 'web', ...metadata }, spec } as unknown as KubeObject)
const two = [
  { name: 'a', ports: [{ containerPort: 80, name: 'http' }] },
  { name: 'b', ports: [{ containerPort: 81, name: 'http' }], env: [{ name: 'A' }, { name: 'A', value: '1' }] },
]

test('ports of one name in two containers, and variables that hide others', () => {
  const complaints = (path: string) => [
    `${path}.containers[1].env[1]: hides previous definition of "A", which may be dropped when using apply`,
    `${path}.containers[1].ports[0]: duplicate port name "http" with ${path}.containers[0].ports[0], services and probes that select ports by name will use ${path}.containers[0].ports[0]`,
  ]
  assert.deepEqual(warned('', 'Pod', { containers: two }), complaints('spec'))
  const template = { spec: { containers: two } }
  assert.deepEqual(warned('apps', 'Deployment', { template }), complaints('spec.template.spec'))
  const appended = {
    name: 'a',
    env: [
      { name: 'A', value: '1' },
      { name: 'A', value: '$(A)2' },
    ],
  }
  assert.deepEqual(warned('', 'Pod', { containers: [appended] }), [])
})

test('a name that makes no host name', () => {
  assert.match(
    warned('', 'Pod', { containers: [] }, { name: 'a.b' })[0] ?? '',
    /^metadata\.name: this is used in the Pod's hostname/,
  )
})

const services: readonly [spec: object, warnings: string[]][] = [
  [{ clusterIP: '10.96.0.9', sessionAffinity: 'ClientIP' }, []],
  [{ clusterIP: 'None', sessionAffinity: 'ClientIP' }, ['spec.SessionAffinity is ignored for headless services']],
  [{ clusterIP: 'None', externalIPs: ['192.0.2.1'] }, ['spec.externalIPs is ignored for headless services']],
  [{ externalName: 'a.b' }, ['spec.externalName is ignored when spec.type is not "ExternalName"']],
  [
    { type: 'ExternalName', externalName: 'a.b', externalIPs: ['192.0.2.1'] },
    ['spec.externalIPs is ignored when spec.type is "ExternalName"'],
  ],
]
for (const [spec, expected] of services) {
  test(`a Service with ${JSON.stringify(spec)}`, () => assert.deepEqual(warned('', 'Service', spec), expected))
}

test('Endpoints are deprecated, whatever is asked of them', () => {
  assert.match(deprecationOf({ group: '', kind: 'Endpoints' }) ?? '', /^v1 Endpoints is deprecated in v1\.33\+/)
  assert.equal(deprecationOf({ group: '', kind: 'Service' }), undefined)
})
