import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { startTestServer } from './server.fixture.ts'

const roles = '/apis/rbac.authorization.k8s.io/v1/clusterroles'

test('the stored rules of an aggregated role follow what it gathers', { timeout: 60_000 }, async () => {
  await using context = await startTestServer()
  const { client } = context
  const gathers = async (name: string, resource: string, expected: boolean) => {
    for (;;) {
      const { rules = [] } = (await client.call('GET', `${roles}/${name}`)).body
      if (rules.some((rule: { resources?: string[] }) => rule.resources?.includes(resource)) === expected) return
      await pause(10)
    }
  }
  // admin gathers edit, which gathers view.
  await gathers('admin', 'pods', true)
  const labels = { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' }
  const rules = [{ apiGroups: ['example.com'], resources: ['widgets'], verbs: ['get'] }]
  await client.call('POST', roles, { metadata: { name: 'widgets', labels }, rules })
  for (const name of ['view', 'edit', 'admin']) await gathers(name, 'widgets', true)
  await client.call('PATCH', `${roles}/view`, { rules: [] })
  await gathers('view', 'pods', true)
  await client.call('DELETE', `${roles}/widgets`)
  for (const name of ['view', 'edit', 'admin']) await gathers(name, 'widgets', false)
  // Two that gather each other come to rest.
  for (const [own, other] of [
    ['a', 'b'],
    ['b', 'a'],
  ] as const)
    await client.call('POST', roles, {
      metadata: { name: own, labels: { from: own } },
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: { from: other } }] },
      rules: [],
    })
  const revision = async () => (await client.call('GET', roles)).body.metadata.resourceVersion
  let before = await revision()
  for (let same = 0; same < 3; same++) {
    await pause(20)
    const now = await revision()
    if (now !== before) same = 0
    before = now
  }
})
