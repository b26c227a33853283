import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type AuditSubject, decideAudit, parseAuditPolicy } from './policy.ts'

const get: AuditSubject = {
  user: 'jane',
  groups: ['dev'],
  verb: 'get',
  group: '',
  resource: 'pods',
  subresource: '',
  namespace: 'shop',
  name: 'p',
}
const log: AuditSubject = { ...get, subresource: 'log' }
const path: AuditSubject = { user: 'jane', groups: [], verb: 'get', path: '/healthz/ping' }

for (const [name, rule, subject, expected] of [
  ['nothing asked', {}, get, true],
  ['the user', { users: ['jane'] }, get, true],
  ['another user', { users: ['joe'] }, get, false],
  ['a group', { userGroups: ['dev'] }, get, true],
  ['another verb', { verbs: ['list'] }, get, false],
  ['the namespace', { namespaces: ['shop'] }, get, true],
  ['cluster scope only', { namespaces: [''] }, get, false],
  ['a group of resources', { resources: [{ group: '' }] }, get, true],
  ['another group', { resources: [{ group: 'apps' }] }, get, false],
  ['a resource is no subresource', { resources: [{ resources: ['pods'] }] }, log, false],
  ['a subresource', { resources: [{ resources: ['pods/log'] }] }, log, true],
  ['a resource and all below', { resources: [{ resources: ['pods/*'] }] }, log, true],
  ['a subresource of all', { resources: [{ resources: ['*/log'] }] }, log, true],
  ['everything', { resources: [{ resources: ['*'] }] }, log, true],
  ['another name', { resources: [{ resources: ['pods'], resourceNames: ['q'] }] }, get, false],
  ['a path', { nonResourceURLs: ['/healthz*'] }, path, true],
  ['another path', { nonResourceURLs: ['/metrics'] }, path, false],
  ['a path for a resource', { nonResourceURLs: ['*'] }, get, false],
  ['a resource for a path', { resources: [{ group: '' }] }, path, false],
] as const)
  test(`a rule with ${name}`, () => {
    const rules = [{ level: 'Metadata', ...rule }]
    const policy = parseAuditPolicy({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules })
    assert.ok('rules' in policy, String(policy))
    assert.equal(decideAudit(policy, subject).level, expected ? 'Metadata' : 'None')
  })

test('any value is a policy or has mistakes, and any policy decides', () => {
  const list = fc.oneof(fc.jsonValue(), fc.array(fc.string(), { maxLength: 3 }))
  const resource = fc.record({ group: fc.jsonValue(), resources: list, resourceNames: list }, { requiredKeys: [] })
  const rule = fc.record(
    {
      level: fc.constantFrom('None', 'Metadata', 'Request', 'RequestResponse', 'x'),
      users: list,
      verbs: list,
      namespaces: list,
      nonResourceURLs: list,
      omitStages: list,
      resources: fc.oneof(fc.jsonValue(), fc.array(resource, { maxLength: 3 })),
    },
    { requiredKeys: ['level'] },
  )
  const policy = fc.record({
    apiVersion: fc.constant('audit.k8s.io/v1'),
    kind: fc.constant('Policy'),
    rules: fc.array(rule, { maxLength: 3 }),
  })
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), policy), (value) => {
      const parsed = parseAuditPolicy(value)
      if (!('rules' in parsed)) return assert.ok(parsed.length > 0)
      for (const subject of [get, log, path]) decideAudit(parsed, subject)
    }),
    { numRuns: 1_000 },
  )
})
