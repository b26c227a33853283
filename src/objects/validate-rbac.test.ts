import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judge } from './judge.fixture.ts'

const apiVersion = 'rbac.authorization.k8s.io/v1'
const of = (kind: string, content: object) => ({ apiVersion, kind, metadata: { name: 'r' }, ...content })
const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' }

const cases: readonly [kind: string, name: string, content: object, complaints: string[]][] = [
  ['Role', 'sound', { rules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }] }, []],
  [
    'Role',
    'empty rule',
    { rules: [{}] },
    [
      'rules[0].verbs: Required value: verbs must contain at least one value',
      'rules[0].apiGroups: Required value: resource rules must supply at least one api group',
      'rules[0].resources: Required value: resource rules must supply at least one resource',
    ],
  ],
  [
    'Role',
    'URLs',
    { rules: [{ verbs: ['get'], nonResourceURLs: ['/x'] }] },
    ['rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs'],
  ],
  ['ClusterRole', 'URLs', { rules: [{ verbs: ['get'], nonResourceURLs: ['/x'] }] }, []],
  ['ClusterRoleBinding', 'sound', { roleRef, subjects: [{ kind: 'User', name: 'joe' }] }, []],
  ['RoleBinding', 'account of its namespace', { roleRef, subjects: [{ kind: 'ServiceAccount', name: 'a' }] }, []],
  [
    'ClusterRoleBinding',
    'account of no namespace',
    { roleRef, subjects: [{ kind: 'ServiceAccount', name: 'a' }, { kind: 'Robot', name: 'b' }, { kind: 'Group' }] },
    [
      'subjects[0].namespace: Required value',
      'subjects[1].kind: Unsupported value: "Robot": supported values: "Group", "ServiceAccount", "User"',
      'subjects[2].name: Required value',
    ],
  ],
  [
    'ClusterRoleBinding',
    'a Role',
    { roleRef: { ...roleRef, kind: 'Role' } },
    ['roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"'],
  ],
]
for (const [kind, name, content, expected] of cases) {
  test(`${kind}, ${name}`, () => assert.deepEqual(judge(kind, of(kind, content)), expected))
}
