import { defineKind } from './define-kind.ts'

/** Namespaces. */
export const Namespaces = defineKind({
  kind: 'Namespace',
  plural: 'namespaces',
  shortNames: ['ns'],
  namespaced: false,
  subresources: ['finalize', 'status'],
  name: 'label',
  strategy: { status: true },
})

/** Nodes. */
export const Nodes = defineKind({
  kind: 'Node',
  plural: 'nodes',
  shortNames: ['no'],
  namespaced: false,
  subresources: ['proxy', 'status'],
  strategy: { status: true, newStatus: 'keep' },
})

/** Pods. */
export const Pods = defineKind({
  kind: 'Pod',
  plural: 'pods',
  shortNames: ['po'],
  categories: ['all'],
  subresources: ['attach', 'binding', 'eviction', 'exec', 'log', 'portforward', 'proxy', 'status'],
  strategy: { status: true, generation: true },
})

/** Services. */
export const Services = defineKind({
  kind: 'Service',
  plural: 'services',
  shortNames: ['svc'],
  categories: ['all'],
  subresources: ['proxy', 'status'],
  name: 'dns1035',
  strategy: { status: true, newStatus: () => ({ loadBalancer: {} }) },
})

/** The old flat list of a Service's backends. */
export const EndpointsKind = defineKind({ kind: 'Endpoints', plural: 'endpoints', shortNames: ['ep'] })

/** Configuration data. */
export const ConfigMaps = defineKind({ kind: 'ConfigMap', plural: 'configmaps', shortNames: ['cm'] })

/** Confidential data. */
export const Secrets = defineKind({ kind: 'Secret', plural: 'secrets' })

/** Identities of pods. */
export const ServiceAccounts = defineKind({
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  shortNames: ['sa'],
  subresources: ['token'],
})

/** What happened to an object. */
export const Events = defineKind({ kind: 'Event', plural: 'events', shortNames: ['ev'] })

/** Claims of storage; stored only. */
export const PersistentVolumeClaims = defineKind({
  kind: 'PersistentVolumeClaim',
  plural: 'persistentvolumeclaims',
  shortNames: ['pvc'],
  subresources: ['status'],
  strategy: { status: true },
})

/** Limits per container; stored only. */
export const LimitRanges = defineKind({ kind: 'LimitRange', plural: 'limitranges', shortNames: ['limits'] })

/** Limits per namespace; stored only. */
export const ResourceQuotas = defineKind({
  kind: 'ResourceQuota',
  plural: 'resourcequotas',
  shortNames: ['quota'],
  subresources: ['status'],
  strategy: { status: true },
})
