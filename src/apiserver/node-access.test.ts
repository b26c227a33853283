import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startTestServer, type TestServer } from './server.fixture.ts'

let context: TestServer
const core = '/api/v1/namespaces/default'
const patch = { 'content-type': 'application/strategic-merge-patch+json' }

before(async () => {
  context = await startTestServer()
  for (const name of ['n1', 'n2']) await make('/api/v1/nodes', { metadata: { name } })
  await make(`${core}/serviceaccounts`, { metadata: { name: 'default' } })
  for (const name of ['used', 'other']) {
    await make(`${core}/secrets`, { metadata: { name } })
    await make(`${core}/configmaps`, { metadata: { name } })
  }
  await make(`${core}/pods`, pod('mine', 'n1', 'used'))
  await make(`${core}/pods`, pod('theirs', 'n2', 'other'))
})
after(() => context[Symbol.asyncDispose]())

function pod(name: string, nodeName: string, uses: string) {
  const env = [{ name: 'A', valueFrom: { secretKeyRef: { name: uses, key: 'a' } } }]
  const volumes = [{ name: 'v', projected: { sources: [{ configMap: { name: uses } }] } }]
  return { metadata: { name }, spec: { nodeName, containers: [{ name: 'c', image: 'i', env }], volumes } }
}

async function make(path: string, body: object) {
  const answer = await context.client.call('POST', path, body)
  assert.equal(answer.code, 201, answer.text)
  return answer.body
}

/** The request as the kubelet of n1. */
function asNode(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const who = { 'impersonate-user': 'system:node:n1', 'impersonate-group': 'system:nodes' }
  return context.client.call(method, path, body, { ...who, ...headers })
}

async function refused(method: string, path: string, body: unknown, because: string, headers = {}) {
  const { code, body: status } = await asNode(method, path, body, headers)
  assert.equal(code, 403, status.message)
  assert.ok(status.message.endsWith(`: ${because}`), status.message)
  return status.message as string
}

const noRelation = "no relationship found between node 'n1' and this object"

test('a kubelet reads its own Node, its pods and what they refer to', async () => {
  for (const path of [
    '/api/v1/nodes/n1',
    '/api/v1/nodes?fieldSelector=metadata.name%3Dn1',
    '/api/v1/pods?fieldSelector=spec.nodeName%3Dn1',
    `${core}/pods/mine`,
    `${core}/secrets/used`,
    `${core}/configmaps?fieldSelector=metadata.name%3Dused`,
    '/api/v1/services',
  ])
    assert.equal((await asNode('GET', path)).code, 200, path)
})

test('a kubelet reads nothing of other nodes, and is told why', async () => {
  await refused('GET', '/api/v1/nodes', undefined, "node 'n1' cannot read all nodes, only its own Node object")
  await refused('GET', '/api/v1/nodes/n2', undefined, "node 'n1' cannot read 'n2', only its own Node object")
  const selector = 'can only list/watch pods with spec.nodeName field selector'
  await refused('GET', '/api/v1/pods', undefined, selector)
  await refused('GET', '/api/v1/pods?fieldSelector=spec.nodeName%3Dn2', undefined, selector)
  await refused('GET', '/api/v1/pods?fieldSelector=spec.nodeName!%3Dn1', undefined, selector)
  await refused('GET', `${core}/pods/theirs`, undefined, noRelation)
  const message = await refused('GET', `${core}/secrets/other`, undefined, noRelation)
  const start = 'secrets "other" is forbidden: User "system:node:n1" cannot get resource "secrets" in API group ""'
  assert.equal(message, `${start} in the namespace "default": ${noRelation}`)
  await refused('GET', `${core}/secrets`, undefined, 'No Object name found')
  await refused('PUT', `${core}/configmaps/used`, {}, 'can only read resources of this type')
  const leases = '/apis/coordination.k8s.io/v1/namespaces'
  await refused(
    'GET',
    `${leases}/default/leases/n1`,
    undefined,
    'can only access leases in the "kube-node-lease" system namespace',
  )
  assert.equal((await asNode('GET', '/apis/apps/v1/deployments')).code, 403)
})

test('what a kubelet may read follows its pods', async () => {
  await refused('GET', `${core}/secrets/late`, undefined, noRelation)
  await make(`${core}/secrets`, { metadata: { name: 'late' } })
  await make(`${core}/pods`, pod('late', 'n1', 'late'))
  assert.equal((await asNode('GET', `${core}/secrets/late`)).code, 200)
  await context.client.call('DELETE', `${core}/pods/late?gracePeriodSeconds=0`)
  await refused('GET', `${core}/secrets/late`, undefined, noRelation)
})

test('a kubelet writes its own Node without taints and foreign labels', async () => {
  const label = (key: string) => ({ metadata: { labels: { [key]: 'x' } } })
  assert.equal((await asNode('PATCH', '/api/v1/nodes/n1', label('example.com/a'), patch)).code, 200)
  assert.equal((await asNode('PATCH', '/api/v1/nodes/n1', label('kubernetes.io/hostname'), patch)).code, 200)
  const status = { status: { conditions: [{ type: 'Ready', status: 'True' }] } }
  assert.equal((await asNode('PATCH', '/api/v1/nodes/n1/status', status, patch)).code, 200)
  const own = 'node "n1" is not allowed to modify node "n2"'
  await refused('PATCH', '/api/v1/nodes/n2', label('example.com/a'), own, patch)
  await refused('PATCH', '/api/v1/nodes/n2/status', status, own, patch)
  const restricted = 'is not allowed to modify labels: node-restriction.kubernetes.io/a'
  await refused('PATCH', '/api/v1/nodes/n1', label('node-restriction.kubernetes.io/a'), restricted, patch)
  const role = 'is not allowed to modify labels: node-role.kubernetes.io/master'
  await refused('PATCH', '/api/v1/nodes/n1', label('node-role.kubernetes.io/master'), role, patch)
  const tainted = { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } }
  await refused('PATCH', '/api/v1/nodes/n1', tainted, 'node "n1" is not allowed to modify taints', patch)
  await refused('POST', '/api/v1/nodes', { metadata: { name: 'n3' } }, 'node "n1" is not allowed to modify node "n3"')
})

test('a kubelet writes the status of its own pods, deletes them, and makes mirror pods alone', async () => {
  const status = { status: { phase: 'Running' } }
  assert.equal((await asNode('PATCH', `${core}/pods/mine/status`, status, patch)).code, 200)
  const only = 'node "n1" can only update pod status for pods with spec.nodeName set to itself'
  await refused('PATCH', `${core}/pods/theirs/status`, status, only, patch)
  const labels = { metadata: { labels: { a: 'b' } }, ...status }
  await refused('PATCH', `${core}/pods/mine/status`, labels, 'node "n1" cannot update labels through pod status', patch)
  const deletion = 'node "n1" can only delete pods with spec.nodeName set to itself'
  await refused('DELETE', `${core}/pods/theirs`, undefined, deletion)
  const plain = { metadata: { name: 'new' }, spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'i' }] } }
  const mirror = 'pod does not have "kubernetes.io/config.mirror" annotation, node "n1" can only create mirror pods'
  await refused('POST', `${core}/pods`, plain, mirror)
  const annotations = { 'kubernetes.io/config.mirror': 'x' }
  const made = await asNode('POST', `${core}/pods`, { ...plain, metadata: { name: 'new', annotations } })
  assert.equal(made.code, 201, made.text)
  const eviction = { metadata: { name: 'theirs' } }
  const evicted = 'node n1 can only evict pods with spec.nodeName set to itself'
  await refused('POST', `${core}/pods/theirs/eviction`, eviction, evicted)
})

test('a kubelet gets tokens that are bound to its own pods', async () => {
  const path = `${core}/serviceaccounts/default/token`
  const bound = async (name: string) => {
    const { metadata } = (await context.client.call('GET', `${core}/pods/${name}`)).body
    return { spec: { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid: metadata.uid } } }
  }
  assert.equal((await asNode('POST', path, await bound('mine'))).code, 201)
  await refused('POST', path, { spec: {} }, 'node requested token not bound to a pod')
  const elsewhere = 'node requested token bound to a pod scheduled on a different node'
  await refused('POST', path, await bound('theirs'), elsewhere)
})

test('access reviews tell the same', async () => {
  const review = async (name: string) => {
    const spec = {
      user: 'system:node:n1',
      groups: ['system:nodes'],
      resourceAttributes: { verb: 'get', resource: 'secrets', namespace: 'default', name },
    }
    return (await context.client.call('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', { spec })).body
      .status
  }
  assert.deepEqual(await review('used'), { allowed: true })
  assert.deepEqual(await review('other'), { allowed: false, reason: noRelation })
})
