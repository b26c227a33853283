import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startTestServer } from './server.fixture.ts'

const published = join(import.meta.dirname, '../../crds')

test('the published definitions are served from the first moment, and what they say of objects holds', async () => {
  await using server = await startTestServer({ definitions: [published] })
  const routes = '/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes'
  const route = (spec: object) => ({
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: 'web' },
    spec,
  })
  const refused = await server.client.call(
    'POST',
    routes,
    route({ rules: [{ matches: [{ path: { value: 'no-slash' } }] }] }),
  )
  assert.equal(refused.code, 422)
  assert.match(refused.body.message, /value must be an absolute path and start with '\/'/)
  const created = await server.client.call(
    'POST',
    routes,
    route({ rules: [{ backendRefs: [{ name: 'web', port: 80 }] }] }),
  )
  assert.equal(created.code, 201, created.text)
  assert.deepEqual(created.body.spec.rules[0].matches, [{ path: { type: 'PathPrefix', value: '/' } }])
})

test('rules of the definitions speak RE2 and take fields of any expression', async () => {
  await using server = await startTestServer({ definitions: [published] })
  const routes = '/apis/gateway.networking.k8s.io/v1/namespaces/default/grpcroutes'
  const route = (service: string) => ({
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'GRPCRoute',
    metadata: { name: 'api' },
    spec: { rules: [{ matches: [{ method: { service, method: 'Login' } }] }] },
  })
  const refused = await server.client.call('POST', routes, route('a/b'))
  assert.match(refused.body.message, /service must only contain valid characters/)
  const created = await server.client.call('POST', routes, route('com.Example.Users'))
  assert.equal(created.code, 201, created.text)
})

test('a definition that somebody has changed is left alone by the next start; a broken file is named', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'definitions-'))
  try {
    const dataDir = join(folder, 'data')
    const classes = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gatewayclasses.gateway.networking.k8s.io'
    {
      await using server = await startTestServer({ definitions: [published], dataDir })
      const patch = { metadata: { annotations: { mine: 'yes' } } }
      const changed = await server.client.call('PATCH', classes, patch, {
        'content-type': 'application/merge-patch+json',
      })
      assert.equal(changed.code, 200, changed.text)
    }
    {
      await using server = await startTestServer({ definitions: [published], dataDir })
      assert.equal((await server.client.call('GET', classes)).body.metadata.annotations.mine, 'yes')
    }
    await writeFile(join(folder, 'half.json'), '{"kind":')
    await assert.rejects(startTestServer({ definitions: [folder] }), /half\.json/)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
