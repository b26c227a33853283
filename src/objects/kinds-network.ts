import {
  endpointSliceColumns,
  ingressClassColumns,
  ingressColumns,
  ipAddressColumns,
  networkPolicyColumns,
  serviceCIDRColumns,
} from './columns-network.ts'
import { defaultEndpointSlice, defaultNetworkPolicy, type NetworkPolicy } from './defaults-network.ts'
import { defineKind } from './define-kind.ts'
import type { EndpointSlice } from './types.ts'
import { type IPAddress, type ServiceCIDR, validateIPAddress, validateServiceCIDR } from './validate-cluster.ts'
import { validateEndpointSlice } from './validate-endpoints.ts'
import { type Ingress, validateIngress, validateNetworkPolicy } from './validate-network.ts'

const group = 'networking.k8s.io'

/** A Service's backends, in slices. */
export const EndpointSlices = defineKind<EndpointSlice>({
  group: 'discovery.k8s.io',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  strategy: { generation: true },
  defaults: defaultEndpointSlice,
  validate: validateEndpointSlice,
  columns: endpointSliceColumns,
})

/** Who may talk to pods. */
export const NetworkPolicies = defineKind<NetworkPolicy>({
  group,
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  shortNames: ['netpol'],
  strategy: { generation: true },
  defaults: defaultNetworkPolicy,
  validate: validateNetworkPolicy,
  columns: networkPolicyColumns,
})

/** HTTP routes into the cluster. */
export const Ingresses = defineKind<Ingress>({
  group,
  kind: 'Ingress',
  plural: 'ingresses',
  shortNames: ['ing'],
  subresources: ['status'],
  strategy: { status: true, generation: true, newStatus: () => ({ loadBalancer: {} }) },
  validate: validateIngress,
  columns: ingressColumns,
})

/** Which controller serves an Ingress. */
export const IngressClasses = defineKind({
  group,
  kind: 'IngressClass',
  plural: 'ingressclasses',
  namespaced: false,
  strategy: { generation: true },
  columns: ingressClassColumns,
})

/** Ranges of Service addresses. */
export const ServiceCIDRs = defineKind<ServiceCIDR>({
  group,
  kind: 'ServiceCIDR',
  plural: 'servicecidrs',
  namespaced: false,
  subresources: ['status'],
  strategy: { status: true },
  validate: validateServiceCIDR,
  columns: serviceCIDRColumns,
})

/** One allocated Service address. */
export const IPAddresses = defineKind<IPAddress>({
  group,
  kind: 'IPAddress',
  plural: 'ipaddresses',
  shortNames: ['ip'],
  namespaced: false,
  name: 'address',
  validate: validateIPAddress,
  columns: ipAddressColumns,
})
