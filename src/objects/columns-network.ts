import { ageColumn, nameColumn, text, wide } from './column.ts'
import { balancerAddresses, renderLabels, renderSelector, renderSome } from './column-text.ts'
import type { Column } from './contract.ts'
import type { NetworkPolicy } from './defaults-network.ts'
import type { EndpointSlice, Endpoints, KubeObject, LabelSelector, Service } from './types.ts'
import type { IPAddress, ServiceCIDR } from './validate-cluster.ts'
import type { Ingress } from './validate-network.ts'

function externalAddress({ spec, status }: Service): string {
  const given = spec.externalIPs ?? []
  switch (spec.type) {
    case 'ExternalName':
      return spec.externalName ?? ''
    case 'LoadBalancer': {
      const balancer = balancerAddresses(status?.loadBalancer)
      return [...given, ...balancer].join(',') || '<pending>'
    }
    default:
      return given.join(',') || '<none>'
  }
}

function servicePorts({ spec }: Service): string {
  const ports = (spec.ports ?? []).map(({ port, nodePort, protocol }) =>
    nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
  )
  return ports.join(',') || '<none>'
}

/** `kubectl get services`. */
export const serviceColumns: readonly Column[] = [
  nameColumn,
  text<Service>('Type', 'How the Service is exposed.', ({ spec }) => spec.type ?? ''),
  text<Service>(
    'Cluster-IP',
    'The virtual address inside the cluster.',
    ({ spec }) => spec.clusterIPs?.[0] || spec.clusterIP || '<none>',
  ),
  text<Service>('External-IP', 'Addresses or names for clients outside the cluster.', externalAddress),
  text<Service>('Port(s)', 'Ports, with the node port where there is one.', servicePorts),
  ageColumn,
  wide(text<Service>('Selector', 'Labels of the pods behind the Service.', ({ spec }) => renderLabels(spec.selector))),
]

/** `kubectl get endpointslices`. */
export const endpointSliceColumns: readonly Column[] = [
  nameColumn,
  text<EndpointSlice>('AddressType', 'The type of all addresses in the slice.', ({ addressType }) => addressType),
  text<EndpointSlice>('Ports', 'The ports of every endpoint.', ({ ports }) =>
    renderSome(
      (ports ?? []).map(({ port, name }) => (port === undefined ? name || '*' : String(port))),
      '<unset>',
    ),
  ),
  text<EndpointSlice>('Endpoints', 'The addresses of the endpoints.', ({ endpoints }) =>
    renderSome(
      (endpoints ?? []).flatMap(({ addresses }) => addresses ?? []),
      '<unset>',
    ),
  ),
  ageColumn,
]

function joinHostPort(ip: string, port: number | undefined): string {
  if (port === undefined) return ip
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`
}

/** `kubectl get endpoints`. */
export const endpointsColumns: readonly Column[] = [
  nameColumn,
  text<Endpoints>('Endpoints', 'The ready addresses with their ports.', ({ subsets = [] }) =>
    renderSome(
      subsets.flatMap(({ addresses = [], ports = [] }) =>
        ports.length === 0
          ? addresses.map(({ ip }) => ip)
          : ports.flatMap(({ port }) => addresses.map(({ ip }) => joinHostPort(ip, port))),
      ),
      '<none>',
    ),
  ),
  ageColumn,
]

/** `kubectl get ingresses`. */
export const ingressColumns: readonly Column[] = [
  nameColumn,
  text<Ingress>('Class', 'The IngressClass that serves it.', ({ spec }) => spec?.ingressClassName ?? '<none>'),
  text<Ingress>('Hosts', 'The hosts that the rules are for.', ({ spec }) =>
    renderSome(
      (spec?.rules ?? []).map(({ host }) => host || '*'),
      '*',
    ),
  ),
  text<Ingress>('Address', 'Where the load balancer answers.', ({ status }) =>
    balancerAddresses(status?.loadBalancer).join(','),
  ),
  text<Ingress>('Ports', 'The ports that are open.', ({ spec }) => (spec?.tls?.length ? '80, 443' : '80')),
  ageColumn,
]

interface IngressClass extends KubeObject {
  spec?: { controller?: string; parameters?: { apiGroup?: string; kind: string; name: string } }
}

/** `kubectl get ingressclasses`. */
export const ingressClassColumns: readonly Column[] = [
  nameColumn,
  text<IngressClass>('Controller', 'The controller that serves this class.', ({ spec }) => spec?.controller ?? ''),
  text<IngressClass>('Parameters', "The controller's own configuration.", ({ spec }) => {
    const { apiGroup, kind = '', name = '' } = spec?.parameters ?? {}
    if (spec?.parameters === undefined) return '<none>'
    return apiGroup === undefined ? `${kind}/${name}` : `${kind}.${apiGroup}/${name}`
  }),
  ageColumn,
]

/** `kubectl get networkpolicies`. */
export const networkPolicyColumns: readonly Column[] = [
  nameColumn,
  text<NetworkPolicy>('Pod-Selector', 'The pods that the policy is about.', ({ spec }) =>
    renderSelector(spec?.podSelector as LabelSelector | undefined),
  ),
  ageColumn,
]

/** `kubectl get servicecidrs`. */
export const serviceCIDRColumns: readonly Column[] = [
  nameColumn,
  text<ServiceCIDR>('CIDRs', 'The ranges of Service addresses.', ({ spec }) => (spec?.cidrs ?? []).join(',')),
  ageColumn,
]

/** `kubectl get ipaddresses`. */
export const ipAddressColumns: readonly Column[] = [
  nameColumn,
  text<IPAddress>('ParentRef', 'The object that uses the address.', ({ spec }) => {
    const { group, resource = '', namespace, name = '' } = spec?.parentRef ?? {}
    const what = group ? `${resource}.${group}` : resource
    return [what, namespace, name].filter((part) => part !== undefined && part !== '').join('/')
  }),
  ageColumn,
]
