import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PersistentVolume, PersistentVolumeClaim, Pod, StatefulSet } from '../objects/index.ts'
import { claimsFor, withClaims } from './statefulset-claims.ts'
import { findVolume, volumeFor } from './volume-match.ts'

const volume = (name: string, spec: PersistentVolume['spec'], labels?: Record<string, string>): PersistentVolume => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name, ...(labels && { labels }) },
  spec: { accessModes: ['ReadWriteOnce'], volumeMode: 'Filesystem', capacity: { storage: '5Gi' }, ...spec },
})
const claim = (spec: PersistentVolumeClaim['spec'] = {}): PersistentVolumeClaim => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'c', namespace: 'n', uid: 'u' },
  spec: {
    accessModes: ['ReadWriteOnce'],
    volumeMode: 'Filesystem',
    resources: { requests: { storage: '1Gi' } },
    ...spec,
  },
})

const volumes = [
  volume('large', { capacity: { storage: '10Gi' } }),
  volume('fitting', { capacity: { storage: '2Gi' } }),
  volume('small', { capacity: { storage: '500Mi' } }),
  volume('taken', { capacity: { storage: '1Gi' }, claimRef: { namespace: 'n', name: 'other', uid: 'o' } }),
  volume('fast', { storageClassName: 'fast' }),
  volume('shared', { accessModes: ['ReadWriteMany'], storageClassName: 'shared' }, { disk: 'ssd' }),
]

const cases: readonly [string, PersistentVolumeClaim['spec'], string | undefined][] = [
  ['the smallest that is free and large enough', {}, 'fitting'],
  ['of its class alone', { storageClassName: 'fast' }, 'fast'],
  ['with its access mode', { storageClassName: 'fast', accessModes: ['ReadWriteMany'] }, undefined],
  ['by labels', { storageClassName: 'shared', accessModes: [], selector: { matchLabels: { disk: 'ssd' } } }, 'shared'],
  [
    'by other labels',
    { storageClassName: 'shared', accessModes: [], selector: { matchLabels: { disk: 'hdd' } } },
    undefined,
  ],
  ['too large for all', { resources: { requests: { storage: '1Ti' } } }, undefined],
]
for (const [name, spec, expected] of cases) {
  test(`a claim gets the volume: ${name}`, () => {
    assert.equal(findVolume(claim(spec), volumes)?.metadata.name, expected)
  })
}

test('a volume that was kept for a claim by name, or made for it, is its own', () => {
  const kept = volume('kept', { capacity: { storage: '1Ti' }, claimRef: { namespace: 'n', name: 'c' } })
  assert.equal(findVolume(claim(), [...volumes, kept])?.metadata.name, 'kept')
  assert.equal(findVolume(claim(), [...volumes, volumeFor(claim())])?.metadata.name, 'pvc-u')
  assert.equal(
    findVolume({ ...claim(), metadata: { name: 'c', namespace: 'n', uid: 'v' } }, [volumeFor(claim())]),
    undefined,
  )
})

test('claims of a StatefulSet are named after template, set and ordinal, and are volumes of the pod', () => {
  const set = {
    metadata: { name: 'db', namespace: 'n', uid: 's' },
    spec: {
      selector: { matchLabels: { app: 'db' } },
      volumeClaimTemplates: [{ ...claim(), metadata: { name: 'data' } }],
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete' },
    },
  } as unknown as StatefulSet
  const claims = claimsFor(set, 2)
  assert.deepEqual(
    claims.map(({ metadata }) => [metadata.name, metadata.labels, metadata.ownerReferences?.[0]?.name]),
    [['data-db-2', { app: 'db' }, 'db']],
  )
  const pod = {
    spec: {
      containers: [],
      volumes: [
        { name: 'data', emptyDir: {} },
        { name: 'tmp', emptyDir: {} },
      ],
    },
  }
  const { spec } = withClaims(pod as unknown as Pod, set, claims)
  assert.deepEqual((spec as { volumes?: unknown }).volumes, [
    { name: 'data', persistentVolumeClaim: { claimName: 'data-db-2' } },
    { name: 'tmp', emptyDir: {} },
  ])
})
