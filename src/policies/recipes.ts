/** A NetworkPolicy that people need often, ready to apply. */
export interface Recipe {
  readonly name: string
  readonly says: string
  readonly yaml: string
}

const head = (name: string): string => `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: ${name}
`

/** The recipes by name; each is tested by what it allows and what it must not. Placeholders are labels and prefixes to edit. */
export const recipes: readonly Recipe[] = [
  {
    name: 'deny-all',
    says: 'nothing in or out for every pod of the namespace; other policies then allow what is needed',
    yaml: `${head('deny-all')}spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
`,
  },
  {
    name: 'allow-dns',
    says: 'every pod of the namespace may ask the cluster DNS, over UDP and TCP, and node-local DNS',
    yaml: `# The port is the DNS pods' own (53), not the Service's: policies see the packet after the Service chose a pod.
# Both selectors in one item mean AND. 169.254.20.10 is node-local DNS, which is no pod to a selector.
${head('allow-dns')}spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
    - to:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: kube-system
          podSelector:
            matchLabels:
              k8s-app: kube-dns
        - ipBlock:
            cidr: 169.254.20.10/32
      ports:
        - { protocol: UDP, port: 53 }
        - { protocol: TCP, port: 53 }
`,
  },
  {
    name: 'block-apiserver',
    says: 'pods without the label api-access=true reach everything but the API server',
    yaml: `# NetworkPolicy cannot deny, so everything else is allowed. List every API server of
#   kubectl get endpointslices -n default -l kubernetes.io/service-name=kubernetes
# and keep the list up to date. A pod on an API server's own node still reaches it: own-node traffic is always allowed.
${head('block-apiserver')}spec:
  podSelector:
    matchExpressions:
      - { key: api-access, operator: NotIn, values: ["true"] }
  policyTypes: [Egress]
  egress:
    - to:
        - ipBlock:
            cidr: 0.0.0.0/0
            except: [172.30.0.2/32, 10.96.0.1/32]
        - ipBlock:
            cidr: ::/0
            except: ["fd00:30::2/128", "fd00:96::1/128"]
`,
  },
  {
    name: 'from-gateway-only',
    says: 'pods with the label app=web are reached by the gateways alone, on their port http',
    yaml: `# Plumb's gateways run on the nodes and ask with their addresses: put those of yours here (kubectl get nodes -o wide). So does
# whoever comes through a Service with externalTrafficPolicy Cluster. A gateway of pods is the last peer; take out what you have not.
${head('from-gateway-only')}spec:
  podSelector:
    matchLabels:
      app: web
  policyTypes: [Ingress]
  ingress:
    - from:
        - ipBlock:
            cidr: 172.30.0.0/24
        - ipBlock:
            cidr: fd00:30::/64
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: gateway-system
          podSelector:
            matchLabels:
              app: gateway
      ports:
        - port: http
`,
  },
  {
    name: 'egress-cidr-except',
    says: 'every pod of the namespace may go out to one prefix but for a part of it',
    yaml: `# An exception counts for its own block only: another rule or policy may still allow the address.
${head('egress-cidr-except')}spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
    - to:
        - ipBlock:
            cidr: 203.0.113.0/24
            except: [203.0.113.128/25]
`,
  },
  {
    name: 'isolate-namespace',
    says: 'pods of the namespace talk with one another and with nobody else',
    yaml: `${head('isolate-namespace')}spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
  ingress:
    - from:
        - podSelector: {}
  egress:
    - to:
        - podSelector: {}
`,
  },
]
