import type { Address } from '../addr/index.ts'
import type { Snapshot } from '../cluster/index.ts'
import { nodeAddresses } from '../pods/index.ts'
import { explainPolicies, type SideAnswer } from '../policies/index.ts'
import type { SeenAs } from '../services/index.ts'
import type { Protocol, Step, Verdict } from './answer.ts'
import type { Source } from './end.ts'

/** What policies say at one end of the way: what was looked at, and the verdict when it is no. */
export interface PolicySide {
  readonly steps: readonly Step[]
  readonly denied: Verdict | undefined
}

/** What the policies of both ends say to a connection, judged where a node judges it: after the choice of an endpoint. */
export interface PolicySides {
  readonly egress: PolicySide
  readonly ingress: PolicySide
  /** Whether a pod with an address of its own sends; anything else on a node counts as the node. */
  readonly fromPod: boolean
  /** Why policies of the destination do not count on its own node; nothing where none isolates it. */
  exempt(node: string): readonly Step[]
}

const silent: PolicySide = { steps: [], denied: undefined }

/** Asks the policies of both ends. A client that is translated is its node, or the external address, to policies of another node, and itself to those of the same one. */
export function askPolicies(
  snapshot: Snapshot,
  source: Source,
  { address, port, transport }: { address: Address; port: number; transport: Protocol },
  seenAs: SeenAs,
  asked: { address: Address; port: number },
  toOwnNode: boolean,
): PolicySides {
  const family = address.includes(':') ? 6 : 4
  const own = source.addresses.find((one) => one.includes(':') === (family === 6))
  const fromPod = own !== undefined && snapshot.findPod(own) !== undefined
  if (own === undefined) return { egress: silent, ingress: silent, fromPod, exempt: () => [] }
  const target = snapshot.findPod(address)
  const sameNode = target?.spec.nodeName === source.node
  const node = snapshot.nodes.get(source.node)
  const mask = { kept: undefined, masqueraded: node && nodeAddresses(node)[family], external: asked.address }[seenAs]
  const masked = sameNode ? undefined : mask
  const question = { source: own, destination: address, protocol: transport, port, toOwnNode } as const
  const judge = (client: Address) => explainPolicies(snapshot, { ...question, source: client }).sides
  const sides = judge(own)
  const seen = masked === undefined ? sides : judge(masked)
  const find = (from: readonly SideAnswer[], direction: SideAnswer['direction']): PolicySide => {
    const side = from.find((one) => one.direction === direction)
    const isForService = (client: Address): boolean =>
      asked.port !== port &&
      explainPolicies(snapshot, { ...question, source: client, port: asked.port }).sides.some(
        (one) => one.direction === direction && one.verdict.kind === 'allow',
      )
    const client = direction === 'egress' ? own : (masked ?? own)
    const remedy = () =>
      isForService(client)
        ? `; policies see the pod’s port: write ${port} in that rule, not the Service’s ${asked.port}`
        : ''
    return sideOf(side, remedy)
  }
  // What a pod sends to itself through a Service is not stopped, unless another node has made it its own.
  const toItself = own === address && masked === undefined
  return {
    egress: toItself || source.forwarded === true ? silent : find(sides, 'egress'),
    ingress: toItself ? silent : find(seen, 'ingress'),
    fromPod,
    exempt: (at) =>
      seen
        .filter(({ direction, verdict }) => direction === 'ingress' && verdict.kind !== 'pass')
        .map(({ pod, verdict }) => ({
          stage: 'policy',
          node: at,
          says: `${at} always reaches its own pods: the policies of pod/${pod} do not count`,
          because: verdict.because,
        })),
  }
}

function sideOf(side: SideAnswer | undefined, remedy: () => string): PolicySide {
  if (side === undefined || isSilent(side)) return silent
  const { node, direction, address, element: expect } = side
  const steps = side.steps.map(({ kind, says, because }): Step => {
    const step: Step = { stage: 'policy', ...(node === undefined ? {} : { node }), says, because }
    if (kind !== 'outcome' || node === undefined) return step
    return { ...step, observation: { kind: 'policy', node, direction, address, expect } }
  })
  const { verdict } = side
  if (verdict.kind !== 'deny') return { steps, denied: undefined }
  const says = `${side.steps.at(-1)?.says ?? 'a policy denies it'}: dropped without an answer${remedy()}`
  return { steps, denied: { kind: 'deny', says, because: verdict.because } }
}

/** Whether no policy has anything to say that anybody would want to read. */
function isSilent({ verdict, steps }: SideAnswer): boolean {
  return verdict.kind === 'pass' && steps.length === 1
}
