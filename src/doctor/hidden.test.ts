import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KubeObject, NetworkPolicy, Pod, Service } from '../objects/index.ts'
import { collected, plain as shape } from './cluster.fixture.ts'
import { diagnose } from './diagnose.ts'
import type { Outcome } from './probe.ts'

const refused: Outcome = { kind: 'refused', by: 'icmp', says: 'port unreachable' }

const isWeb = ({ kind, metadata }: KubeObject): boolean => kind === 'Pod' && metadata.name.startsWith('web')

/** No pod is ready, so no slice lists any. */
function unready(objects: KubeObject[]): KubeObject[] {
  return objects
    .filter(({ kind }) => kind !== 'EndpointSlice')
    .map((one) => {
      if (!isWeb(one)) return one
      const { status } = one as Pod
      return { ...one, status: { ...status, conditions: [{ type: 'Ready', status: 'False' }] } } as KubeObject
    })
}

const local = (objects: KubeObject[]): KubeObject[] =>
  objects.map((one) =>
    one.kind === 'Service'
      ? ({ ...one, spec: { ...(one as Service).spec, externalTrafficPolicy: 'Local' } } as KubeObject)
      : one,
  )

const denyAll: NetworkPolicy = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'deny', namespace: 'ns' },
  spec: { podSelector: {}, policyTypes: ['Ingress'] },
}

const named = (change: (objects: KubeObject[]) => KubeObject[]) =>
  diagnose(collected(shape, () => refused, change)).causes.map(({ object, confidence }) => `${confidence} ${object}`)

test('what pods that are not ready hide is told as possible, after them, and nothing where nothing is hidden', () => {
  const alone = named(unready)
  assert.match(alone[0] ?? '', /^certain pod\/ns\/web-/)
  assert.deepEqual(
    alone.filter((one) => /service|policy/.test(one)),
    [],
  )
  assert.deepEqual(named((all) => local(unready(all))).slice(1), ['possible service/ns/web'])
  assert.deepEqual(named((all) => [...unready(all), denyAll]).slice(1), ['possible networkpolicy/ns/deny'])
})

test('what a selector hides is told with its patch applied', () => {
  const elsewhere = (all: KubeObject[]): KubeObject[] =>
    all
      .filter(({ kind }) => kind !== 'EndpointSlice')
      .map((one) =>
        one.kind === 'Service'
          ? ({ ...one, spec: { ...(one as Service).spec, selector: { app: 'wbe' } } } as KubeObject)
          : one,
      )
  assert.deepEqual(named(elsewhere), ['certain service/ns/web'])
  assert.deepEqual(
    named((all) => [...elsewhere(all), denyAll]),
    ['certain service/ns/web', 'possible networkpolicy/ns/deny'],
  )
})
