import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyStrategicMergePatch } from './strategic-merge.ts'

const pod = { kind: 'struct', type: 'core.v1.PodSpec' } as const
const service = { kind: 'struct', type: 'core.v1.ServiceSpec' } as const
const meta = { kind: 'struct', type: 'meta.v1.ObjectMeta' } as const
const deployment = { kind: 'struct', type: 'apps.v1.DeploymentSpec' } as const

const c = (name: string, image?: string) => ({ name, ...(image ? { image } : {}) })

test('strategic merge patches', () => {
  const rows: [string, Parameters<typeof applyStrategicMergePatch>[2], unknown, unknown, unknown][] = [
    ['fields', pod, { a: 1, b: 2 }, { b: null, c: 3 }, { a: 1, c: 3 }],
    [
      'merge by key',
      pod,
      { containers: [c('a', '1'), c('b', '1')] },
      { containers: [c('b', '2'), c('d', '1')] },
      { containers: [c('a', '1'), c('b', '2'), c('d', '1')] },
    ],
    [
      'delete by key',
      pod,
      { containers: [c('a'), c('b')] },
      { containers: [{ name: 'a', $patch: 'delete' }] },
      { containers: [c('b')] },
    ],
    [
      'replace a list',
      pod,
      { containers: [c('a'), c('b')] },
      { containers: [c('x'), { $patch: 'replace' }] },
      { containers: [c('x')] },
    ],
    [
      'replace a list by one with a key twice',
      pod,
      { containers: [c('a', '1'), c('b')] },
      { containers: [c('a', '2'), c('a', '3'), { $patch: 'replace' }] },
      { containers: [c('a', '2'), c('a', '3')] },
    ],
    [
      'replace an object',
      pod,
      { securityContext: { runAsUser: 1 } },
      { securityContext: { $patch: 'replace', runAsGroup: 2 } },
      { securityContext: { runAsGroup: 2 } },
    ],
    [
      'atomic list',
      pod,
      { tolerations: [{ key: 'a' }] },
      { tolerations: [{ key: 'b' }] },
      { tolerations: [{ key: 'b' }] },
    ],
    [
      'nested',
      pod,
      { containers: [{ name: 'a', env: [{ name: 'X', value: '1' }] }] },
      { containers: [{ name: 'a', env: [{ name: 'Y', value: '2' }] }] },
      {
        containers: [
          {
            name: 'a',
            env: [
              { name: 'X', value: '1' },
              { name: 'Y', value: '2' },
            ],
          },
        ],
      },
    ],
    [
      'service ports by port',
      service,
      { ports: [{ port: 80, name: 'a' }] },
      { ports: [{ port: 80, targetPort: 8080 }] },
      { ports: [{ port: 80, name: 'a', targetPort: 8080 }] },
    ],
    [
      'order',
      pod,
      { containers: [c('a'), c('b'), c('c')] },
      { '$setElementOrder/containers': [{ name: 'c' }, { name: 'b' }, { name: 'a' }] },
      { containers: [c('c'), c('b'), c('a')] },
    ],
    [
      'order keeps the server’s own',
      pod,
      { containers: [c('s1'), c('a'), c('s2'), c('b')] },
      { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }], containers: [c('a', '2')] },
      { containers: [c('s1'), c('s2'), c('b'), c('a', '2')] },
    ],
    ['primitive merge', meta, { finalizers: ['a', 'b'] }, { finalizers: ['b', 'c'] }, { finalizers: ['a', 'b', 'c'] }],
    [
      'primitive delete',
      meta,
      { finalizers: ['a', 'b'] },
      { '$deleteFromPrimitiveList/finalizers': ['a'] },
      { finalizers: ['b'] },
    ],
    [
      'retain keys',
      deployment,
      { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } },
      { strategy: { $retainKeys: ['type'], type: 'Recreate' } },
      { strategy: { type: 'Recreate' } },
    ],
    ['nulls in what is new', pod, {}, { securityContext: { a: null, b: 1 } }, { securityContext: { b: 1 } }],
    [
      'volumes retain keys',
      pod,
      { volumes: [{ name: 'v', emptyDir: {} }] },
      { volumes: [{ name: 'v', $retainKeys: ['name', 'hostPath'], hostPath: { path: '/' } }] },
      { volumes: [{ name: 'v', hostPath: { path: '/' } }] },
    ],
  ]
  for (const [name, shape, target, patch, expected] of rows) {
    assert.deepEqual(applyStrategicMergePatch(structuredClone(target), structuredClone(patch), shape), expected, name)
  }
})

test('directives that make no sense are refused', () => {
  const rows: [unknown, RegExp][] = [
    [{ $patch: 'explode' }, /unknown patch type found: explode/],
    [{ containers: [{ image: 'x' }] }, /does not contain declared merge key: name/],
    [{ containers: ['x'] }, /not an object/],
    [{ '$setElementOrder/containers': 'x', containers: [c('a')] }, /is not a list/],
    [{ $retainKeys: 1 }, /is not a list/],
    ['text', /not an object/],
  ]
  for (const [patch, message] of rows) assert.throws(() => applyStrategicMergePatch({}, patch, pod), message)
})
