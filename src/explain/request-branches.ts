import { type Because, keyOf, type Snapshot } from '../cluster/index.ts'
import { compileServers, type GatewayModel, type RequestAnswer, type WeightedTarget } from '../gateways/index.ts'
import type { Branch, Verdict } from './answer.ts'
import type { ClusterFacts } from './asked.ts'
import { explainConnection } from './connection.ts'

/** The backends among which requests of a route are spread; those of weight 0 get none. */
function targetsOf(routed: RequestAnswer): readonly WeightedTarget[] {
  if (routed.kind === 'forwarded') return routed.action.targets.filter(({ weight }) => weight > 0)
  return routed.kind === 'stream' ? routed.stream.action.targets.filter(({ weight }) => weight > 0) : []
}

/** Requests that the gateway answers itself, or has a default backend answer, because the backend that they are for cannot. */
export interface Unanswered {
  readonly status: 500 | 503
  /** The Service that answers instead. */
  readonly instead?: string
  readonly says: string
  readonly because: Because
  readonly share: Branch['share']
}

/** From the gateway of a node to each pod of each backend, with its share of requests, and the backends that have none. */
export function requestBranches(
  snapshot: Snapshot,
  routed: RequestAnswer,
  model: GatewayModel,
  node: string,
  facts: ClusterFacts,
): { readonly branches: readonly Branch[]; readonly unanswered: readonly Unanswered[] } {
  const targets = targetsOf(routed)
  const whole = targets.reduce((sum, { weight }) => sum + weight, 0)
  const unanswered: Unanswered[] = []
  const branches = targets.flatMap(({ target, weight, filters }): readonly Branch[] => {
    const share = { one: weight, of: whole }
    if (target.kind === 'broken') {
      unanswered.push({ status: 500, says: target.says, because: target.because, share })
      return []
    }
    const failed = filters.find((filter) => filter.kind === 'failed')
    if (failed !== undefined) {
      const { namespace, service, port } = failed.of
      const object = `service/${namespace}/${service}`
      const says = `${object} has no ready endpoint for port ${port}`
      const because = { object, field: 'spec.selector', value: '' }
      unanswered.push({ status: 503, instead: serviceOf(target.id), says, because, share })
      return []
    }
    const backend = model.backends.find((one) => one.id === target.id)
    const servers = backend === undefined ? [] : compileServers(backend, snapshot)
    if (servers.length > 0) {
      const each = { one: weight, of: whole * servers.length }
      return servers.map((server) => branchTo(snapshot, server, reduced(each), { node, backend: target.id }, facts))
    }
    const object = serviceOf(target.id)
    const says = `${object} has no ready endpoint for port ${target.id.split(':')[2]}`
    unanswered.push({ status: 503, says, because: { object, field: 'spec.selector', value: '' }, share })
    return []
  })
  return { branches, unanswered }
}

/** One of six, not ten of sixty. */
function reduced({ one, of }: Branch['share']): Branch['share'] {
  let [divisor, rest] = [of, one]
  while (rest !== 0) [divisor, rest] = [rest, divisor % rest]
  return { one: one / divisor, of: of / divisor }
}

function branchTo(
  snapshot: Snapshot,
  { address, port, because }: ReturnType<typeof compileServers>[number],
  share: Branch['share'],
  { node, backend }: { readonly node: string; readonly backend: string },
  facts: ClusterFacts,
): Branch {
  const from = { kind: 'node', name: node } as const
  const way = explainConnection(snapshot, { from, to: { kind: 'address', address }, transport: 'tcp', port }, facts)
  const pod = snapshot.findPod(address)
  return {
    endpoint: {
      address,
      port,
      ...(pod === undefined ? {} : { pod: keyOf(pod) }),
      ...(pod?.spec.nodeName === undefined ? {} : { node: pod.spec.nodeName }),
    },
    share,
    verdict: way.verdict,
    ...(way.seenAs === undefined ? {} : { seenAs: way.seenAs }),
    steps: [
      {
        stage: 'endpoint',
        node,
        says: `${address} port ${port} takes requests`,
        because,
        observation: { kind: 'server', node, backend, address, port },
      },
      ...way.steps.slice(1),
    ],
  }
}

/** What becomes of the requests of a route: all reach a pod, or some do not. */
export function requestVerdict(
  routed: RequestAnswer,
  branches: readonly Branch[],
  unanswered: readonly Unanswered[],
): Verdict {
  const [missing] = unanswered
  if (missing !== undefined) {
    const { one, of } = missing.share
    const part = one === of ? '' : `${one} of ${of} requests get no pod: `
    const who = missing.instead ? `${missing.instead} answers instead` : `the gateway answers ${missing.status} itself`
    const says = `${part}${who}: ${missing.says}`
    return { kind: 'deny', says, because: missing.because }
  }
  const denied = branches.filter(({ verdict }) => verdict.kind === 'deny')
  const [first] = denied
  if (first !== undefined) {
    const says = `${denied.length} of ${branches.length} endpoints cannot be reached from the gateway: ${first.verdict.says}`
    return { kind: 'deny', says, because: first.verdict.because }
  }
  const services = new Set(
    targetsOf(routed).flatMap(({ target }) => (target.kind === 'backend' ? serviceOf(target.id) : [])),
  )
  const because =
    routed.kind === 'forwarded' ? routed.rule.because : routed.kind === 'stream' ? routed.stream.because : undefined
  const fallback = { object: [...services][0] ?? '', field: 'spec.ports', value: '' }
  const says = `reaches ${[...services].join(' or ')} at one of ${branches.length} endpoints`
  return { kind: 'allow', says, because: because ?? fallback }
}

/** `namespace:service:port` as an object. */
function serviceOf(backend: string): string {
  const [namespace = '', service = ''] = backend.split(':')
  return `service/${namespace}/${service}`
}
