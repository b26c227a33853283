import { defineKind } from './define-kind.ts'

const group = 'networking.k8s.io'

/** A Service's backends, in slices. */
export const EndpointSlices = defineKind({
  group: 'discovery.k8s.io',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  strategy: { generation: true },
})

/** Who may talk to pods. */
export const NetworkPolicies = defineKind({
  group,
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  shortNames: ['netpol'],
  strategy: { generation: true },
})

/** HTTP routes into the cluster. */
export const Ingresses = defineKind({
  group,
  kind: 'Ingress',
  plural: 'ingresses',
  shortNames: ['ing'],
  subresources: ['status'],
  strategy: { status: true, generation: true, newStatus: () => ({ loadBalancer: {} }) },
})

/** Which controller serves an Ingress. */
export const IngressClasses = defineKind({
  group,
  kind: 'IngressClass',
  plural: 'ingressclasses',
  namespaced: false,
  strategy: { generation: true },
})

/** Ranges of Service addresses. */
export const ServiceCIDRs = defineKind({
  group,
  kind: 'ServiceCIDR',
  plural: 'servicecidrs',
  namespaced: false,
  subresources: ['status'],
  strategy: { status: true },
})

/** One allocated Service address. */
export const IPAddresses = defineKind({
  group,
  kind: 'IPAddress',
  plural: 'ipaddresses',
  shortNames: ['ip'],
  namespaced: false,
})
