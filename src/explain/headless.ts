import { type Address, familyOf, findAddress } from '../addr/index.ts'
import { type Because, keyOf } from '../cluster/index.ts'
import type { EndpointSlice } from '../objects/index.ts'
import type { Question } from './answer.ts'

/** An endpoint that a headless Service's name stands for. */
export interface HeadlessEndpoint {
  readonly address: Address
  readonly port: number
  readonly node: string | undefined
  readonly because: Because
}

/** The ready endpoints on the port that is asked for: by number, by name, or the only one. IPv4 unless asked otherwise. */
export function headlessEndpoints(slices: readonly EndpointSlice[], question: Question): HeadlessEndpoint[] {
  return slices.flatMap((slice) => {
    const port = slicePort(slice, question)
    if (port === undefined) return []
    return slice.endpoints.flatMap(({ addresses, conditions, nodeName }, index): HeadlessEndpoint[] => {
      const address = findAddress(addresses[0] ?? '')
      if (address === undefined || familyOf(address) !== (question.family ?? 4) || conditions?.ready === false)
        return []
      const because = { object: `endpointslice/${keyOf(slice)}`, field: `endpoints[${index}]`, value: address }
      return [{ address, port, node: nodeName, because }]
    })
  })
}

function slicePort(slice: EndpointSlice, question: Question): number | undefined {
  if (question.transport === 'icmp') return 0
  const same = (slice.ports ?? []).filter((one) => (one.protocol ?? 'TCP').toLowerCase() === question.transport)
  if (question.port === undefined) return same[0]?.port
  const found = same.find((one) => one.name === question.port || one.port === question.port)?.port
  // A name without proxy in between: any port of the pod may be tried.
  return found ?? (typeof question.port === 'number' ? question.port : undefined)
}
