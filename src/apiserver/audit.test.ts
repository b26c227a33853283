import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { AuditFile } from './audit-file.ts'
import { configMap, openClient, startTestServer } from './server.fixture.ts'

const maps = '/api/v1/namespaces/default/configmaps'

const policy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- level: None
  nonResourceURLs: ['/healthz*', /version]
- level: Metadata
  resources: [{group: '', resources: [secrets]}]
- level: RequestResponse
  verbs: [create, patch]
  resources: [{group: '', resources: [configmaps]}]
- level: Request
  verbs: [delete]
- level: Metadata
  userGroups: ['system:masters']
- level: Metadata
  users: ['']
  omitStages: []
`

function temporary(): { readonly folder: string; [Symbol.dispose](): void } {
  const folder = mkdtempSync(join(tmpdir(), 'plumb-audit-'))
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) }
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into any event
function eventsIn(path: string): any[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

test('requests are written down as far as the policy says', async () => {
  using place = temporary()
  const policyFile = join(place.folder, 'policy.yaml')
  const path = join(place.folder, 'logs/audit.log')
  writeFileSync(policyFile, policy)
  {
    await using context = await startTestServer({ audit: { policyFile, path } })
    const { client, certificates } = context
    await client.call('GET', '/healthz')
    const made = await client.call('POST', maps, configMap('a', { k: 'v' }), { 'audit-id': 'mine' })
    assert.equal(made.headers['audit-id'], 'mine')
    await client.call('POST', maps, configMap('a'))
    await client.call('POST', maps.replace('configmaps', 'secrets'), {
      metadata: { name: 's' },
      data: { k: 'c2VjcmV0' },
    })
    await client.call('PATCH', `${maps}/a`, [{ op: 'add', path: '/data/x', value: 'y' }], {
      'content-type': 'application/json-patch+json',
      'impersonate-user': 'jane',
      'impersonate-group': 'system:masters',
    })
    await client.call('GET', `${maps}/a`, undefined, { 'impersonate-user': 'jane' })
    await client.call('DELETE', `${maps}/a`, { kind: 'DeleteOptions', gracePeriodSeconds: 0 })
    const watch = await client.watch(`${maps}?watch=true&timeoutSeconds=1`)
    await watch.ended()
    const stranger = openClient(client.port, certificates, true)
    assert.equal((await stranger.call('GET', maps)).code, 401)
    stranger.close()
  }
  const events = eventsIn(path)
  const brief = events.map(
    ({ verb, level, stage, responseStatus }) => `${verb} ${level} ${stage} ${responseStatus.code}`,
  )
  assert.deepEqual(brief, [
    'create RequestResponse ResponseComplete 201',
    'create RequestResponse ResponseComplete 409',
    'create Metadata ResponseComplete 201',
    'patch RequestResponse ResponseComplete 200',
    'get Metadata ResponseComplete 403',
    'delete Request ResponseComplete 200',
    'watch Metadata ResponseStarted 200',
    'watch Metadata ResponseComplete 200',
    'list Metadata ResponseComplete 401',
  ])
  const [made, conflict, secret, patch, refused, removed, started, ended, stranger] = events
  assert.equal(made.auditID, 'mine')
  assert.deepEqual(made.objectRef, { resource: 'configmaps', namespace: 'default', name: 'a', apiVersion: 'v1' })
  assert.equal(made.requestObject.data.k, 'v')
  assert.equal(made.responseObject.metadata.managedFields, undefined)
  assert.equal(made.responseObject.kind, 'ConfigMap')
  assert.equal(made.user.username, 'admin')
  assert.equal(made.annotations['authorization.k8s.io/decision'], 'allow')
  assert.equal(conflict.responseStatus.reason, 'AlreadyExists')
  assert.ok(!JSON.stringify(secret).includes('c2VjcmV0'), 'a Secret that is only metadata')
  assert.equal(patch.impersonatedUser.username, 'jane')
  assert.deepEqual(patch.requestObject, [{ op: 'add', path: '/data/x', value: 'y' }])
  assert.equal(refused.annotations['authorization.k8s.io/decision'], 'forbid')
  assert.deepEqual(removed.requestObject, { kind: 'DeleteOptions', gracePeriodSeconds: 0 })
  assert.equal(removed.responseObject, undefined)
  assert.equal(started.auditID, ended.auditID)
  assert.match(ended.stageTimestamp, /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$/)
  assert.deepEqual(stranger.user, { username: '', groups: [] })
})

test('what a policy or webhook leaves behind stands in the annotations', async () => {
  using place = temporary()
  const policyFile = join(place.folder, 'policy.json')
  const path = join(place.folder, 'audit.log')
  writeFileSync(
    policyFile,
    JSON.stringify({
      apiVersion: 'audit.k8s.io/v1',
      kind: 'Policy',
      rules: [{ level: 'Metadata', verbs: ['create'] }],
    }),
  )
  {
    await using context = await startTestServer({ audit: { policyFile, path } })
    const root = '/apis/admissionregistration.k8s.io/v1'
    const resourceRules = [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] }]
    const spec = {
      matchConstraints: { resourceRules },
      validations: [{ expression: 'false', message: 'never' }],
      auditAnnotations: [{ key: 'size', valueExpression: 'string(size(object.data))' }],
    }
    await context.client.call('POST', `${root}/validatingadmissionpolicies`, { metadata: { name: 'p' }, spec })
    const binding = { policyName: 'p', validationActions: ['Audit'] }
    await context.client.call('POST', `${root}/validatingadmissionpolicybindings`, {
      metadata: { name: 'b' },
      spec: binding,
    })
    assert.equal((await context.client.call('POST', maps, configMap('a', { x: '1' }))).code, 201)
  }
  const { annotations } = eventsIn(path).at(-1)
  assert.equal(annotations['p/size'], '1')
  const failures = JSON.parse(annotations['validation.policy.admission.k8s.io/validation_failure'])
  assert.deepEqual(failures, [
    { message: 'never', policy: 'p', binding: 'b', expressionIndex: 0, validationActions: ['Audit'] },
  ])
})

test('a log that is full takes turns with a fixed number of older ones', async () => {
  using place = temporary()
  const path = join(place.folder, 'audit.log')
  const file = new AuditFile(path, { maxBytes: 1_000, maxBackups: 2 }, () => assert.fail('lost'))
  for (let i = 0; i < 40; i++) {
    file.write({ i, text: 'x'.repeat(80) })
    await file.flush()
  }
  assert.deepEqual(readdirSync(place.folder).sort(), ['audit.log', 'audit.log.1', 'audit.log.2'])
  const all = ['.2', '.1', ''].flatMap((end) => eventsIn(path + end))
  for (const end of ['', '.1', '.2']) assert.ok(statSync(path + end).size <= 1_000)
  assert.deepEqual(
    all.map(({ i }) => i),
    Array.from({ length: all.length }, (_, i) => 40 - all.length + i),
  )
})

test('a log that cannot be written loses events, says so and stops nothing', async () => {
  using place = temporary()
  let lost = 0
  // A folder stands where the file should be.
  const file = new AuditFile(place.folder, { maxBytes: 1_000, maxBackups: 0 }, () => lost++)
  file.write({})
  await file.flush()
  assert.equal(lost, 1)
})

test('a policy that is none is named with its mistakes', async () => {
  using place = temporary()
  const policyFile = join(place.folder, 'policy.yaml')
  writeFileSync(policyFile, 'apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: All, nonResourceURLs: [x]}]\n')
  await assert.rejects(
    startTestServer({ audit: { policyFile, path: join(place.folder, 'audit.log') } }),
    /policy.yaml is no audit policy: rules\[0\].level: Unsupported value: "All".*; rules\[0\].nonResourceURLs: x must begin with '\/'/,
  )
})
