import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Pods } from './index.ts'
import type { KubeObject, Pod } from './types.ts'

const debug = (more: object = {}) => ({ name: 'debug', image: 'busybox', ...more })

function pod(...ephemeralContainers: object[]): Pod {
  const spec = {
    containers: [{ name: 'main', image: 'nginx' }],
    ...(ephemeralContainers[0] && { ephemeralContainers }),
  }
  const object = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'default' }, spec }
  Pods.applyDefaults(object as unknown as KubeObject)
  return object as unknown as Pod
}

const complaints = (now: Pod, old: Pod | undefined, subresource: string | undefined) =>
  Pods.validate(now, old, subresource).map(({ field, message }) => `${field}: ${message}`)

test('ephemeral containers come by their own door, have names of their own and no ports, and stay as they are', () => {
  const cases: [name: string, old: Pod | undefined, now: Pod, expected: RegExp[]][] = [
    ['added', pod(), pod(debug({ targetContainerName: 'main' })), []],
    ['one more', pod(debug()), pod(debug(), debug({ name: 'second' })), []],
    ['in a new pod', undefined, pod(debug()), [/cannot be set on create/]],
    ['taken name', pod(), pod(debug({ name: 'main' })), [/Duplicate value: "main"/]],
    ['twice', pod(), pod(debug(), debug()), [/Duplicate value: "debug"/]],
    ['no target', pod(), pod(debug({ targetContainerName: 'x' })), [/targetContainerName: Not found: "x"/]],
    ['ports', pod(), pod(debug({ ports: [{ containerPort: 80 }] })), [/ports: Forbidden: cannot be set/]],
    ['removed', pod(debug()), pod(), [/existing ephemeral containers "debug" may not be removed/]],
    ['changed', pod(debug()), pod(debug({ image: 'alpine' })), [/"debug" may not be changed/]],
  ]
  for (const [name, old, now, expected] of cases) {
    const found = complaints(now, old, old && 'ephemeralcontainers')
    assert.equal(found.length, expected.length, `${name}: ${found.join('; ')}`)
    for (const [index, pattern] of expected.entries()) assert.match(found[index]!, pattern, name)
  }
  assert.ok(complaints(pod(debug()), pod(), undefined).length > 0, 'an update of the pod itself adds none')
})

test('a write to the subresource takes nothing but the list', () => {
  const old = { ...pod(), metadata: { name: 'web', namespace: 'default', labels: { a: 'b' } } } as Pod
  const now = pod(debug())
  now.metadata.labels = { a: 'c' }
  now.spec.containers[0]!.image = 'other'
  Pods.prepare(now, old, 'ephemeralcontainers')
  assert.equal(now.spec.containers[0]!.image, 'nginx')
  assert.deepEqual(now.metadata.labels, { a: 'b' })
  assert.equal(now.spec.ephemeralContainers?.[0]?.name, 'debug')
})
