import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, mock, test } from 'node:test'
import { openClient, startTestServer, type TestClient, type TestServer } from './server.fixture.ts'
import { readTokenKey } from './token-key.ts'

let context: TestServer
let guest: TestClient
before(async () => {
  context = await startTestServer()
  guest = openClient(context.client.port, context.certificates, true)
})
after(async () => {
  guest.close()
  await context[Symbol.asyncDispose]()
})

const accounts = '/api/v1/namespaces/default/serviceaccounts'
const rbac = '/apis/rbac.authorization.k8s.io/v1'
const reviews = '/apis/authorization.k8s.io/v1'

async function makeAccount(name: string): Promise<string> {
  const made = await context.client.call('POST', accounts, { metadata: { name } })
  assert.equal(made.code, 201, made.text)
  return tokenOf(name)
}

async function tokenOf(name: string, spec: object = {}): Promise<string> {
  const answer = await context.client.call('POST', `${accounts}/${name}/token`, { spec })
  assert.equal(answer.code, 201, answer.text)
  return answer.body.status.token
}

function as(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` }
}

function claimsOf(token: string) {
  return JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())
}

test('a token says who bears it, for whom and until when', async () => {
  const token = await makeAccount('teller')
  const claims = claimsOf(token)
  const { uid } = (await context.client.call('GET', `${accounts}/teller`)).body.metadata
  assert.equal(claims.sub, 'system:serviceaccount:default:teller')
  assert.deepEqual(claims['kubernetes.io'], { namespace: 'default', serviceaccount: { name: 'teller', uid } })
  assert.equal(claims.exp - claims.iat, 3600)
  const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
  const { body } = await guest.call('POST', path, {}, as(token))
  assert.equal(body.status.userInfo.username, 'system:serviceaccount:default:teller')
  assert.deepEqual(body.status.userInfo.groups, [
    'system:serviceaccounts',
    'system:serviceaccounts:default',
    'system:authenticated',
  ])
})

test('tokens that are not believed answer 401', async () => {
  const token = await makeAccount('doubted')
  const elsewhere = await tokenOf('doubted', { audiences: ['vault'] })
  const [head = '', payload = '', signature = ''] = token.split('.')
  const forged = Buffer.from(JSON.stringify({ ...claimsOf(token), sub: 'x', exp: 9e9 })).toString('base64url')
  const unsigned = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url')
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const foreign = readTokenKey(privateKey.export({ type: 'pkcs8', format: 'pem' }) as string)
  const cases = {
    'another audience': elsewhere,
    'changed claims': `${head}.${forged}.${signature}`,
    'no algorithm': `${unsigned}.${payload}.`,
    'another key': foreign.sign(claimsOf(token)),
    nonsense: 'a.b.c',
  }
  for (const [what, bad] of Object.entries(cases))
    assert.equal((await guest.call('GET', '/api/v1/pods', undefined, as(bad))).code, 401, what)
  assert.equal((await guest.call('GET', '/api/v1/pods')).code, 401)
})

test('a token ends with its time, its account and its pod', async () => {
  const token = await makeAccount('mortal')
  const whoami = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
  const code = async (bearer: string) => (await guest.call('POST', whoami, {}, as(bearer))).code
  assert.equal(await code(token), 201)
  mock.timers.enable({ apis: ['Date'], now: Date.now() + 3601_000 })
  const late = await code(token)
  mock.timers.reset()
  assert.equal(late, 401)
  const pods = '/api/v1/namespaces/default/pods'
  const spec = { serviceAccountName: 'mortal', containers: [{ name: 'c', image: 'i' }] }
  const pod = await context.client.call('POST', pods, { metadata: { name: 'p' }, spec })
  const reference = { kind: 'Pod', apiVersion: 'v1', name: 'p', uid: pod.body.metadata.uid }
  const bound = await tokenOf('mortal', { boundObjectRef: reference })
  assert.deepEqual(claimsOf(bound)['kubernetes.io'].pod, { name: 'p', uid: pod.body.metadata.uid })
  assert.equal(await code(bound), 201)
  await context.client.call('DELETE', `${pods}/p`)
  assert.equal(await code(bound), 401)
  await context.client.call('DELETE', `${accounts}/mortal`)
  assert.equal(await code(token), 401)
})

test('token requests that make no sense are refused', async () => {
  await makeAccount('asker')
  const ask = (spec: object) => context.client.call('POST', `${accounts}/asker/token`, { spec })
  const short = await ask({ expirationSeconds: 10 })
  assert.equal(short.code, 422)
  assert.match(short.body.message, /may not specify a duration less than 10 minutes/)
  assert.equal((await ask({ boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'none' } })).code, 404)
  assert.equal((await context.client.call('POST', `${accounts}/nobody/token`, {})).code, 404)
})

test('TokenReview, for the server and for other audiences', async () => {
  const token = await makeAccount('reviewed')
  const review = (spec: object) => context.client.call('POST', '/apis/authentication.k8s.io/v1/tokenreviews', { spec })
  const own = await review({ token })
  assert.equal(own.body.status.authenticated, true)
  assert.equal(own.body.status.user.username, 'system:serviceaccount:default:reviewed')
  const other = await review({ token, audiences: ['vault'] })
  assert.equal(other.body.status.authenticated, undefined)
  assert.match(other.body.status.error, /is invalid for the target audiences/)
})

test('an account without bindings may look around, and nothing else', async () => {
  const token = await makeAccount('plain')
  const user = 'system:serviceaccount:default:plain'
  const refused = await guest.call('GET', '/api/v1/namespaces/default/pods', undefined, as(token))
  assert.equal(refused.code, 403)
  assert.equal(
    refused.body.message,
    `pods is forbidden: User "${user}" cannot list resource "pods" in API group "" in the namespace "default"`,
  )
  const cases: [string, string, number, RegExp?][] = [
    ['GET', '/api', 200],
    ['GET', '/apis/apps/v1', 200],
    ['GET', '/openapi/v3', 200],
    ['GET', '/version', 200],
    ['GET', '/api/v1/nodes', 403, /cannot list resource "nodes" in API group "" at the cluster scope/],
    ['GET', '/api/v1/pods?watch=true', 403, /cannot watch resource "pods"/],
    ['DELETE', '/api/v1/namespaces/default/pods/x', 403, /^pods "x" is forbidden: .* cannot delete resource "pods"/],
    ['GET', '/api/v1/namespaces/default/pods/x/log', 403, /cannot get resource "pods\/log"/],
    ['GET', '/metrics', 403, /^forbidden: User ".*" cannot get path "\/metrics"/],
  ]
  for (const [method, path, code, message] of cases) {
    const answer = await guest.call(method, path, undefined, as(token))
    assert.equal(answer.code, code, `${method} ${path}`)
    if (message !== undefined) assert.match(answer.body.message, message)
  }
})

test('roles and bindings allow what they say, in their namespace, at once', async () => {
  const token = await makeAccount('reader')
  const { client } = context
  const role = {
    metadata: { name: 'reader' },
    rules: [
      { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list'] },
      { apiGroups: [''], resources: ['secrets'], resourceNames: ['one'], verbs: ['get'] },
    ],
  }
  assert.equal((await client.call('POST', `${rbac}/namespaces/default/roles`, role)).code, 201)
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader' }
  const subjects = [{ kind: 'ServiceAccount', name: 'reader', namespace: 'default' }]
  const bindings = `${rbac}/namespaces/default/rolebindings`
  assert.equal((await client.call('POST', bindings, { metadata: { name: 'r' }, roleRef, subjects })).code, 201)
  const code = async (method: string, path: string, body?: object) =>
    (await guest.call(method, path, body, as(token))).code
  assert.equal(await code('GET', '/api/v1/namespaces/default/configmaps'), 200)
  assert.equal(await code('GET', '/api/v1/namespaces/kube-system/configmaps'), 403)
  assert.equal(await code('GET', '/api/v1/configmaps'), 403)
  assert.equal(await code('POST', '/api/v1/namespaces/default/configmaps', { metadata: { name: 'x' } }), 403)
  assert.equal(await code('GET', '/api/v1/namespaces/default/secrets/one'), 404)
  assert.equal(await code('GET', '/api/v1/namespaces/default/secrets/two'), 403)
  const review = async (attributes: object) => {
    const body = { spec: { resourceAttributes: attributes } }
    return (await guest.call('POST', `${reviews}/selfsubjectaccessreviews`, body, as(token))).body.status
  }
  const allowed = await review({ verb: 'list', resource: 'configmaps', namespace: 'default' })
  assert.deepEqual(allowed, {
    allowed: true,
    reason: 'RBAC: allowed by RoleBinding "r/default" of Role "reader" to ServiceAccount "reader/default"',
  })
  assert.deepEqual(await review({ verb: 'create', resource: 'configmaps', namespace: 'default' }), { allowed: false })
  const rules = await guest.call(
    'POST',
    `${reviews}/selfsubjectrulesreviews`,
    { spec: { namespace: 'default' } },
    as(token),
  )
  assert.ok(rules.body.status.resourceRules.some((rule: { resources: string[] }) => rule.resources[0] === 'configmaps'))
})

test('view, edit and admin are gathered from what they aggregate, a new role included', async () => {
  const token = await makeAccount('editor')
  const { client } = context
  const bind = (name: string, role: string) =>
    client.call('POST', `${rbac}/namespaces/default/rolebindings`, {
      metadata: { name },
      roleRef: { kind: 'ClusterRole', name: role },
      subjects: [{ kind: 'ServiceAccount', name: 'editor', namespace: 'default' }],
    })
  assert.equal((await bind('editor', 'edit')).code, 201)
  const code = async (method: string, path: string, body?: object) =>
    (await guest.call(method, path, body, as(token))).code
  assert.equal(await code('GET', '/api/v1/namespaces/default/pods'), 200)
  assert.equal(await code('POST', '/api/v1/namespaces/default/configmaps', { metadata: { name: 'e' } }), 201)
  assert.equal(await code('GET', `${rbac}/namespaces/default/roles`), 403)
  assert.equal(await code('GET', '/apis/storage.k8s.io/v1/storageclasses'), 403)
  await client.call('POST', `${rbac}/clusterroles`, {
    metadata: { name: 'leases', labels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' } },
    rules: [{ apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles'], verbs: ['list'] }],
  })
  assert.equal(await code('GET', `${rbac}/namespaces/default/roles`), 200)
})

test('nobody grants what they do not have', async () => {
  const token = await makeAccount('climber')
  const { client } = context
  await client.call('POST', `${rbac}/namespaces/default/rolebindings`, {
    metadata: { name: 'climber' },
    roleRef: { kind: 'ClusterRole', name: 'admin' },
    subjects: [{ kind: 'ServiceAccount', name: 'climber', namespace: 'default' }],
  })
  const roles = `${rbac}/namespaces/default/roles`
  const own = { metadata: { name: 'own' }, rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] }
  assert.equal((await guest.call('POST', roles, own, as(token))).code, 201)
  const more = { metadata: { name: 'more' }, rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }] }
  const refused = await guest.call('POST', roles, more, as(token))
  assert.equal(refused.code, 403)
  assert.match(
    refused.body.message,
    /is attempting to grant RBAC permissions not currently held:\n\{APIGroups:\["\*"\]/,
  )
  const binding = {
    metadata: { name: 'up' },
    roleRef: { kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'ServiceAccount', name: 'climber', namespace: 'default' }],
  }
  const path = `${rbac}/namespaces/default/rolebindings`
  assert.equal((await guest.call('POST', path, binding, as(token))).code, 403)
})

test('the administrator may act as somebody else, an account may not', async () => {
  const token = await makeAccount('actor')
  const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
  const admin = { 'impersonate-user': 'jane', 'impersonate-group': 'dev' }
  const { body } = await context.client.call('POST', path, {}, admin)
  assert.deepEqual(
    [body.status.userInfo.username, body.status.userInfo.groups],
    ['jane', ['dev', 'system:authenticated']],
  )
  const refused = await guest.call('POST', path, {}, { ...as(token), ...admin })
  assert.equal(refused.code, 403)
  assert.match(refused.body.message, /cannot impersonate resource "users" in API group "" at the cluster scope/)
  const asked = await context.client.call('GET', '/api/v1/namespaces/default/pods', undefined, admin)
  assert.equal(asked.code, 403)
})

test('requests are counted with their durations, by what is served alone', async () => {
  const { client } = context
  await client.call('GET', '/api/v1/namespaces/default/endpoints')
  await client.call('GET', '/api/v1/namespaces/default/endpoints/none')
  await client.call('GET', '/api/v1/namespaces/default/invented')
  const { text, headers } = await client.call('GET', '/metrics')
  assert.match(String(headers['content-type']), /^text\/plain/)
  const labels = 'group="",version="v1",resource="endpoints",subresource=""'
  assert.ok(text.includes(`apiserver_request_total{verb="LIST",${labels},scope="namespace",code="200"} 1`), text)
  assert.ok(text.includes(`apiserver_request_total{verb="GET",${labels},scope="resource",code="404"} 1`))
  assert.ok(
    text.includes(`apiserver_request_duration_seconds_bucket{verb="LIST",${labels},scope="namespace",le="+Inf"} 1`),
  )
  assert.ok(!text.includes('invented'))
})
