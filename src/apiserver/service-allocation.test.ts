import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startTestServer, type TestClient, type TestServer } from './server.fixture.ts'

const services = '/api/v1/namespaces/default/services'
let context: TestServer
let client: TestClient

before(async () => {
  context = await startTestServer()
  client = context.client
})
after(() => context[Symbol.asyncDispose]())

const post = (name: string, spec: object) =>
  client.call('POST', services, { metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } })
const patch = (name: string, spec: object) => client.call('PATCH', `${services}/${name}`, { spec })
const remove = (name: string) => client.call('DELETE', `${services}/${name}`)

test('families by policy', async () => {
  const rows: [string, object, string, string[], number][] = [
    ['f1', {}, 'SingleStack', ['IPv4'], 1],
    ['f2', { ipFamilyPolicy: 'PreferDualStack' }, 'PreferDualStack', ['IPv4', 'IPv6'], 2],
    ['f3', { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6'] }, 'RequireDualStack', ['IPv6', 'IPv4'], 2],
    ['f4', { ipFamilies: ['IPv6'] }, 'SingleStack', ['IPv6'], 1],
    ['f5', { clusterIP: 'fd00:96::77' }, 'SingleStack', ['IPv6'], 1],
    ['f6', { clusterIP: 'None', selector: { a: 'b' } }, 'SingleStack', ['IPv4'], 1],
    ['f7', { clusterIP: 'None' }, 'RequireDualStack', ['IPv4', 'IPv6'], 1],
  ]
  for (const [name, spec, policy, families, count] of rows) {
    const { code, body, text } = await post(name, spec)
    assert.equal(code, 201, text)
    assert.deepEqual(
      [body.spec.ipFamilyPolicy, body.spec.ipFamilies, body.spec.clusterIPs.length],
      [policy, families, count],
      name,
    )
    assert.equal(body.spec.clusterIP, body.spec.clusterIPs[0])
    await remove(name)
  }
})

test('what allocation refuses', async () => {
  await post('holder', { type: 'NodePort', clusterIP: '10.96.0.10', ports: [{ port: 80, nodePort: 30_010 }] })
  const rows: [object, number, RegExp][] = [
    [
      { clusterIP: '10.96.0.10' },
      422,
      /^Service "r" is invalid: spec.clusterIPs: Invalid value: .*: failed to allocate IP 10.96.0.10: provided IP is already allocated$/,
    ],
    [
      { clusterIP: '10.97.0.10' },
      422,
      /the provided IP \(10.97.0.10\) is not in the valid range. The range of valid IPs is 10.96.0.0\/16$/,
    ],
    [
      { type: 'NodePort', ports: [{ port: 80, nodePort: 30_010 }] },
      422,
      /spec.ports\[0\].nodePort: Invalid value: 30010: provided port is already allocated/,
    ],
    [
      { type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] },
      422,
      /provided port is not in the valid range. The range of valid ports is 30000-32767/,
    ],
    [
      { ipFamilies: ['IPv4', 'IPv6'] },
      422,
      /must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified/,
    ],
  ]
  for (const [spec, code, message] of rows) {
    const answer = await post('r', spec)
    assert.equal(answer.code, code, answer.text)
    assert.match(answer.body.message, message)
  }
  assert.equal((await remove('holder')).code, 200)
  const again = await post('r', { type: 'NodePort', clusterIP: '10.96.0.10', ports: [{ port: 80, nodePort: 30_010 }] })
  assert.equal(again.code, 201, 'what a deleted Service held is free')
  await remove('r')
})

test('a refused create leaves nothing taken', async () => {
  const spec = {
    clusterIP: '10.96.0.20',
    type: 'NodePort',
    ports: [
      { port: 80, name: 'a', nodePort: 30_020 },
      { port: 81, name: 'b', nodePort: 80 },
    ],
  }
  assert.equal((await post('undone', spec)).code, 422)
  assert.equal(
    (await post('done', { clusterIP: '10.96.0.20', type: 'NodePort', ports: [{ port: 80, nodePort: 30_020 }] })).code,
    201,
  )
  await remove('done')
})

test('dynamic picks keep out of the lower bands', async () => {
  for (let i = 0; i < 20; i++) {
    const { body } = await post(`p${i}`, { type: 'NodePort' })
    const [, , third, fourth] = body.spec.clusterIP.split('.').map(Number)
    assert.ok(third * 256 + fourth > 256, body.spec.clusterIP)
    assert.ok(body.spec.ports[0].nodePort >= 30_086)
    await remove(`p${i}`)
  }
})

test('type changes keep, take and give back', async () => {
  const created = await post('t', { type: 'NodePort' })
  const { clusterIP, ports } = created.body.spec
  const loadBalancer = await patch('t', { type: 'LoadBalancer', externalTrafficPolicy: 'Local' })
  assert.equal(loadBalancer.code, 200, loadBalancer.text)
  assert.deepEqual(
    [loadBalancer.body.spec.clusterIP, loadBalancer.body.spec.ports[0].nodePort],
    [clusterIP, ports[0].nodePort],
  )
  const health = loadBalancer.body.spec.healthCheckNodePort
  assert.ok(health >= 30_086 && health !== ports[0].nodePort)
  const clusterOnly = await client.call('PUT', `${services}/t`, {
    metadata: { name: 't' },
    spec: { type: 'ClusterIP', ports: [{ port: 80 }] },
  })
  assert.equal(clusterOnly.code, 200, clusterOnly.text)
  assert.equal(clusterOnly.body.spec.clusterIP, clusterIP)
  assert.deepEqual(
    [clusterOnly.body.spec.ports[0].nodePort, clusterOnly.body.spec.healthCheckNodePort],
    [undefined, undefined],
  )
  assert.equal((await post('u', { type: 'NodePort', ports: [{ port: 80, nodePort: health }] })).code, 201)
  const external = await patch('t', { type: 'ExternalName', externalName: 'example.com' })
  assert.equal(external.code, 200, external.text)
  assert.ok(!external.body.spec.clusterIP)
  assert.equal((await post('v', { clusterIP })).code, 201)
  for (const name of ['t', 'u', 'v']) await remove(name)
})

test('going dual-stack and back', async () => {
  const { body } = await post('d', {})
  const dual = await patch('d', { ipFamilyPolicy: 'PreferDualStack' })
  assert.equal(dual.code, 200, dual.text)
  assert.equal(dual.body.spec.clusterIPs[0], body.spec.clusterIP)
  assert.equal(dual.body.spec.clusterIPs.length, 2)
  const single = await patch('d', { ipFamilyPolicy: 'SingleStack' })
  assert.equal(single.code, 200, single.text)
  assert.deepEqual(single.body.spec.clusterIPs, [body.spec.clusterIP])
  assert.equal((await post('e', { clusterIP: dual.body.spec.clusterIPs[1] })).code, 201)
  for (const name of ['d', 'e']) await remove(name)
})

test('TCP and UDP of one number share a node port', async () => {
  const ports = [
    { name: 'dns', port: 53, protocol: 'UDP' },
    { name: 'dns-tcp', port: 53, protocol: 'TCP' },
    { name: 'metrics', port: 9153 },
  ]
  const { body, text } = await post('dns', { type: 'NodePort', ports })
  const [udp, tcp, metrics] = body.spec?.ports?.map((port: { nodePort: number }) => port.nodePort) ?? [text]
  assert.equal(udp, tcp)
  assert.notEqual(udp, metrics)
  await remove('dns')
})
