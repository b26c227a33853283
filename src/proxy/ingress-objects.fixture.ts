import type { KubeObject } from '../objects/index.ts'

export const plumbClass = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IngressClass',
  metadata: { name: 'plumb' },
  spec: { controller: 'plumb.network/gateway' },
} as KubeObject

/** An Ingress in namespace `ns` that leads a host to port 80 of a Service, with annotations of ingress-nginx. */
export function ingressOf(
  name: string,
  host: string,
  annotations: Readonly<Record<string, string>>,
  service: string,
  more: object = {},
): KubeObject {
  const prefixed = Object.entries(annotations).map(([key, value]) => [`nginx.ingress.kubernetes.io/${key}`, value])
  const backend = { service: { name: service, port: { number: 80 } } }
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name, namespace: 'ns', annotations: Object.fromEntries(prefixed) },
    spec: {
      ingressClassName: 'plumb',
      rules: [{ host, http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }],
      ...more,
    },
  } as KubeObject
}
