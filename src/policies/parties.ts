import type { Address } from '../addr/index.ts'
import { keyOf, matches, type Snapshot } from '../cluster/index.ts'
import type { NetworkPolicy, Pod } from '../objects/index.ts'
import { clusterModelsIn } from './cluster-models.ts'
import { compilePolicy } from './compile.ts'
import type { Party, PodPolicies } from './judge.ts'
import { namespaceLabels } from './membership.ts'
import type { PolicyModel } from './model.ts'
import { compareOrder, selectsPod } from './policy-index.ts'
import { namedPorts, policyNode } from './profile.ts'

/** The models of the policies that select a pod: NetworkPolicies in order of their names, the others as they are asked. */
export function policiesFor(snapshot: Snapshot, { metadata }: Pod): PodPolicies {
  const { namespace = 'default', labels = {} } = metadata
  const own: PolicyModel[] = []
  for (const policy of snapshot.policies.values()) {
    if (policy.metadata.namespace !== metadata.namespace) continue
    const model = modelOf(policy)
    if (matches(model.subject.selector, labels)) own.push(model)
  }
  const around = namespaceLabels(namespace, snapshot.namespaces.get(namespace)?.metadata.labels)
  const cluster = [...clusterModelsIn(snapshot)].filter((model) => selectsPod(model, around, labels)).sort(compareOrder)
  return {
    admin: cluster.filter(({ tier }) => tier === 'admin'),
    own: own.sort((a, b) => (a.key < b.key ? -1 : 1)),
    baseline: cluster.filter(({ tier }) => tier === 'baseline'),
  }
}

const models = new WeakMap<NetworkPolicy, PolicyModel>()

/** Objects of a Snapshot are never changed, so their meaning is compiled once. */
function modelOf(policy: NetworkPolicy): PolicyModel {
  let model = models.get(policy)
  if (model === undefined) {
    model = compilePolicy(policy)
    models.set(policy, model)
  }
  return model
}

/** An address as policies see it: the pod that has it, or nobody of the cluster. */
export function partyOf(snapshot: Snapshot, address: Address): Party {
  const pod = snapshot.findPod(address)
  if (pod !== undefined) return partyOfPod(snapshot, pod, address)
  for (const one of snapshot.nodes.values()) {
    const { addresses, labels } = policyNode(one)
    if (addresses.includes(address)) return { address, node: labels }
  }
  return { address }
}

function partyOfPod(snapshot: Snapshot, pod: Pod, address: Address | undefined): Party {
  const namespace = pod.metadata.namespace ?? 'default'
  return {
    address,
    pod: {
      key: keyOf(pod),
      namespace,
      namespaceLabels: namespaceLabels(namespace, snapshot.namespaces.get(namespace)?.metadata.labels),
      labels: pod.metadata.labels ?? {},
      ports: namedPorts(pod),
    },
  }
}
