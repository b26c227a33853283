import { type Address, type Family, familyOf, findAddress } from '../addr/index.ts'
import { type Because, keyOf } from '../cluster/index.ts'
import type { Service } from '../objects/index.ts'
import type { Question } from './answer.ts'

/** What clients outside ask for when they mean a Service, or why there is nothing. */
export type Outward =
  | { readonly kind: 'ask'; readonly question: Question; readonly says: string; readonly because: Because }
  | { readonly kind: 'nothing'; readonly says: string; readonly because: Because }

/**
 * A Service for a client outside: it cannot use the name, whose ClusterIP is for the cluster, and asks for the external address. Undefined
 * for a manifest that has none yet: what is there cannot tell where it will be.
 */
export function askFromOutside(question: Question, service: Service, client: Address): Outward | undefined {
  const { type = 'ClusterIP', externalIPs = [], ports = [] } = service.spec
  const object = `service/${keyOf(service)}`
  const given = service.status?.loadBalancer?.ingress?.flatMap(({ ip = '' }) => ip) ?? []
  const addresses = [...given, ...externalIPs].flatMap((text) => findAddress(text) ?? [])
  const family: Family = question.family ?? familyOf(client)
  const address = addresses.find((one) => familyOf(one) === family)
  const same = ports.filter(({ protocol = 'TCP' }) => protocol.toLowerCase() === question.transport)
  const port =
    typeof question.port === 'number'
      ? question.port
      : (same.find(({ name }) => name === question.port) ?? (same.length === 1 ? same[0] : undefined))?.port
  if (address !== undefined && port !== undefined) {
    const field = given.includes(address) ? 'status.loadBalancer.ingress' : 'spec.externalIPs'
    const says = `clients outside ask for ${object} at ${address}`
    const because = { object, field, value: addresses.join(', ') }
    return { kind: 'ask', question: { ...question, to: { kind: 'address', address }, port }, says, because }
  }
  if (addresses.length > 0) {
    const says = `${object} has no external IPv${family} address, only ${addresses.join(', ')}`
    const because = { object, field: 'status.loadBalancer.ingress', value: addresses.join(', ') }
    return address === undefined ? { kind: 'nothing', says, because } : undefined
  }
  const nodePort = same.find((one) => port === undefined || one.port === port)?.nodePort
  const atNodes = nodePort === undefined ? '' : `; node addresses lead to it at port ${nodePort}`
  if (type === 'LoadBalancer') {
    if (service.metadata.uid === undefined) return undefined
    const refusal = service.status?.conditions?.find(({ status, message }) => status === 'False' && message)
    const why = refusal === undefined ? ' yet: nobody has given it one' : `: ${refusal.message}`
    const because = { object, field: 'status.loadBalancer.ingress', value: '' }
    return { kind: 'nothing', says: `${object} has no external address${why}${atNodes}`, because }
  }
  if (type !== 'NodePort' && type !== 'ClusterIP') return undefined
  const remedy = type === 'NodePort' ? atNodes : '; give it type LoadBalancer or NodePort, or a route of a Gateway'
  const says = `${object} has no address for clients outside: it is of type ${type}${remedy}`
  return { kind: 'nothing', says, because: { object, field: 'spec.type', value: type } }
}
