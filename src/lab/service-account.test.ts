import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Client, connect } from '../client/index.ts'
import { type KubeObject, RoleBindings } from '../objects/index.ts'
import { execIn } from './exec-in.ts'
import { down } from './lab.ts'
import type { LabSummary } from './summary.ts'
import { up } from './up.ts'

const name = 'accounts'
// The object comes before its definition: one run must sort them.
const manifests = `
apiVersion: stable.example.com/v1
kind: CronTab
metadata: { name: one }
spec: { size: 3 }
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: crontabs.stable.example.com }
spec:
  group: stable.example.com
  scope: Namespaced
  names: { plural: crontabs, kind: CronTab }
  versions:
    - name: v1
      served: true
      storage: true
      schema: { openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true } }
---
apiVersion: v1
kind: Pod
metadata: { name: caller }
spec: { containers: [{ name: c, image: x, command: [sleep, '3600'] }] }
`
let root: string
let summary: LabSummary
let api: Client

before(async () => {
  root = mkdtempSync(join(tmpdir(), 'plumb-accounts-'))
  process.env.PLUMB_RUN = root
  writeFileSync(join(root, 'all.yaml'), manifests)
  summary = await up({ name, nodes: 1, files: [join(root, 'all.yaml')], timeoutMs: 30_000 })
  api = connect({ kubeconfig: summary.kubeconfig, userAgent: 'plumb-test' })
})

after(async () => {
  api?.close()
  await down(name)
  rmSync(root, { recursive: true, force: true })
})

test('a definition and its object are applied in one run', async () => {
  assert.deepEqual([summary.applied.created, summary.warnings], [3, []])
  const tab = await api.request<KubeObject & { spec: object }>(
    'GET',
    '/apis/stable.example.com/v1/namespaces/default/crontabs/one',
  )
  assert.deepEqual(tab.spec, { size: 3 })
})

test('a pod reaches the API by name with its own token, and may do what it was bound to', async (t) => {
  if (spawnSync('curl', ['--version']).status !== 0) return t.skip('curl is not on this machine')
  const folder = '/var/run/secrets/kubernetes.io/serviceaccount'
  const script = `curl -sS --cacert ${folder}/ca.crt -H "Authorization: Bearer $(cat ${folder}/token)" "https://kubernetes.default.svc/api/v1/namespaces/$(cat ${folder}/namespace)/pods"`
  const ask = async () => {
    const file = join(root, 'answer')
    const fd = openSync(file, 'w')
    const target = { kind: 'pod', namespace: 'default', pod: 'caller' } as const
    assert.equal(await execIn(name, target, ['sh', '-c', script], ['ignore', fd, fd]), 0)
    return JSON.parse(readFileSync(file, 'utf8'))
  }
  const refused = await ask()
  const user = 'system:serviceaccount:default:default'
  const what = 'cannot list resource "pods" in API group "" in the namespace "default"'
  assert.equal(refused.message, `pods is forbidden: User "${user}" ${what}`)
  await api.create(RoleBindings, {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: 'view', namespace: 'default' },
    roleRef: { kind: 'ClusterRole', name: 'view' },
    subjects: [{ kind: 'ServiceAccount', name: 'default', namespace: 'default' }],
  } as KubeObject)
  const allowed = await ask()
  assert.deepEqual(
    allowed.items.map((item: KubeObject) => item.metadata.name),
    ['caller'],
  )
})
