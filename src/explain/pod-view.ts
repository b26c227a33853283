import { keyOf, type Snapshot } from '../cluster/index.ts'
import { explainEndpoint, selects } from '../endpoints/index.ts'
import type { Pod } from '../objects/index.ts'
import { policiesFor } from '../policies/index.ts'

/** A Service that selects a pod, and whether it sends connections there. */
interface ServiceOfPod {
  readonly service: string
  readonly takes: boolean
  readonly says: string
}

/** Everything of the network that concerns one pod; `schema` changes when a field changes its meaning. */
export interface PodView {
  readonly schema: 'plumb.network/show-pod/v1'
  readonly object: string
  readonly node: string | undefined
  readonly addresses: readonly string[]
  readonly phase: string
  readonly ready: boolean
  /** Why it is not ready, in the kubelet's words. */
  readonly unready: string
  /** `http 8080/tcp` by container. */
  readonly ports: readonly { readonly container: string; readonly port: string }[]
  readonly services: readonly ServiceOfPod[]
  /** Policies that select it: who may come and where it may go is theirs to say. */
  readonly policies: readonly string[]
}

/** Draws what concerns a pod out of the objects. */
export function podView(snapshot: Snapshot, pod: Pod): PodView {
  const node = pod.spec.nodeName === undefined ? undefined : snapshot.nodes.get(pod.spec.nodeName)
  const condition = pod.status?.conditions?.find(({ type }) => type === 'Ready')
  const services = [...snapshot.services.values()].filter((service) => selects(service, pod))
  return {
    schema: 'plumb.network/show-pod/v1',
    object: `pod/${keyOf(pod)}`,
    node: pod.spec.nodeName,
    addresses: pod.status?.podIPs?.map(({ ip }) => ip) ?? [],
    phase: pod.status?.phase ?? 'Pending',
    ready: condition?.status === 'True',
    unready: condition?.status === 'True' ? '' : [condition?.reason, condition?.message].filter(Boolean).join(': '),
    ports: pod.spec.containers.flatMap(({ name, ports = [] }) =>
      ports.map((one) => ({
        container: name,
        port: `${one.name === undefined ? '' : `${one.name} `}${one.containerPort}/${(one.protocol ?? 'TCP').toLowerCase()}`,
      })),
    ),
    services: services.map((service): ServiceOfPod => {
      const slices = snapshot.slicesOf(keyOf(service))
      const { verdict, says } = explainEndpoint({ service, pod, node, slices })
      return { service: `service/${keyOf(service)}`, takes: verdict === 'ready', says }
    }),
    policies: policyNames(snapshot, pod),
  }
}

/** The same as text. */
export function renderPodView(view: PodView): string {
  const { object, node, addresses, phase, ready, unready, ports, services, policies } = view
  const state = ready ? 'ready' : `${phase}, not ready${unready === '' ? '' : `: ${unready}`}`
  const list = (title: string, lines: readonly string[], none: string): string[] => [
    '',
    title,
    ...(lines.length === 0 ? [`  ${none}`] : lines.map((line) => `  ${line}`)),
  ]
  return [
    `${ready ? '✓' : '✗'} ${object} on ${node ?? 'no node'}: ${state}`,
    ...list('Addresses', addresses, 'none yet'),
    ...list(
      'Declared ports',
      ports.map(({ container, port }) => `${port}  container ${container}`),
      'none',
    ),
    ...list(
      'Services',
      services.map(({ takes, says }) => `${takes ? '✓' : '✗'} ${says}`),
      'none selects it',
    ),
    ...list('policies', policies, 'none selects it: it takes and makes any connection'),
  ].join('\n')
}

function policyNames(snapshot: Snapshot, pod: Pod): readonly string[] {
  const { admin, own, baseline } = policiesFor(snapshot, pod)
  return [...admin, ...own, ...baseline].map(({ object }) => object)
}
