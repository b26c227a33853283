import type { FieldError } from './contract.ts'
import { forbidden, invalid, notSupported, required } from './field-error.ts'
import { validateAddress, validatePrefix, validateReachable } from './ip-rules.ts'
import { dns1123Subdomain, portNumber, qualifiedNameRule } from './names.ts'
import { externallyAccessible } from './prepare-service.ts'
import type { Service } from './types.ts'
import { validateLabels } from './validate-metadata.ts'
import { validateChangedAddresses, validateServiceAddresses } from './validate-service-addresses.ts'
import { validateServicePorts } from './validate-service-ports.ts'

type Spec = Service['spec']

const kubeletPort = 10250
const maxAffinitySeconds = 86400
const sourceRangesAnnotation = 'service.beta.kubernetes.io/load-balancer-source-ranges'
const onlyLoadBalancer = "may only be used when `type` is 'LoadBalancer'"

/** Upstream's `ValidateService` and `ValidateServiceUpdate`, metadata aside. What the server allocates (addresses, families, node ports, health check port) may still be missing. */
export function validateService(service: Service, old: Service | undefined): FieldError[] {
  const { spec } = service
  const errors = [
    ...validateType(spec),
    ...validateServicePorts(spec),
    ...validateLabels(spec.selector, 'spec.selector'),
    ...validateAffinity(spec),
    ...validateServiceAddresses(spec),
    ...(spec.externalIPs ?? []).flatMap((ip, index) => validateReachable(`spec.externalIPs[${index}]`, ip)),
    ...validateSourceRanges(service),
    ...validateLoadBalancer(spec, old?.spec),
    ...validatePolicies(spec),
  ]
  if (old !== undefined) errors.push(...validateChangedAddresses(spec, old.spec))
  return errors
}

/** Upstream's `ValidateServiceStatusUpdate`. */
export function validateServiceStatus({ spec, status }: Service): FieldError[] {
  const path = 'status.loadBalancer.ingress'
  const ingress = status?.loadBalancer?.ingress ?? []
  if (ingress.length > 0 && spec.type !== 'LoadBalancer')
    return [forbidden(path, 'may only be used when `spec.type` is "LoadBalancer"')]
  return ingress.flatMap(({ ip, hostname, ipMode }, index) => {
    const errors: FieldError[] = []
    const at = `${path}[${index}]`
    if (ip) errors.push(...validateAddress(`${at}.ip`, ip))
    if (ip && ipMode === undefined) errors.push(required(`${at}.ipMode`, 'must be specified when `ip` is set'))
    if (!ip && ipMode !== undefined) errors.push(forbidden(`${at}.ipMode`, 'may not be specified when `ip` is not set'))
    if (ipMode !== undefined && ipMode !== 'VIP' && ipMode !== 'Proxy')
      errors.push(notSupported(`${at}.ipMode`, ipMode, ['VIP', 'Proxy']))
    if (hostname) {
      errors.push(...dns1123Subdomain(hostname).map((problem) => invalid(`${at}.hostname`, hostname, problem)))
      if (/^[\d.]+$/.test(hostname))
        errors.push(invalid(`${at}.hostname`, hostname, 'must be a DNS name, not an IP address'))
    }
    return errors
  })
}

function validateType(spec: Spec): FieldError[] {
  const errors: FieldError[] = []
  const headless = spec.clusterIPs?.[0] === 'None'
  if (!spec.ports?.length && !headless && spec.type !== 'ExternalName') errors.push(required('spec.ports'))
  switch (spec.type) {
    case 'ClusterIP':
      break
    case 'LoadBalancer':
    case 'NodePort':
      if (headless)
        errors.push(invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${spec.type} services`))
      for (const [index, { port }] of (spec.ports ?? []).entries())
        if (spec.type === 'LoadBalancer' && port === kubeletPort)
          errors.push(
            invalid(
              `spec.ports[${index}]`,
              port,
              `may not expose port ${kubeletPort} externally since it is used by kubelet`,
            ),
          )
      break
    case 'ExternalName':
      errors.push(...validateExternalName(spec))
      break
    default:
      errors.push(
        spec.type
          ? notSupported('spec.type', spec.type, ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'])
          : required('spec.type'),
      )
  }
  return errors
}

function validateExternalName(spec: Spec): FieldError[] {
  const errors = (['clusterIPs', 'ipFamilies', 'ipFamilyPolicy'] as const)
    .filter((key) => spec[key] !== undefined && spec[key].length > 0)
    .map((key) => forbidden(`spec.${key}`, 'may not be set for ExternalName services'))
  // A trailing dot marks the name as fully qualified.
  const name = (spec.externalName ?? '').replace(/\.$/, '')
  if (name === '') errors.push(required('spec.externalName'))
  else errors.push(...dns1123Subdomain(name).map((problem) => invalid('spec.externalName', name, problem)))
  return errors
}

function validateAffinity({ sessionAffinity, sessionAffinityConfig }: Spec): FieldError[] {
  const path = 'spec.sessionAffinityConfig'
  if (!sessionAffinity) return [required('spec.sessionAffinity')]
  if (sessionAffinity === 'None')
    return sessionAffinityConfig === undefined ? [] : [forbidden(path, 'must not be set when session affinity is None')]
  if (sessionAffinity !== 'ClientIP')
    return [notSupported('spec.sessionAffinity', sessionAffinity, ['ClientIP', 'None'])]
  const why = 'when session affinity type is ClientIP'
  if (sessionAffinityConfig === undefined) return [required(path, why)]
  if (sessionAffinityConfig.clientIP === undefined) return [required(`${path}.clientIP`, why)]
  const { timeoutSeconds } = sessionAffinityConfig.clientIP
  if (timeoutSeconds === undefined) return [required(`${path}.clientIP.timeoutSeconds`, why)]
  if (timeoutSeconds > 0 && timeoutSeconds <= maxAffinitySeconds) return []
  const range = `must be greater than 0 and less than ${maxAffinitySeconds}`
  return [invalid(`${path}.clientIP.timeoutSeconds`, timeoutSeconds, range)]
}

function validateSourceRanges({ metadata, spec }: Service): FieldError[] {
  const ranges = spec.loadBalancerSourceRanges ?? []
  if (ranges.length > 0) {
    // Upstream spells this path with a capital L.
    const path = 'spec.LoadBalancerSourceRanges'
    const misplaced = spec.type === 'LoadBalancer' ? [] : [forbidden(path, onlyLoadBalancer)]
    return [...misplaced, ...ranges.flatMap((range, index) => validatePrefix(`${path}[${index}]`, range.trim()))]
  }
  const annotation = metadata.annotations?.[sourceRangesAnnotation]
  if (annotation === undefined) return []
  const path = `metadata.annotations[${sourceRangesAnnotation}]`
  if (spec.type !== 'LoadBalancer') return [forbidden(path, onlyLoadBalancer)]
  const sound =
    annotation.trim() === '' || annotation.split(',').every((item) => validatePrefix('', item.trim()).length === 0)
  return sound
    ? []
    : [invalid(path, annotation, 'must be a comma separated list of CIDRs e.g. 192.168.0.0/16,10.0.0.0/8')]
}

function validateLoadBalancer(spec: Spec, old: Spec | undefined): FieldError[] {
  const errors: FieldError[] = []
  const { allocateLoadBalancerNodePorts, loadBalancerClass } = spec
  const isLoadBalancer = spec.type === 'LoadBalancer'
  if (isLoadBalancer && allocateLoadBalancerNodePorts === undefined)
    errors.push(required('spec.allocateLoadBalancerNodePorts'))
  if (!isLoadBalancer && allocateLoadBalancerNodePorts !== undefined)
    errors.push(forbidden('spec.allocateLoadBalancerNodePorts', onlyLoadBalancer))
  if (old?.type === 'LoadBalancer' && isLoadBalancer && old.loadBalancerClass !== loadBalancerClass)
    errors.push(invalid('spec.loadBalancerClass', loadBalancerClass, 'may not change once set'))
  if (loadBalancerClass === undefined) return errors
  if (!isLoadBalancer) errors.push(forbidden('spec.loadBalancerClass', onlyLoadBalancer))
  else
    errors.push(
      ...qualifiedNameRule(loadBalancerClass).map((problem) =>
        invalid('spec.loadBalancerClass', loadBalancerClass, problem),
      ),
    )
  return errors
}

function validatePolicies(spec: Spec): FieldError[] {
  const errors: FieldError[] = []
  const { externalTrafficPolicy, internalTrafficPolicy, healthCheckNodePort, trafficDistribution } = spec
  const policies = ['Cluster', 'Local']
  if (!externallyAccessible(spec)) {
    if (externalTrafficPolicy)
      errors.push(
        invalid(
          'spec.externalTrafficPolicy',
          externalTrafficPolicy,
          'may only be set for externally-accessible services',
        ),
      )
  } else if (!externalTrafficPolicy) errors.push(required('spec.externalTrafficPolicy'))
  else if (!policies.includes(externalTrafficPolicy))
    errors.push(notSupported('spec.externalTrafficPolicy', externalTrafficPolicy, policies))
  if (spec.type !== 'LoadBalancer' || externalTrafficPolicy !== 'Local') {
    const where = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
    if (healthCheckNodePort) errors.push(invalid('spec.healthCheckNodePort', healthCheckNodePort, where))
  } else if (healthCheckNodePort)
    errors.push(
      ...portNumber(healthCheckNodePort).map((problem) =>
        invalid('spec.healthCheckNodePort', healthCheckNodePort, problem),
      ),
    )
  if (spec.type !== 'ExternalName' && internalTrafficPolicy === undefined)
    errors.push(required('spec.internalTrafficPolicy'))
  if (internalTrafficPolicy !== undefined && !policies.includes(internalTrafficPolicy))
    errors.push(notSupported('spec.internalTrafficPolicy', internalTrafficPolicy, policies))
  const distributions = ['PreferClose', 'PreferSameNode', 'PreferSameZone']
  if (trafficDistribution !== undefined && !distributions.includes(trafficDistribution))
    errors.push(notSupported('spec.trafficDistribution', trafficDistribution, distributions))
  return errors
}
