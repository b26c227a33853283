import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { after, before, test } from 'node:test'
import { host } from '../agent/rig.fixture.ts'
import { gatewayClass, gatewayOf, routeOf, serviceOf, sliceOf, to } from './gateway-objects.fixture.ts'
import { ingressOf, plumbClass } from './ingress-objects.fixture.ts'
import { exchange } from './raw-clients.fixture.ts'
import { GatewayRig } from './rig.fixture.ts'

let gateway: GatewayRig
const closers: (() => void)[] = []
/** The first bytes of each connection to the pod that is told by the PROXY protocol. */
const begun: Buffer[] = []

before(async () => {
  gateway = new GatewayRig()
  const [one] = gateway.rig.backends
  gateway.serve(one, 8001)
  const pod = createServer((socket) => {
    socket.on('error', () => {})
    let got = Buffer.alloc(0)
    socket.on('data', (data: Buffer) => {
      got = Buffer.concat([got, data])
      if (!got.toString('latin1').endsWith('\r\n\r\n')) return
      begun.push(got)
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok')
    })
  }).listen({ fd: host.listenTcp(one.namespace, one.addresses[4], 8002).fd })
  closers.push(() => pod.close())
  const told = (name: string, version: string) => {
    const service = serviceOf(name)
    return { ...service, metadata: { ...service.metadata, annotations: { 'plumb.network/proxy-protocol': version } } }
  }
  const services = [serviceOf('a'), sliceOf('a', 8001, one)]
  for (const version of ['v1', 'v2']) services.push(told(version, version) as never, sliceOf(version, 8002, one))
  await gateway.change([gatewayClass, plumbClass, ...services])
})
after(() => {
  for (const close of closers) close()
  return gateway.close()
})

const trouble = (): string => `${gateway.log.lines.join('\n')}\n${JSON.stringify(gateway.module.findings)}`
const get = (name: string): string => `GET / HTTP/1.1\r\nHost: ${name}\r\n\r\n`
const v1 = 'PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n'
const v2 = Buffer.concat([
  Buffer.from('0d0a0d0a000d0a515549540a2111000c', 'hex'),
  Buffer.from([192, 0, 2, 8, 192, 0, 2, 1, 0x12, 0x34, 0, 80]),
])

const sent = (port: number, head: string | Buffer, name: string) =>
  exchange(gateway.connect(port), Buffer.concat([Buffer.from(head), Buffer.from(get(name))]))
const clientOf = (body: string | undefined): string => JSON.parse(body ?? '{}').headers?.['x-forwarded-for']

test('trusted load balancers say who the client is, in both versions; of others nothing is believed', async () => {
  const annotations = { 'plumb.network/proxy-protocol': `${gateway.rig.outsider.addresses[4]}, 10.0.0.0/8` }
  const klass = { ...plumbClass, metadata: { ...plumbClass.metadata, annotations } }
  const [object, service] = gatewayOf('gw', [{ name: 'http', port: 80, protocol: 'HTTP' }])
  const trusting = { ...object!, metadata: { ...object!.metadata, annotations } }
  const route = routeOf('HTTPRoute', 'web', [{ backendRefs: [to('a')] }])
  await gateway.change([klass, ingressOf('web', 'a.example', {}, 'a'), trusting, service!, route])
  for (const port of [80, 20_080]) {
    for (const [head, client] of [
      [v1, '192.0.2.7'],
      [v2, '192.0.2.8'],
    ] as const) {
      const { status, body } = await sent(port, head, 'a.example')
      assert.deepEqual([status, clientOf(body)], [200, client], trouble())
    }
    const { status } = await sent(port, '', 'a.example')
    assert.equal(status, undefined, 'without the header a trusted source is closed on')
  }
  await gateway.change([
    { ...klass, metadata: { ...klass.metadata, annotations: { 'plumb.network/proxy-protocol': 'everybody' } } },
  ])
  assert.deepEqual(
    gateway.module.findings.map(({ code, object }) => [code, object]),
    [['AnnotationInvalid', 'ingressclass/plumb']],
  )
  await gateway.change([plumbClass])
  assert.equal((await sent(80, v1, 'a.example')).status, 400)
  const plain = await sent(80, '', 'a.example')
  assert.equal(clientOf(plain.body), gateway.rig.outsider.addresses[4])
  await gateway.change([], [trusting])
})

test('pods are told the client in the version that their Service asks for, also those that come later', async () => {
  const [one] = gateway.rig.backends
  await gateway.change([ingressOf('one', 'v1.example', {}, 'v1'), ingressOf('two', 'v2.example', {}, 'v2')])
  const client = gateway.rig.outsider.addresses[4]
  for (let n = 0; n < 2; n++) {
    begun.length = 0
    assert.equal((await sent(80, '', 'v1.example')).status, 200, trouble())
    assert.equal((await sent(80, '', 'v2.example')).status, 200, trouble())
    assert.match(
      begun[0]!.toString(),
      new RegExp(`^PROXY TCP4 ${client.replaceAll('.', '\\.')} \\S+ \\d+ 80\r\nGET / `),
    )
    assert.deepEqual(begun[1]!.subarray(0, 14), Buffer.from('0d0a0d0a000d0a515549540a2111', 'hex'))
    assert.deepEqual([...begun[1]!.subarray(16, 20)].join('.'), client)
    // The same pod again, by a command this time.
    const { reloads } = gateway.module
    for (const name of ['v1', 'v2']) await gateway.change([sliceOf(name, 8002)])
    assert.equal((await sent(80, '', 'v1.example')).status, 503)
    for (const name of ['v1', 'v2']) await gateway.change([sliceOf(name, 8002, one)])
    assert.equal(gateway.module.reloads, reloads, trouble())
  }
})
