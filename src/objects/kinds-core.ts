import {
  configMapColumns,
  createdAtColumns,
  eventColumns,
  namespaceColumns,
  nodeColumns,
  secretColumns,
  serviceAccountColumns,
} from './columns-cluster.ts'
import { endpointsColumns, serviceColumns } from './columns-network.ts'
import { podColumns } from './columns-pod.ts'
import { defaultEndpoints } from './defaults-network.ts'
import { defaultPod } from './defaults-pod.ts'
import { defaultService } from './defaults-service.ts'
import { defineKind } from './define-kind.ts'
import { validateEvent } from './event.ts'
import { defaultNamespace, keepFinalizers, prepareNewNamespace } from './namespace.ts'
import { newPodStatus } from './pod-status.ts'
import { prepareChangedService, prepareNewService } from './prepare-service.ts'
import type { ConfigMap, Endpoints, KubeEvent, Namespace, Node, Pod, Secret, Service } from './types.ts'
import { defaultNode, validateNode } from './validate-cluster.ts'
import { defaultSecret, validateConfigMap, validateSecret } from './validate-config.ts'
import { validateEndpoints } from './validate-endpoints.ts'
import { validatePod } from './validate-pod.ts'
import { validateService, validateServiceStatus } from './validate-service.ts'

/** Namespaces. */
export const Namespaces = defineKind<Namespace>({
  kind: 'Namespace',
  plural: 'namespaces',
  shortNames: ['ns'],
  namespaced: false,
  subresources: ['finalize', 'status'],
  name: 'label',
  defaults: defaultNamespace,
  strategy: {
    status: true,
    newStatus: () => ({ phase: 'Active' }),
    onCreate: prepareNewNamespace,
    onUpdate: keepFinalizers,
  },
  columns: namespaceColumns,
  selectableFields: { 'status.phase': ({ status }) => status?.phase ?? '' },
})

/** Nodes. */
export const Nodes = defineKind<Node>({
  kind: 'Node',
  plural: 'nodes',
  shortNames: ['no'],
  namespaced: false,
  subresources: ['proxy', 'status'],
  strategy: { status: true, newStatus: 'keep' },
  defaults: defaultNode,
  validate: validateNode,
  columns: nodeColumns,
  selectableFields: { 'spec.unschedulable': ({ spec }) => String(spec?.unschedulable ?? false) },
})

/** Pods. */
export const Pods = defineKind<Pod>({
  kind: 'Pod',
  plural: 'pods',
  shortNames: ['po'],
  categories: ['all'],
  subresources: [
    'attach',
    'binding',
    'ephemeralcontainers',
    'eviction',
    'exec',
    'log',
    'portforward',
    'proxy',
    'status',
  ],
  strategy: {
    status: true,
    generation: true,
    newStatus: newPodStatus,
  },
  defaults: defaultPod,
  validate: validatePod,
  columns: podColumns,
  selectableFields: {
    'spec.nodeName': ({ spec }) => spec.nodeName ?? '',
    'spec.restartPolicy': ({ spec }) => spec.restartPolicy ?? '',
    'spec.schedulerName': ({ spec }) => spec.schedulerName ?? '',
    'spec.serviceAccountName': ({ spec }) => spec.serviceAccountName ?? '',
    'spec.hostNetwork': ({ spec }) => String(spec.hostNetwork ?? false),
    'status.phase': ({ status }) => status?.phase ?? '',
    'status.podIP': ({ status }) => status?.podIPs?.[0]?.ip ?? status?.podIP ?? '',
    'status.podIPs': ({ status }) => status?.podIPs?.[0]?.ip ?? status?.podIP ?? '',
    'status.nominatedNodeName': ({ status }) => (status as { nominatedNodeName?: string })?.nominatedNodeName ?? '',
  },
})

/** Services. */
export const Services = defineKind<Service>({
  kind: 'Service',
  plural: 'services',
  shortNames: ['svc'],
  categories: ['all'],
  subresources: ['proxy', 'status'],
  name: 'dns1035',
  strategy: {
    status: true,
    newStatus: () => ({ loadBalancer: {} }),
    onCreate: prepareNewService,
    onUpdate: prepareChangedService,
  },
  defaults: defaultService,
  validate: validateService,
  validateStatus: validateServiceStatus,
  columns: serviceColumns,
  selectableFields: {
    'spec.clusterIP': ({ spec }) => spec.clusterIP ?? '',
    'spec.type': ({ spec }) => spec.type ?? '',
  },
})

/** The old flat list of a Service's backends. */
export const EndpointsKind = defineKind<Endpoints>({
  kind: 'Endpoints',
  plural: 'endpoints',
  shortNames: ['ep'],
  defaults: defaultEndpoints,
  validate: validateEndpoints,
  columns: endpointsColumns,
})

/** Configuration data. */
export const ConfigMaps = defineKind<ConfigMap>({
  kind: 'ConfigMap',
  plural: 'configmaps',
  shortNames: ['cm'],
  validate: validateConfigMap,
  columns: configMapColumns,
})

/** Confidential data. */
export const Secrets = defineKind<Secret>({
  kind: 'Secret',
  plural: 'secrets',
  defaults: defaultSecret,
  validate: validateSecret,
  columns: secretColumns,
  selectableFields: { type: ({ type }) => type ?? '' },
})

/** Identities of pods. */
export const ServiceAccounts = defineKind({
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  shortNames: ['sa'],
  subresources: ['token'],
  columns: serviceAccountColumns,
})

/** What happened to an object. */
export const Events = defineKind<KubeEvent>({
  kind: 'Event',
  plural: 'events',
  shortNames: ['ev'],
  validate: validateEvent,
  columns: eventColumns,
  selectableFields: {
    ...Object.fromEntries(
      (['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'] as const).map((key) => [
        `involvedObject.${key}`,
        ({ involvedObject }: KubeEvent) => involvedObject?.[key] ?? '',
      ]),
    ),
    reason: ({ reason }) => reason ?? '',
    reportingComponent: ({ reportingComponent }) => reportingComponent ?? '',
    source: ({ source, reportingComponent }) => source?.component || (reportingComponent ?? ''),
    type: ({ type }) => type ?? '',
  },
})

/** Limits per container; stored only. */
export const LimitRanges = defineKind({
  kind: 'LimitRange',
  plural: 'limitranges',
  shortNames: ['limits'],
  columns: createdAtColumns,
})

/** Limits per namespace; stored only. */
export const ResourceQuotas = defineKind({
  kind: 'ResourceQuota',
  plural: 'resourcequotas',
  shortNames: ['quota'],
  subresources: ['status'],
  strategy: { status: true },
})
