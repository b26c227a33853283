import { snapshotOf } from '../cluster/index.ts'
import type { Endpoint, EndpointSlice, KubeObject, Pod, Service } from '../objects/index.ts'

export function service(key: string, spec: Service['spec']): Service {
  const [namespace = '', name = ''] = key.split('/')
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec }
}

export function slice(key: string, addressType: 'IPv4' | 'IPv6', endpoints: Endpoint[], port = 5432): EndpointSlice {
  const [namespace = '', name = ''] = key.split('/')
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${name}-${addressType.toLowerCase()}`,
      namespace,
      labels: { 'kubernetes.io/service-name': name },
    },
    addressType,
    endpoints,
    ports: [{ name: 'Pg', protocol: 'TCP', port }],
  }
}

export function pod(key: string, ip: string): Pod {
  const [namespace = '', name = ''] = key.split('/')
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace },
    spec: { nodeName: 'n', containers: [] },
    status: { phase: 'Running', podIP: ip, podIPs: [{ ip }] },
  }
}

const at = (address: string, hostname?: string, ready = true): Endpoint => ({
  addresses: [address],
  conditions: { ready },
  ...(hostname && { hostname }),
})

export const objects: readonly KubeObject[] = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'empty' } },
  service('kube-system/kube-dns', { clusterIP: '10.96.0.10', clusterIPs: ['10.96.0.10', 'fd00:96::a'] }),
  service('shop/web', {
    clusterIP: '10.96.0.5',
    clusterIPs: ['10.96.0.5', 'fd00:96::5'],
    ports: [
      { name: 'http', port: 80 },
      { name: 'dns', port: 53, protocol: 'UDP' },
    ],
  }),
  slice('shop/web', 'IPv4', [at('10.244.1.9')]),
  service('shop/plain', { clusterIP: '10.96.0.6', ports: [{ port: 80 }] }),
  service('shop/pending', { ports: [{ port: 80 }] }),
  service('shop/db', { clusterIP: 'None', ports: [{ name: 'Pg', port: 5432 }] }),
  slice('shop/db', 'IPv4', [
    at('10.244.1.5', 'db-0'),
    at('10.244.2.5', 'db-1'),
    at('10.244.3.5', 'db-2', false),
    at('10.244.3.6'),
  ]),
  slice('shop/db', 'IPv6', [at('fd00:244::5', 'db-0')]),
  service('shop/idle', { clusterIP: 'None', ports: [{ name: 'Pg', port: 5432 }] }),
  slice('shop/idle', 'IPv4', [at('10.244.9.9', 'idle-0', false)]),
  service('shop/inside', { type: 'ExternalName', externalName: 'alias.shop.svc.cluster.local.' }),
  service('shop/alias', { type: 'ExternalName', externalName: 'WEB.shop.svc.cluster.local' }),
  service('shop/outside', { type: 'ExternalName', externalName: 'www.example.com' }),
  service('shop/loop', { type: 'ExternalName', externalName: 'loop.shop.svc.cluster.local' }),
  service('shop/dead', { type: 'ExternalName', externalName: 'nothing.shop.svc.cluster.local' }),
  service('shop/address', { type: 'ExternalName', externalName: '192.0.2.1' }),
  pod('shop/web-0', '10.244.1.9'),
]

export const shop = () => snapshotOf(objects)
