import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { createServer, get as getHttps } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { BalancedAgent, BalancedHttpsAgent } from './http.ts'
import { ordersOf, startReplicas } from './servers.fixture.ts'

const call = async (agent: BalancedAgent, url: string): Promise<string> => {
  const [answer] = (await once(get(url, { agent }), 'response')) as [IncomingMessage]
  return text(answer)
}

test('http.Agent: services by name, others as ever, failures counted', async (t) => {
  await using replicas = await startReplicas(3)
  const { balancers } = ordersOf(replicas, { policy: 'round-robin' })
  const agent = new BalancedAgent(balancers)
  t.after(() => agent.destroy())
  const names = new Set<string>()
  for (let i = 0; i < 6; i++) names.add(await call(agent, 'http://orders/'))
  assert.deepEqual([...names].sort(), ['r0', 'r1', 'r2'])
  assert.equal(await call(agent, `http://${replicas[2]!.address}/`), 'r2')
  replicas[0]!.answer = (_request, response) => response.writeHead(500).end()
  replicas[1]!.answer = (request) => request.socket.destroy()
  for (let i = 0; i < 6; i++) await call(agent, 'http://orders/').catch(() => undefined)
  const { instances } = balancers.get('orders').balancer.explain()
  assert.deepEqual(
    instances.map(({ failureRate }) => failureRate > 0),
    [true, true, false],
  )
  assert.deepEqual(
    instances.map(({ active }) => active),
    [0, 0, 0],
  )
  await assert.rejects(call(new BalancedAgent(ordersOf([]).balancers), 'http://orders/'), /no instances/)
})

test('https: the certificate of the service is asked for and checked, whichever instance shows it', async (t) => {
  const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1']
  const names = ['-subj', '/CN=orders', '-addext', 'subjectAltName=DNS:orders', '-keyout', '-', '-out', '-']
  const pem = execFileSync('openssl', [...words, ...names], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  const asked: string[] = []
  const replicas = await Promise.all(
    ['r0', 'r1'].map(async (name) => {
      const server = createServer({ key: pem, cert: pem }, (request, response) => {
        asked.push((request.socket as { servername?: string }).servername ?? '')
        response.end(name)
      })
      await once(server.listen(0, '127.0.0.1'), 'listening')
      t.after(() => server.close())
      const { port } = server.address() as AddressInfo
      return { address: `127.0.0.1:${port}` }
    }),
  )
  const { balancers } = ordersOf(replicas, { policy: 'round-robin' })
  const call = async (agent: BalancedHttpsAgent): Promise<string> => {
    const [answer] = (await once(getHttps('https://orders/', { agent }), 'response')) as [IncomingMessage]
    return text(answer)
  }
  const trusting = new BalancedHttpsAgent(balancers, { ca: pem })
  t.after(() => trusting.destroy())
  assert.deepEqual([await call(trusting), await call(trusting)].sort(), ['r0', 'r1'])
  assert.deepEqual(asked, ['orders', 'orders'])
  await assert.rejects(call(new BalancedHttpsAgent(balancers)), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
})
