import { keyOf, type Snapshot, underlayAnnotation } from '../cluster/index.ts'
import { agentDaemonSet } from '../install/index.ts'
import type { DaemonSet, Pod } from '../objects/index.ts'
import type { Cause } from './cause.ts'
import { findProxyPod } from './plugins.ts'
import { isReady, reasonOf } from './pod-state.ts'

/** What `plumb install` has left in the API, beside the agents' pods. */
export interface Installation {
  /** Absent where there is none, or it may not be read. */
  readonly daemonSet?: DaemonSet
  /** Kinds of plumb.network that Plumb defines and the API server does not serve: `egresses.plumb.network`. */
  readonly missingKinds: readonly string[]
}

/** How the API server looks from inside an agent's pod, with the rights of its ServiceAccount. */
export interface ApiAccess {
  /** `host:port` */
  readonly server: string
  /** Why it cannot be reached. */
  readonly error?: string
  /** Rights that an agent needs and does not have: `list, watch pods`. */
  readonly missing: readonly string[]
}

/** What is wrong with an agent, as a cause without its rule. */
export type AgentTrouble = Omit<Cause, 'rule'> & { readonly node?: string }

/** The agent's pod on a node; one that has ended counts only where there is no other. */
export function findAgentPod(snapshot: Snapshot, node: string): Pod | undefined {
  const pods = agentPods(snapshot).filter(({ spec }) => spec.nodeName === node)
  return pods.find(({ status }) => status?.phase === 'Running') ?? pods[0]
}

function agentPods({ pods }: Snapshot): readonly Pod[] {
  const wanted = Object.entries(agentDaemonSet.labels)
  return [...pods.values()].filter(({ metadata }) => wanted.every(([key, value]) => metadata.labels?.[key] === value))
}

/** The nodes whose network is Plumb's: an agent's pod is there, or an agent is meant to be there or has been, and kube-proxy is not. */
export function plumbNodes(snapshot: Snapshot, { daemonSet }: Installation): readonly string[] {
  return [...snapshot.nodes.keys()].filter((node) => {
    if (findAgentPod(snapshot, node) !== undefined) return true
    const wanted = daemonSet !== undefined && (isMeant(snapshot, node, daemonSet) || hasHadAgent(snapshot, node))
    return wanted && findProxyPod(snapshot, node) === undefined
  })
}

/** Agents tell the segments of their node on its Node, which stays. */
function hasHadAgent({ nodes }: Snapshot, node: string): boolean {
  return nodes.get(node)?.metadata.annotations?.[underlayAnnotation] !== undefined
}

function isMeant({ nodes }: Snapshot, node: string, { spec }: DaemonSet): boolean {
  const labels = nodes.get(node)?.metadata.labels ?? {}
  return Object.entries(spec.template.spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value)
}

/** Everything that is wrong with Plumb's own parts; nothing where it is not installed. `seen` is what agents' pods told, by node. */
export function findAgentTroubles(
  snapshot: Snapshot,
  installation: Installation,
  seen: ReadonlyMap<string, ApiAccess>,
): readonly AgentTrouble[] {
  if (installation.daemonSet === undefined && agentPods(snapshot).length === 0) return []
  const reached = (server: string) =>
    [...seen].filter(([, one]) => one.error === undefined && one.server === server).map(([node]) => node)
  return [
    ...missingKinds(installation),
    ...missingRights(seen),
    ...[...snapshot.nodes.keys()].flatMap((node) => {
      const pod = findAgentPod(snapshot, node)
      if (pod === undefined) return absent(snapshot, node, installation)
      const access = seen.get(node)
      if (access?.error !== undefined) return [cutOff(node, pod, access, reached(access.server))]
      return [...unready(node, pod), ...outdated(node, pod, installation)]
    }),
  ]
}

const base = { rung: 'cluster-ip', proof: [], confidence: 'certain' } as const
const applyAgain = 'apply again what plumb install prints, with the options of this installation'
const { namespace, name, container } = agentDaemonSet
const daemonSetName = `daemonset/${namespace}/${name}`

function missingKinds({ missingKinds: kinds }: Installation): AgentTrouble[] {
  const [first] = kinds
  if (first === undefined) return []
  return [
    {
      ...base,
      object: `customresourcedefinition/${first}`,
      field: 'metadata.name',
      value: kinds.join(', '),
      says: `Plumb runs here and the API server does not serve ${kinds.length === 1 ? 'a kind' : `${kinds.length} kinds`} of its own: ${kinds.slice(0, 3).join(', ')}${kinds.length > 3 ? ', …' : ''}; nobody can ask for what they say, and agents cannot tell what they do`,
      fix: { says: `${applyAgain} and without --no-crds` },
    },
  ]
}

function missingRights(seen: ReadonlyMap<string, ApiAccess>): AgentTrouble[] {
  const refused = [...seen].filter(([, { missing }]) => missing.length > 0)
  const [first] = refused
  if (first === undefined) return []
  const [node, { missing }] = first
  return [
    {
      ...base,
      object: `clusterrolebinding/${name}`,
      field: 'roleRef',
      value: `ClusterRole ${name}`,
      says: `the agents may not do what they must (403), so nodes go on with what they knew: ${missing.slice(0, 3).join('; ')}${missing.length > 3 ? ` and ${missing.length - 3} more` : ''}`,
      proof: refused
        .slice(0, 3)
        .map(([one]) => `the ServiceAccount ${namespace}/${name}, asked from the agent’s pod on ${one}`),
      twin: 'an API server that cannot be reached: there nobody answers the agent at all',
      fix: { says: `${applyAgain}: the ClusterRole and the ClusterRoleBinding ${name} are in it` },
      node,
    },
  ]
}

/** Nobody to program the node: by the DaemonSet's own will, or because its pod cannot be made. */
function absent(snapshot: Snapshot, node: string, { daemonSet }: Installation): AgentTrouble[] {
  if (findProxyPod(snapshot, node) !== undefined || daemonSet === undefined) return []
  if (isMeant(snapshot, node, daemonSet)) {
    return [
      {
        ...base,
        object: daemonSetName,
        field: 'status',
        value: `no pod on ${node}`,
        says: `no agent of Plumb’s runs on ${node}, and it should: new pods get no network there, and its rules are as they were`,
        fix: { says: `see why the pod is not made: kubectl -n ${namespace} describe daemonset ${name}` },
        node,
      },
    ]
  }
  const selector = Object.entries(daemonSet.spec.template.spec.nodeSelector ?? {})
  return [
    {
      ...base,
      object: daemonSetName,
      field: 'spec.template.spec.nodeSelector',
      value: selector.map(([key, value]) => `${key}=${value}`).join(','),
      says: `no agent of Plumb’s runs on ${node}, for the DaemonSet leaves it out, and kube-proxy has no pod there either`,
      // kube-proxy may run as a service of the machine, but not where an agent has been.
      confidence: hasHadAgent(snapshot, node) ? 'certain' : 'possible',
      fix: { says: `let the DaemonSet take ${node}, or start kube-proxy there` },
      node,
    },
  ]
}

function cutOff(node: string, pod: Pod, { server, error = '' }: ApiAccess, reached: readonly string[]): AgentTrouble {
  const others = reached.length === 0 ? '' : `; from ${reached.slice(0, 2).join(', ')} it is reached`
  return {
    ...base,
    object: `pod/${keyOf(pod)}`,
    field: `spec.containers[${container}].env[KUBERNETES_SERVICE_HOST]`,
    value: server,
    says: `the agent on ${node} cannot reach the API server at ${server} (${error}): ${node} goes on with what it knew${others}`,
    proof: [`asked from inside the agent’s pod: ${error}`],
    twin: 'a missing right: there the API server answers, with 403',
    fix: {
      says:
        reached.length === 0
          ? `say the API server’s own address, as nodes reach it: plumb install --api-server HOST:PORT, applied again`
          : `see what drops connections from ${node} to ${server}: firewalls, routes`,
    },
    node,
  }
}

function unready(node: string, pod: Pod): AgentTrouble[] {
  if (isReady(pod)) return []
  const { field, value, says } = reasonOf(pod)
  return [
    {
      ...base,
      object: `pod/${keyOf(pod)}`,
      field,
      value,
      says: `the agent on ${node} ${says}: its rules are as they were, and new pods get no network there`,
      fix: {
        says: `see why: kubectl -n ${namespace} logs ${pod.metadata.name} -c ${container} (--previous), and describe`,
      },
      node,
    },
  ]
}

/** An agent that is not what the DaemonSet says: on its way while pods are being replaced, for good where nobody does. */
function outdated(node: string, pod: Pod, { daemonSet }: Installation): AgentTrouble[] {
  const wanted = daemonSet?.spec.template.spec.containers.find((one) => one.name === container)
  const own = pod.spec.containers.find((one) => one.name === container)
  if (wanted === undefined || own === undefined) return []
  const differs = (['image', 'args', 'command'] as const).find(
    (field) => JSON.stringify(own[field]) !== JSON.stringify(wanted[field]),
  )
  if (differs === undefined) return []
  const byHand = daemonSet?.spec.updateStrategy?.type === 'OnDelete'
  return [
    {
      ...base,
      confidence: byHand ? 'certain' : 'possible',
      object: `pod/${keyOf(pod)}`,
      field: `spec.containers[${container}].${differs}`,
      value: String(own[differs]),
      says: `the agent on ${node} is an older one: its ${differs} is ${own[differs]}, the DaemonSet’s ${wanted[differs]}`,
      fix: {
        says: byHand
          ? `kubectl -n ${namespace} delete pod ${pod.metadata.name}: with updateStrategy OnDelete nobody else does`
          : `see how far it has come: kubectl -n ${namespace} rollout status daemonset/${name}`,
      },
      node,
    },
  ]
}
