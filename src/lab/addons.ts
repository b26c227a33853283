import { familyOf } from '../addr/index.ts'
import { ApiError, type Client, type Resource } from '../client/index.ts'
import {
  type Deployment,
  Deployments,
  type KubeObject,
  Namespaces,
  type Service,
  ServiceAccounts,
  Services,
} from '../objects/index.ts'
import { hostAddress } from './addressing.ts'
import type { LabNetwork } from './config.ts'

/** The image that the lab runs itself: the cluster's DNS. */
export const dnsImage = 'plumb.network/dns'

const namespace = 'kube-system'
const labels = { 'k8s-app': 'kube-dns' }

const apiVersion = 'plumb.network/v1alpha1'
const ours = { group: 'plumb.network', version: 'v1alpha1', namespaced: false }
const ipAddressPools: Resource = { ...ours, plural: 'ipaddresspools', kind: 'IPAddressPool' }
const l2Advertisements: Resource = { ...ours, plural: 'l2advertisements', kind: 'L2Advertisement' }

/**
 * Creates what every cluster has beside the API itself: the cluster's DNS, under its usual names, the class of Gateways, and
 * external addresses for Services of type LoadBalancer. What exists is left as it is.
 */
export async function createAddons(client: Client, network: LabNetwork): Promise<void> {
  await create(client, Namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
  await Promise.all([
    create(client, ServiceAccounts, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'coredns', namespace },
    }),
    create(client, Deployments, dnsDeployment()),
    create(client, Services, dnsService(network)),
    create(client, ipAddressPools, defaultPool(network)),
    create(client, l2Advertisements, { apiVersion, kind: 'L2Advertisement', metadata: { name: 'default' } }),
  ])
}

/** External addresses on the nodes' segment, beside those of machines. */
function defaultPool({ nodePrefixes }: LabNetwork): KubeObject {
  const addresses = nodePrefixes.map((prefix) => `${hostAddress(prefix, 200)}-${hostAddress(prefix, 250)}`)
  return { apiVersion, kind: 'IPAddressPool', metadata: { name: 'default' }, spec: { addresses } } as KubeObject
}

async function create(client: Client, resource: Resource, object: KubeObject): Promise<void> {
  try {
    await client.create(resource, object)
  } catch (error) {
    if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error
  }
}

function dnsDeployment(): Deployment {
  const container = {
    name: 'coredns',
    image: dnsImage,
    ports: [
      { name: 'dns', containerPort: 53, protocol: 'UDP' as const },
      { name: 'dns-tcp', containerPort: 53, protocol: 'TCP' as const },
    ],
    readinessProbe: { tcpSocket: { port: 53 } },
  }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'coredns', namespace, labels },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
      template: {
        metadata: { labels },
        spec: {
          serviceAccountName: 'coredns',
          dnsPolicy: 'Default',
          containers: [container],
          tolerations: [{ key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }],
        },
      },
    },
  }
}

function dnsService({ dnsAddresses }: LabNetwork): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'kube-dns',
      namespace,
      labels: { ...labels, 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'CoreDNS' },
    },
    spec: {
      selector: labels,
      ...(dnsAddresses[0] === undefined ? {} : { clusterIP: dnsAddresses[0] }),
      clusterIPs: [...dnsAddresses],
      ipFamilies: dnsAddresses.map((address) => (familyOf(address) === 4 ? 'IPv4' : 'IPv6')),
      ipFamilyPolicy: dnsAddresses.length > 1 ? 'RequireDualStack' : 'SingleStack',
      ports: [
        { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 },
        { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 53 },
      ],
    },
  }
}
