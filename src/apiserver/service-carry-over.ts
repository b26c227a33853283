import type { Service } from '../objects/index.ts'
import { needsClusterIp, needsHealthCheckPort, needsNodePort } from './service-families.ts'

type Spec = Service['spec']

/**
 * Makes `clusterIP` and `clusterIPs` agree, keeps allocated values that an update leaves out, and drops those that the new
 * type does not have; before defaulting and validation, as upstream's REST layer of Services.
 */
export function carryOver(spec: Spec, old: Spec | undefined): void {
  normalizeClusterIps(spec, old)
  if (old === undefined) return
  if (needsClusterIp(old) && !needsClusterIp(spec)) dropClusterIps(spec, old)
  if (needsClusterIp(old) && needsClusterIp(spec) && !spec.clusterIP && !spec.clusterIPs?.length) {
    spec.clusterIP = old.clusterIP
    spec.clusterIPs = old.clusterIPs && [...old.clusterIPs]
  }
  if (needsNodePort(old)) carryNodePorts(spec, old)
  if (needsHealthCheckPort(old)) {
    if (needsHealthCheckPort(spec)) spec.healthCheckNodePort ||= old.healthCheckNodePort
    else if (spec.healthCheckNodePort === old.healthCheckNodePort) delete spec.healthCheckNodePort
  }
}

function normalizeClusterIps(spec: Spec, old: Spec | undefined): void {
  if (old === undefined) {
    if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP]
    return
  }
  const samePlural = JSON.stringify(spec.clusterIPs ?? []) === JSON.stringify(old.clusterIPs ?? [])
  if (!samePlural || (spec.clusterIP ?? '') === (old.clusterIP ?? '')) return
  // Only the singular was changed: it speaks for both.
  if (!spec.clusterIP) delete spec.clusterIPs
  else spec.clusterIPs = [spec.clusterIP]
}

function dropClusterIps(spec: Spec, old: Spec): void {
  if (spec.clusterIP !== undefined && spec.clusterIP !== '' && spec.clusterIP !== old.clusterIP) return
  delete spec.clusterIP
  delete spec.clusterIPs
  delete spec.ipFamilies
  delete spec.ipFamilyPolicy
}

function carryNodePorts(spec: Spec, old: Spec): void {
  const before = new Map((old.ports ?? []).map((port) => [`${port.protocol ?? 'TCP'}/${port.port}`, port.nodePort]))
  const numbers = new Set(before.values())
  for (const port of spec.ports ?? []) {
    if (!needsNodePort(spec)) {
      if (numbers.has(port.nodePort)) delete port.nodePort
    } else if (!port.nodePort) {
      const number = before.get(`${port.protocol ?? 'TCP'}/${port.port}`)
      // Another port of the new object may have asked for that very number.
      if (number && !spec.ports?.some((other) => other.nodePort === number)) port.nodePort = number
    }
  }
}
