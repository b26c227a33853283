import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agentRules, missingRights, read, rule } from './index.ts'

test('rights are missing as RBAC matches verbs, groups and resources', () => {
  const wanted = [rule(read, ['', 'apps'], 'pods'), rule(['patch'], ['plumb.network'], '*/status')]
  const cases = [
    [[], ['get, list, watch pods', 'get, list, watch pods.apps', 'patch */status.plumb.network']],
    [[rule(['*'], ['*'], '*')], []],
    [
      [rule(['get', 'watch'], ['', 'apps'], 'pods'), rule(['patch'], ['plumb.network'], '*/status')],
      ['list pods', 'list pods.apps'],
    ],
    [[rule(read, [''], 'pods'), rule(read, ['apps'], '*')], ['patch */status.plumb.network']],
    [
      [rule(read, ['*'], 'pods'), rule(['patch'], ['plumb.network'], 'egresses/status')],
      ['patch */status.plumb.network'],
    ],
  ] as const
  for (const [granted, missing] of cases)
    assert.deepEqual(missingRights(granted, wanted), missing, JSON.stringify(granted))
  assert.deepEqual(missingRights(agentRules, agentRules), [])
})
