import { agentDaemonSet } from '../install/index.ts'
import { print } from './output.ts'

/** Reading alone; what plugins and Plumb's own kinds add is asked for too, and does not have to be there. */
const role = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: plumb-reader
rules:
  # Every question; watch is for the page of plumb ui, which follows changes.
  - apiGroups: [""]
    resources: [services, pods, nodes, namespaces]
    verbs: [list, watch]
  # Whether Plumb's own agents are as they should be.
  - apiGroups: [apps]
    resources: [daemonsets]
    verbs: [get]
  - apiGroups: [discovery.k8s.io]
    resources: [endpointslices]
    verbs: [list, watch]
  - apiGroups: [networking.k8s.io]
    resources: [networkpolicies, servicecidrs]
    verbs: [list, watch]
  # Kinds that a cluster need not have.
  - apiGroups: [policy.networking.k8s.io]
    resources: [clusternetworkpolicies, adminnetworkpolicies, baselineadminnetworkpolicies]
    verbs: [list, watch]
  - apiGroups: [plumb.network]
    resources: [egresses, ipaddresspools, l2advertisements, servicebgpstatuses, servicel2statuses]
    verbs: [list, watch]
  # Questions about URLs, Ingresses and Gateways: certificates are Secrets. Leave this part out where nobody asks them.
  - apiGroups: [networking.k8s.io]
    resources: [ingresses, ingressclasses]
    verbs: [list, watch]
  - apiGroups: [""]
    resources: [namespaces, secrets, configmaps]
    verbs: [list, watch]
  - apiGroups: [gateway.networking.k8s.io]
    resources: ["*"]
    verbs: [list, watch]
`

/** Whoever may exec into the agents' pods is root on every node. */
const agentsRole = `---
# What nodes are like, through the agents' pods: kernels, sockets, probes, flows. Whoever has it is root on every node.
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: plumb-agents
  namespace: ${agentDaemonSet.namespace}
rules:
  - apiGroups: [""]
    resources: [pods/exec]
    verbs: [get, create]
`

/** `plumb access`: what an administrator grants to those who ask. */
export function runAccess({ agents }: { readonly agents: boolean }): void {
  print(agents ? role + agentsRole : role)
}
