// node caller.ts POLICY SECONDS PER_SECOND: calls http://orders by the given policy and prints a line of JSON for every call.

import { fetch } from 'undici'
import { BalancedDispatcher } from '../../packages/loadbalancer/src/binding/undici.ts'
import { endpointSlices, LoadBalancers, type PolicyName } from '../../packages/loadbalancer/src/index.ts'

const [policy = 'peak-ewma', seconds = '20', perSecond = '200'] = process.argv.slice(2)
const balancers = new LoadBalancers({
  clients: {
    orders: { policy: policy as PolicyName, discovery: endpointSlices({ service: 'orders' }), deadlineMs: 5000 },
  },
})
await balancers.ready()
const dispatcher = new BalancedDispatcher({ balancers })
const total = Number(seconds) * Number(perSecond)
const begun = performance.now()
const calls: Promise<void>[] = []

async function call(): Promise<void> {
  const at = performance.now()
  let status = 0
  let who = ''
  try {
    const answer = await fetch('http://orders/', { dispatcher })
    status = answer.status
    who = (await answer.text()).trim()
  } catch (error) {
    who = String((error as Error).cause ?? error)
  }
  const ms = performance.now() - at
  console.log(JSON.stringify({ at: Math.round(at - begun), ms: Math.round(ms * 10) / 10, status, who }))
}

await new Promise<void>((resolve) => {
  // Due by the clock and not by the tick, so that a late tick does not lower the load.
  const timer = setInterval(() => {
    const due = Math.min(total, Math.floor(((performance.now() - begun) / 1000) * Number(perSecond)))
    while (calls.length < due) calls.push(call())
    if (calls.length < total) return
    clearInterval(timer)
    resolve()
  }, 5)
})
await Promise.all(calls)
await dispatcher.close()
balancers.close()
