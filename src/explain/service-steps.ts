import { type Address, familyOf } from '../addr/index.ts'
import type { ServiceAnswer } from '../services/index.ts'
import type { Step } from './answer.ts'
import type { Destination } from './destination.ts'
import type { Source } from './end.ts'

/** What a node's Services do to the connection, step by step, with what the kernel can be asked. */
export function serviceSteps(source: Source, answer: ServiceAnswer, destination: Destination): Step[] {
  const { node, addresses } = source
  const { address, port, transport } = destination
  const inside = answer.steps.some(({ kind }) => kind === 'inside')
  // Who may not come is dropped before the maps are asked: they hold the endpoints for everybody else.
  const asks =
    transport !== 'icmp' && !(answer.outcome.kind === 'drop' && answer.outcome.reason === 'source-not-allowed')
  const expect =
    answer.outcome.kind === 'balance'
      ? answer.outcome.targets.map((one) => ({ address: one.address, port: one.port }))
      : []
  const client = addresses.find((one) => familyOf(one) === familyOf(address))
  const who = client === undefined ? {} : { client }
  const steps = answer.steps.flatMap((one): Step[] => {
    switch (one.kind) {
      case 'candidate':
        // The chosen ones have their own ways below.
        return one.probability > 0 ? [] : [{ stage: 'endpoint', node, says: one.says, because: one.because }]
      case 'address':
      case 'no-port':
        return [{ stage: 'service', node, says: one.says, because: one.because }]
      case 'port':
        return [
          {
            stage: 'service',
            node,
            says: one.says,
            because: one.because,
            ...(asks
              ? { observation: { kind: 'frontend', node, address, transport, port, ...who, inside, expect } }
              : {}),
          },
        ]
      case 'outcome':
      case 'sources':
      case 'inside':
      case 'affinity':
      case 'drain':
      case 'hashing':
      case 'survival':
        return [{ stage: 'service', node, says: one.says, because: one.because }]
      case 'unallocated':
      case 'not-a-service':
        return [{ stage: 'service', node, says: one.says }]
      default:
        return one satisfies never
    }
  })
  return answer.outcome.kind === 'balance' ? [...steps, ...ownRoute(source, address)] : steps
}

/** What a node itself sends is routed before its rules lead it on: a connection without a route for the Service's own address fails at once. */
function ownRoute({ node, pod, outside, forwarded }: Source, destination: Address): Step[] {
  if (outside === true || forwarded === true || (pod !== undefined && pod.spec.hostNetwork !== true)) return []
  const says = `${node} has a route that covers ${destination}, by which what it sends itself begins`
  return [{ stage: 'route', node, says, observation: { kind: 'route', node, destination, expect: {} } }]
}
