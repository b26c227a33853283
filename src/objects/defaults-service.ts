import type { Service } from './types.ts'

/** ClientIP affinity lasts three hours unless told. */
const affinityTimeoutSeconds = 10800

/** Upstream's `SetDefaults_Service`. Addresses, node ports and IP families are allocated by the server, after this. */
export function defaultService(service: Service): void {
  service.spec ??= {}
  const { spec } = service
  spec.sessionAffinity ||= 'None'
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig
  else {
    spec.sessionAffinityConfig ??= {}
    spec.sessionAffinityConfig.clientIP ??= {}
    spec.sessionAffinityConfig.clientIP.timeoutSeconds ??= affinityTimeoutSeconds
  }
  spec.type ||= 'ClusterIP'
  for (const port of spec.ports ?? []) {
    port.protocol ||= 'TCP'
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '') port.targetPort = port.port
    if (port.nodePort === 0) delete port.nodePort
  }
  const external = spec.type === 'NodePort' || spec.type === 'LoadBalancer'
  if (external || (spec.type === 'ClusterIP' && (spec.externalIPs?.length ?? 0) > 0))
    spec.externalTrafficPolicy ||= 'Cluster'
  if (spec.type !== 'ExternalName') spec.internalTrafficPolicy ||= 'Cluster'
  if (spec.type === 'LoadBalancer') {
    spec.allocateLoadBalancerNodePorts ??= true
    defaultStatus(service)
  }
  if (spec.healthCheckNodePort === 0) delete spec.healthCheckNodePort
}

/** KEP-1860: an address of a load balancer is a VIP unless it says otherwise. */
function defaultStatus({ status }: Service): void {
  for (const ingress of status?.loadBalancer?.ingress ?? []) if (ingress.ip) ingress.ipMode ??= 'VIP'
}
