import assert from 'node:assert/strict'
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { BalancedAgent } from './http.ts'
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
