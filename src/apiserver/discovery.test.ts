import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { apiVersionOf, kinds } from '../objects/index.ts'
import { startTestServer, type TestClient, type TestServer } from './server.fixture.ts'

let context: TestServer
let client: TestClient

before(async () => {
  context = await startTestServer()
  client = context.client
})
after(() => context[Symbol.asyncDispose]())

const aggregated = (version: string) => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`

test('aggregated discovery answers in exactly the version that was asked for', async () => {
  for (const version of ['v2', 'v2beta1']) {
    const { body, headers } = await client.call('GET', '/apis', undefined, {
      accept: `${aggregated(version)},application/json`,
    })
    assert.deepEqual([body.kind, body.apiVersion], ['APIGroupDiscoveryList', `apidiscovery.k8s.io/${version}`])
    assert.match(headers['content-type'] ?? '', new RegExp(`v=${version};`))
    const apps = body.items.find((item: { metadata: { name: string } }) => item.metadata.name === 'apps')
    const deployment = apps.versions[0].resources.find((item: { resource: string }) => item.resource === 'deployments')
    assert.deepEqual(deployment.responseKind, { group: 'apps', version: 'v1', kind: 'Deployment' })
    const scale = deployment.subresources.find((item: { subresource: string }) => item.subresource === 'scale')
    assert.deepEqual(scale.responseKind, { group: 'autoscaling', version: 'v1', kind: 'Scale' })
  }
  const both = await client.call('GET', '/api', undefined, {
    accept: `${aggregated('v2')},${aggregated('v2beta1')},application/json`,
  })
  assert.deepEqual([both.body.apiVersion, both.body.items.length], ['apidiscovery.k8s.io/v2', 1])
  const unknown = await client.call('GET', '/apis', undefined, { accept: `${aggregated('v3')},application/json` })
  assert.equal(unknown.body.kind, 'APIGroupList')
})

test('legacy discovery lists every kind', async () => {
  const core = await client.call('GET', '/api')
  assert.deepEqual([core.body.kind, core.body.versions], ['APIVersions', ['v1']])
  const groups = await client.call('GET', '/apis')
  const versions: string[] = groups.body.groups.flatMap((group: { versions: { groupVersion: string }[] }) =>
    group.versions.map((item) => item.groupVersion),
  )
  const listed = new Set<string>()
  for (const name of ['v1', ...versions]) {
    const { body } = await client.call('GET', name === 'v1' ? '/api/v1' : `/apis/${name}`)
    assert.equal(body.groupVersion, name)
    for (const resource of body.resources) listed.add(`${name}/${resource.name}`)
  }
  for (const kind of kinds) assert.ok(listed.has(`${apiVersionOf(kind)}/${kind.plural}`), kind.kind)
  assert.ok(listed.has('authentication.k8s.io/v1/selfsubjectreviews'))
  assert.equal((await client.call('GET', '/apis/apps')).body.preferredVersion.groupVersion, 'apps/v1')
  assert.equal((await client.call('GET', '/apis/none')).code, 404)
  assert.equal((await client.call('GET', '/apis/apps/v9')).code, 404)
})

test('OpenAPI v3 has a document for every group version, under its hash', async () => {
  const index = await client.call('GET', '/openapi/v3')
  const paths = Object.keys(index.body.paths)
  for (const kind of kinds) {
    const path = kind.group === '' ? 'api/v1' : `apis/${apiVersionOf(kind)}`
    assert.ok(paths.includes(path), path)
  }
  for (const path of paths) {
    const { serverRelativeURL } = index.body.paths[path]
    const document = await client.call('GET', serverRelativeURL)
    assert.equal(document.body.openapi, '3.0.0', path)
    assert.ok(serverRelativeURL.includes(String(document.headers.etag).replaceAll('"', '')))
  }
  const swagger = await client.call('GET', '/openapi/v2')
  assert.equal(swagger.body.swagger, '2.0')
  assert.ok(swagger.body.definitions['io.k8s.api.core.v1.Service'].properties.spec)
})

test('version tells the truth about what answers', async () => {
  const { body } = await client.call('GET', '/version?timeout=5s')
  assert.match(body.gitVersion, /^v1\.33\.\d+\+plumb$/)
  assert.deepEqual([body.major, body.minor], ['1', '33'])
})
