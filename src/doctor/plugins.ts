import type { Snapshot } from '../cluster/index.ts'
import type { Pod } from '../objects/index.ts'

/** A network plugin that people run, by what it leaves in the API. */
interface Known {
  readonly name: string
  /** An API group of its own. */
  readonly group?: string
  /** A label of its pods on every node. */
  readonly label: readonly [string, string]
  readonly enforces: boolean
  /** It can take kube-proxy's place. */
  readonly proxies: boolean
}

const known: readonly Known[] = [
  { name: 'Calico', group: 'crd.projectcalico.org', label: ['k8s-app', 'calico-node'], enforces: true, proxies: true },
  { name: 'Cilium', group: 'cilium.io', label: ['k8s-app', 'cilium'], enforces: true, proxies: true },
  { name: 'Antrea', group: 'crd.antrea.io', label: ['app', 'antrea'], enforces: true, proxies: true },
  { name: 'OVN-Kubernetes', group: 'k8s.ovn.org', label: ['app', 'ovnkube-node'], enforces: true, proxies: true },
  { name: 'kube-router', label: ['k8s-app', 'kube-router'], enforces: true, proxies: true },
  { name: 'Weave Net', label: ['name', 'weave-net'], enforces: true, proxies: false },
  { name: 'kindnet', label: ['k8s-app', 'kindnet'], enforces: true, proxies: false },
  { name: 'flannel', label: ['app', 'flannel'], enforces: false, proxies: false },
]

/** What is known of who else makes the network of a cluster. */
export interface Plugins {
  /** Every one that was found, with what tells it: `Cilium (API group cilium.io)`. */
  readonly found: readonly string[]
  /** Those that may enforce NetworkPolicies, by name. */
  readonly enforcers: readonly string[]
  /** Those that may serve Services in kube-proxy's place, by name. */
  readonly proxies: readonly string[]
}

/** The network plugins whose pods or API groups are there. */
export function findPlugins(snapshot: Snapshot, groups: readonly string[]): Plugins {
  const pods = [...snapshot.pods.values()]
  const found = known.flatMap((one) => {
    const [key, value] = one.label
    const running = pods.filter(({ metadata }) => metadata.labels?.[key] === value).length
    const evidence = [
      ...(one.group !== undefined && groups.includes(one.group) ? [`API group ${one.group}`] : []),
      ...(running > 0 ? [`${running} ${running === 1 ? 'pod' : 'pods'} with ${key}=${value}`] : []),
    ]
    return evidence.length === 0 ? [] : [{ ...one, says: `${one.name} (${evidence.join(', ')})` }]
  })
  return {
    found: found.map(({ says }) => says),
    enforcers: found.filter(({ enforces }) => enforces).map(({ name }) => name),
    proxies: found.filter(({ proxies }) => proxies).map(({ name }) => name),
  }
}

/** kube-proxy's own pod on a node, as kubeadm and others run it. */
export function findProxyPod(snapshot: Snapshot, node: string): Pod | undefined {
  return [...snapshot.pods.values()].find(
    ({ metadata, spec }) =>
      spec.nodeName === node &&
      (metadata.labels?.['k8s-app'] === 'kube-proxy' || metadata.name.startsWith('kube-proxy')),
  )
}
