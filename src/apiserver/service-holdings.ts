import { type Address, findAddress } from '../addr/index.ts'
import type { Service } from '../objects/index.ts'
import { isHeadless, needsClusterIp, needsHealthCheckPort, needsNodePort } from './service-families.ts'

type Spec = Service['spec']

/** What a Service holds of the address pools. */
export function addressesOf(spec: Spec): Address[] {
  if (!needsClusterIp(spec) || isHeadless(spec)) return []
  return (spec.clusterIPs ?? []).map(findAddress).filter((address) => address !== undefined)
}

/** What a Service holds of the port pool. */
export function portsOf(spec: Spec): number[] {
  const ports = needsNodePort(spec) ? (spec.ports ?? []).map((port) => port.nodePort ?? 0) : []
  if (needsHealthCheckPort(spec)) ports.push(spec.healthCheckNodePort ?? 0)
  return [...new Set(ports)].filter((port) => port !== 0)
}
