import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { serviceOf, sliceOf } from './gateway-objects.fixture.ts'
import { ingressOf, plumbClass } from './ingress-objects.fixture.ts'
import { exchange } from './raw-clients.fixture.ts'
import { GatewayRig } from './rig.fixture.ts'

let gateway: GatewayRig
const open: Socket[] = []

before(async () => {
  gateway = new GatewayRig()
  const [one] = gateway.rig.backends
  gateway.serve(one, 8001)
  const large = gateway.serve(one, 8002)
  large.removeAllListeners('request')
  large.on('request', (_, answer) => answer.end(Buffer.alloc(50_000_000)))
  const services = [serviceOf('a'), sliceOf('a', 8001, one), serviceOf('large'), sliceOf('large', 8002, one)]
  await gateway.change([plumbClass, ...services])
  await gateway.change([ingressOf('web', 'a.example', {}, 'a'), ingressOf('large', 'large.example', {}, 'large')])
})
after(async () => {
  for (const socket of open) socket.destroy()
  await gateway.close()
})

const ask = async (): Promise<number> => {
  const { status = 0 } = await exchange(gateway.connect(80), 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n')
  return status
}

function begin(bytes: string): Socket {
  const socket = gateway.connect(80)
  socket.on('error', () => {})
  socket.write(bytes)
  open.push(socket)
  return socket
}

test('hundreds of clients that are slow with heads, bodies and reading keep nobody else waiting; slow heads are ended', {
  timeout: 60_000,
}, async (t) => {
  const begun = performance.now()
  const heads = Array.from({ length: 200 }, () => begin('GET / HTTP/1.1\r\nHost: a.example\r\nX: '))
  const ended = heads.map(async (socket) => {
    let said = ''
    socket.on('data', (data: Buffer) => {
      said += data.toString()
    })
    await once(socket, 'close')
    return said
  })
  // A letter now and then does not make a head any faster.
  const drip = setInterval(() => {
    for (const socket of heads) if (socket.writable) socket.write('x')
  }, 500)
  for (let at = 0; at < 100; at++) {
    begin('POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100000\r\n\r\nx')
    begin('GET / HTTP/1.1\r\nHost: large.example\r\n\r\n').pause()
  }
  try {
    for (let at = 0; at < 20; at++) assert.equal(await ask(), 200, gateway.log.lines.join('\n'))
    const said = await Promise.all(ended)
    t.diagnostic(`slow heads were ended after ${Math.round((performance.now() - begun) / 1000)} s`)
    for (const one of said) assert.match(one, /^HTTP\/1\.1 408 /)
    assert.equal(await ask(), 200)
    const flows = gateway.module.flows({}).flows.filter(({ status }) => status === 408)
    assert.ok(flows.length >= 200, `${flows.length} of them are in the log`)
    assert.equal(flows[0]?.by, 'client')
  } finally {
    clearInterval(drip)
  }
})
