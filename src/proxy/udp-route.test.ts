import assert from 'node:assert/strict'
import { closeSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { host, openUdp, serveUdp } from '../agent/rig.fixture.ts'
import type { KubeObject, Service } from '../objects/index.ts'
import { gatewayClass, gatewayOf, routeOf, sliceOf, to } from './gateway-objects.fixture.ts'
import { GatewayRig } from './rig.fixture.ts'

let gateway: GatewayRig
const open: { close(): void }[] = []
const address = '203.0.113.1' as Parameters<ReturnType<typeof openUdp>['ask']>[0]

before(async () => {
  gateway = new GatewayRig()
  for (const station of gateway.rig.backends) open.push(serveUdp(station, 4, 5300))
  const [one, two] = gateway.rig.backends
  const ports = [{ port: 80, protocol: 'UDP' as const }]
  const services = ['a', 'b'].map(
    (name): Service => ({ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'ns' }, spec: { ports } }),
  )
  const slices = [sliceOf('a', 5300, one), sliceOf('b', 5300, two)].map((slice) => ({
    ...slice,
    ports: [{ name: '', port: 5300, protocol: 'UDP' as const }],
  }))
  const [object, service] = gatewayOf('gw', [{ name: 'udp', port: 53, protocol: 'UDP' }]) as [KubeObject, Service]
  const bound = { ...service, spec: { ports: [{ port: 53, targetPort: 20_053, protocol: 'UDP' }] } } as Service
  await gateway.change([gatewayClass, object, bound, ...services, ...slices])
})
after(async () => {
  for (const one of open) one.close()
  await gateway.close()
})

/** What a client that is new, with a port of its own, is answered; asked again, it is answered the same. */
async function askAnew(): Promise<string> {
  const client = openUdp(gateway.rig.outsider, 4)
  try {
    const first = await client.ask(address, 20_053)
    assert.equal(await client.ask(address, 20_053), first, 'a client keeps its pod')
    return first.split(' ')[0] ?? ''
  } finally {
    client.close()
  }
}

const route = (weightA: number, weightB: number) =>
  routeOf('UDPRoute', 'dns', [{ backendRefs: [to('a', { weight: weightA }), to('b', { weight: weightB })] }])

test('datagrams go to pods by weight, and answers come back', { timeout: 60_000 }, async () => {
  await gateway.change([route(3, 1)])
  const count: Record<string, number> = {}
  for (let at = 0; at < 80; at++) {
    const name = await askAnew()
    count[name] = (count[name] ?? 0) + 1
  }
  const share = (count['backend-1'] ?? 0) / 80
  assert.ok(share > 0.55 && share < 0.92, JSON.stringify(count))
  await gateway.change([route(1, 0)])
  for (let at = 0; at < 10; at++) assert.equal(await askAnew(), 'backend-1')
})

test('a client whose pod goes away gets another one with its next datagram', async () => {
  await gateway.change([route(1, 0)])
  const client = openUdp(gateway.rig.outsider, 4)
  open.push(client)
  assert.match(await client.ask(address, 20_053), /^backend-1 /)
  await gateway.change([route(0, 1)])
  assert.match(await client.ask(address, 20_053), /^backend-2 /)
})

test('the port is free when the Gateway is gone', async () => {
  const bind = (): void => closeSync(host.bindUdp(gateway.rig.node, address, 20_053).fd)
  assert.throws(bind, /EADDRINUSE|in use/)
  await gateway.change([], [gatewayOf('gw', [])[0]!])
  bind()
})
