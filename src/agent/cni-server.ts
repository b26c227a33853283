import { type Address, familyOf } from '../addr/index.ts'
import type { ObjectKey } from '../cluster/index.ts'
import { HostError } from '../host/index.ts'
import { gateways } from '../pods/index.ts'
import type { PodWiring } from './pods-wiring.ts'

/** A CNI call as `plumb cni` hands it on, and as the lab's kubelet makes it. */
export interface CniRequest {
  /** `loopback` when that one was called, which container runtimes want beside a cluster's own. */
  readonly plugin?: 'loopback'
  readonly command: 'ADD' | 'DEL' | 'CHECK' | 'GC' | 'STATUS'
  readonly containerId?: string
  /** A path that this process can open. */
  readonly netns?: string
  readonly ifname?: string
  readonly pod?: { readonly namespace: string; readonly name: string; readonly uid?: string }
  readonly validAttachments?: readonly { readonly containerID: string; readonly ifname: string }[]
}

/** CNI 1.1 result of ADD (spec section 5, Success). */
export interface CniResult {
  readonly cniVersion: '1.1.0'
  readonly interfaces: readonly {
    readonly name: string
    readonly mac: string
    readonly mtu: number
    readonly sandbox?: string
  }[]
  readonly ips: readonly { readonly address: string; readonly gateway: string; readonly interface: number }[]
  readonly routes: readonly { readonly dst: string; readonly gw: string }[]
  readonly dns: Record<string, never>
}

/** CNI error object; codes 1-99 are the specification's, 100 and above Plumb's own. */
export interface CniError {
  readonly cniVersion: '1.1.0'
  readonly code: number
  readonly msg: string
  readonly details?: string
}

const tryAgain = 11
const unavailable = 50

/** Answers one CNI call. `beforeReturn` must have made the pod safe (its policies are in the kernel) when it resolves. */
export async function answerCni(
  wiring: PodWiring,
  request: CniRequest,
  until: { ready(): Promise<boolean>; beforeReturn?(pod: ObjectKey, addresses: readonly Address[]): Promise<void> },
): Promise<CniResult | CniError | Record<string, never>> {
  try {
    return await answer(wiring, request, until)
  } catch (error) {
    if (error instanceof HostError) {
      const code = error.code === 'busy' ? tryAgain : error.code === 'missing' ? 3 : 100
      return cniFailure(code, error.message)
    }
    throw error
  }
}

async function answer(
  wiring: PodWiring,
  request: CniRequest,
  until: { ready(): Promise<boolean>; beforeReturn?(pod: ObjectKey, addresses: readonly Address[]): Promise<void> },
): Promise<CniResult | CniError | Record<string, never>> {
  const { command } = request
  if (command === 'STATUS') return wiring.ready ? {} : cniFailure(unavailable, 'the node has no podCIDR yet')
  if (command === 'GC') {
    const valid = request.validAttachments ?? []
    wiring.collect(valid.map(({ containerID, ifname }) => ({ containerId: containerID, interfaceName: ifname })))
    return {}
  }
  const { containerId, ifname = 'eth0' } = request
  if (containerId === undefined || !/^[A-Za-z0-9][\w.-]{0,127}$/.test(containerId)) {
    return cniFailure(4, `CNI_CONTAINERID "${containerId ?? ''}" is not a container ID`)
  }
  if (!/^[^\s/:]{1,15}$/.test(ifname)) return cniFailure(4, `CNI_IFNAME "${ifname}" is not an interface name`)
  switch (command) {
    case 'DEL':
      wiring.delete(containerId, ifname)
      return {}
    case 'CHECK': {
      const wrong = wiring.check(containerId, ifname)
      return wrong.length === 0 ? {} : cniFailure(100, wrong.join('; '))
    }
    case 'ADD': {
      if (request.netns === undefined || request.pod === undefined) {
        return cniFailure(4, 'ADD needs CNI_NETNS and, in CNI_ARGS, K8S_POD_NAMESPACE and K8S_POD_NAME')
      }
      if (!(await until.ready())) return cniFailure(tryAgain, 'the node has no podCIDR yet')
      return add(wiring, request, containerId, ifname, request.netns, request.pod, until.beforeReturn)
    }
    default:
      return cniFailure(4, `CNI_COMMAND "${String(command satisfies never)}" is not one of ADD, DEL, CHECK, GC, STATUS`)
  }
}

async function add(
  wiring: PodWiring,
  request: CniRequest,
  containerId: string,
  interfaceName: string,
  netns: string,
  pod: { namespace: string; name: string },
  beforeReturn?: (pod: ObjectKey, addresses: readonly Address[]) => Promise<void>,
): Promise<CniResult> {
  const { attachment, wiring: made } = wiring.add(
    { containerId, interfaceName, namespace: pod.namespace, pod: pod.name },
    netns,
  )
  try {
    await beforeReturn?.(`${pod.namespace}/${pod.name}`, attachment.addresses)
  } catch (error) {
    // The runtime comes again with an ADD of its own.
    wiring.delete(containerId, interfaceName)
    throw error
  }
  return {
    cniVersion: '1.1.0',
    interfaces: [
      { name: made.nodeLink, mac: made.nodeMac, mtu: made.mtu },
      { name: made.podLink, mac: made.podMac, mtu: made.mtu, sandbox: request.netns ?? '' },
    ],
    ips: made.podAddresses.map(({ address, prefixLength }) => ({
      address: `${address}/${prefixLength}`,
      gateway: gateways[familyOf(address)],
      interface: 1,
    })),
    routes: made.podRoutes.map(({ destination, gateway }) => ({ dst: destination, gw: gateway })),
    dns: {},
  }
}

/** A CNI error with one of the specification's codes, or one of 100 and above. */
export function cniFailure(code: number, msg: string): CniError {
  return { cniVersion: '1.1.0', code, msg }
}
