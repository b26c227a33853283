import { arch, cpus, release, totalmem } from 'node:os'
import type { Lease, Node } from '../objects/index.ts'

/** How many pods a node of the lab takes. */
const podCapacity = 500
/** What a node of the lab has at least: stand-ins use nearly nothing of what manifests ask for, so that whole applications fit on a laptop. */
const leastCpus = 64
const leastMemoryMi = 256 * 1024

/** The Node object that a lab node registers. `index` counts from 1; zones repeat after the third node. */
export function nodeObject(name: string, index: number, addresses: readonly string[], now: string): Node {
  const zone = `zone-${'abc'[(index - 1) % 3]}`
  const architecture = arch() === 'x64' ? 'amd64' : arch()
  const labels = {
    'kubernetes.io/hostname': name,
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': architecture,
    'topology.kubernetes.io/zone': zone,
    'topology.kubernetes.io/region': 'lab',
  }
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels },
    status: nodeStatus(name, addresses, now, architecture),
  }
}

function nodeStatus(
  name: string,
  addresses: readonly string[],
  now: string,
  architecture: string,
): NonNullable<Node['status']> {
  const capacity = {
    cpu: String(Math.max(cpus().length, leastCpus)),
    memory: `${Math.max(Math.floor(totalmem() / 2 ** 20), leastMemoryMi)}Mi`,
    pods: String(podCapacity),
    'ephemeral-storage': '100Gi',
  }
  return {
    capacity,
    allocatable: capacity,
    addresses: [
      ...addresses.map((address) => ({ type: 'InternalIP' as const, address })),
      { type: 'Hostname' as const, address: name },
    ],
    conditions: nodeConditions(now),
    daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
    nodeInfo: {
      architecture,
      operatingSystem: 'linux',
      osImage: 'Plumb lab node',
      kernelVersion: release(),
      kubeletVersion: 'v1.33.0-plumb',
      kubeProxyVersion: 'v1.33.0-plumb',
      containerRuntimeVersion: 'plumb://0.1.0',
      machineID: name,
      systemUUID: name,
      bootID: name,
    },
  }
}

/** kubelet's four conditions, of a node that is well. */
function nodeConditions(now: string): NonNullable<NonNullable<Node['status']>['conditions']> {
  const condition = (type: string, status: 'True' | 'False', reason: string, message: string) => {
    return { type, status, reason, message, lastTransitionTime: now, lastHeartbeatTime: now }
  }
  return [
    condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
    condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
    condition('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
    condition('Ready', 'True', 'KubeletReady', 'kubelet is posting ready status'),
  ]
}

/** The node's heartbeat (KEP-589). */
export function nodeLease(name: string, nowMicros: string): Lease {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name, namespace: 'kube-node-lease' },
    spec: { holderIdentity: name, leaseDurationSeconds: 40, renewTime: nowMicros },
  }
}
