import type { Address } from '../addr/index.ts'
import { type Because, keyOf, type Snapshot } from '../cluster/index.ts'
import type { Pod } from '../objects/index.ts'
import { explainRule, type PolicyStep } from './explain-rule.ts'
import { type Attempt, findIsolating, judgeSide, type PodPolicies, type SideVerdict } from './judge.ts'
import { verdictElement } from './lower-chain.ts'
import type { ClusterPolicyModel, Direction, PolicyModel, Tier, TierRule, Transport } from './model.ts'
import { partyOf, policiesFor } from './parties.ts'
import { namedPorts, policyNode } from './profile.ts'
import { sayLabels } from './selector-id.ts'

/** A connection after the choice of an endpoint. */
export interface PolicyQuestion {
  readonly source: Address
  readonly destination: Address
  readonly protocol: Transport | 'icmp'
  readonly port: number
  /** Whether the destination is an address of the source's own node; absent: if the node's status tells it. */
  readonly toOwnNode?: boolean
}

/** What the policies of one end say, each rule with its reason. */
export interface SideAnswer {
  readonly direction: Direction
  readonly address: Address
  readonly pod: string
  readonly node: string | undefined
  readonly steps: readonly PolicyStep[]
  readonly verdict: SideVerdict
  /** What the map of this direction holds for the address where the policies are in the kernel. */
  readonly element: string
}

export interface PoliciesAnswer {
  /** Egress of the source, then ingress of the destination, as far as they are pods. */
  readonly sides: readonly SideAnswer[]
  /** The side that denies, if one does. */
  readonly denied: SideAnswer | undefined
}

/** What the NetworkPolicies of both ends say to a new connection, with each policy and rule that was looked at, and why. */
export function explainPolicies(snapshot: Snapshot, question: PolicyQuestion): PoliciesAnswer {
  const { source, destination, protocol, port, toOwnNode = isOwnNode(snapshot, question) } = question
  const attempt: Attempt = {
    source: partyOf(snapshot, source),
    destination: partyOf(snapshot, destination),
    protocol,
    port,
    toOwnNode,
  }
  const sides: SideAnswer[] = []
  for (const [address, direction] of [
    [source, 'egress'],
    [destination, 'ingress'],
  ] as const) {
    const pod = snapshot.findPod(address)
    if (pod === undefined) continue
    sides.push(explainSide(policiesFor(snapshot, pod), pod, address, direction, attempt))
  }
  // A pod that reaches itself through a Service is not stopped: the packet is its own.
  const denied = source === destination ? undefined : sides.find(({ verdict }) => verdict.kind === 'deny')
  return { sides, denied }
}

function isOwnNode(snapshot: Snapshot, { source, destination }: PolicyQuestion): boolean {
  const node = snapshot.nodes.get(snapshot.findPod(source)?.spec.nodeName ?? '')
  return node !== undefined && policyNode(node).addresses.includes(destination)
}

function explainSide(
  policies: PodPolicies,
  pod: Pod,
  address: Address,
  direction: Direction,
  attempt: Attempt,
): SideAnswer {
  const verdict = judgeSide(policies, direction, attempt)
  const key = keyOf(pod)
  const tierOf = verdict.kind === 'pass' ? undefined : verdict.tier
  const steps = explainTier(policies.admin, key, direction, attempt)
  // What comes after the tier that decided is not asked.
  if (tierOf !== 'admin' && attempt.toOwnNode !== true) {
    steps.push(...explainOwn(policies.own, key, direction, attempt))
  }
  const exempt = attempt.toOwnNode === true ? findIsolating(policies.own, direction) : undefined
  if (exempt === undefined && (tierOf === 'baseline' || tierOf === undefined)) {
    steps.push(...explainTier(policies.baseline, key, direction, attempt))
  }
  const outcome =
    exempt !== undefined && verdict.kind === 'pass'
      ? {
          says: `${exempt.object} isolates pod/${key}, and a pod always reaches its own node`,
          because: exempt[direction].because,
        }
      : conclude(verdict, key, direction, steps)
  steps.push({ kind: 'outcome', ...outcome })
  const blamed: SideVerdict = verdict.kind === 'deny' ? { ...verdict, because: outcome.because } : verdict
  const element = verdictElement(policies, direction, namedPorts(pod))
  return { direction, address, pod: key, node: pod.spec.nodeName, steps, verdict: blamed, element }
}

function explainOwn(
  policies: readonly PolicyModel[],
  pod: string,
  direction: Direction,
  attempt: Attempt,
): PolicyStep[] {
  const steps: PolicyStep[] = []
  for (const policy of policies) {
    const isolation = policy[direction]
    if (isolation.kind === 'untouched') continue
    steps.push({
      kind: 'selects',
      says: `${policy.object} ${policy.audit ? 'is audited and would isolate' : 'isolates'} pod/${pod} for ${direction} (podSelector ${sayLabels(policy.subject.selector)})`,
      because: isolation.because,
    })
    if (isolation.rules.length === 0) {
      const says = `${policy.object} has no ${direction} rule: it allows nothing`
      steps.push({ kind: 'misses', says, because: isolation.because })
    }
    for (const rule of isolation.rules) {
      steps.push(explainRule(policy.object, `${policy.object} ${rule.field}`, rule, direction, attempt))
    }
  }
  return steps
}

/** Rules up to the one that decides for the tier, or passes on to the next. */
function explainTier(
  policies: readonly ClusterPolicyModel[],
  pod: string,
  direction: Direction,
  attempt: Attempt,
): PolicyStep[] {
  const steps: PolicyStep[] = []
  for (const policy of policies) {
    const { object, priority, audit } = policy
    if (policy[direction].length === 0) continue
    const says = `${object} (${tierWords[policy.tier]}, priority ${priority}${audit ? ', audited' : ''}) selects pod/${pod}`
    steps.push({ kind: 'selects', says, because: { object, field: 'spec.subject', value: policy.subject?.id ?? '' } })
    for (const rule of policy[direction]) {
      const step = explainRule(object, `${object} ${sayRule(rule)}`, rule, direction, attempt)
      steps.push(step)
      if (step.kind !== 'matches') continue
      if (!audit) return steps
      break
    }
  }
  return steps
}

const tierWords: Readonly<Record<Tier, string>> = {
  admin: 'Admin',
  networkpolicy: 'NetworkPolicy',
  baseline: 'Baseline',
}

/** `spec.egress[0] "no databases" (Deny)` */
function sayRule({ field, name, action }: TierRule): string {
  const word = `${action[0]?.toUpperCase()}${action.slice(1)}`
  return `${field} ${name === '' ? '' : `"${name}" `}(${word})`
}

function conclude(
  verdict: SideVerdict,
  pod: string,
  direction: Direction,
  steps: readonly PolicyStep[],
): { says: string; because: Because } {
  const { audited } = verdict
  const audit = audited.length === 0 ? '' : `; ${sayPolicies(audited)} would deny it for ${direction}, and only audits`
  switch (verdict.kind) {
    case 'pass': {
      if (audited.length === 0)
        return { says: `no policy isolates pod/${pod} for ${direction}`, because: verdict.because }
      const because = steps.find(({ says }) => audited.some((one) => says.startsWith(`${one} `)))?.because
      return { says: `${audit.slice(2)}: it passes`, because: because ?? verdict.because }
    }
    case 'allow':
      return { says: `${verdict.object} ${verdict.field} allows it${audit}`, because: verdict.because }
    case 'deny': {
      const { policies, tier } = verdict
      const names = sayPolicies(policies)
      if (tier !== 'networkpolicy') {
        const says = `${names} ${verdict.because.field} denies it for ${direction} of pod/${pod} (tier ${tierWords[tier]})${unless(steps)}`
        return { says, because: verdict.because }
      }
      // The rule that came nearest is the one to read: its peer matches and its port does not.
      const near = steps.find(({ kind, says }) => kind === 'misses' && says.includes('but not the port'))
      const says = `${names} ${policies.length === 1 ? 'isolates' : 'isolate'} pod/${pod} for ${direction} and no rule allows it${near === undefined ? '' : ` (${near.says.replace(`${near.because.object} `, '')})`}${unless(steps)}`
      return { says, because: near?.because ?? verdict.because }
    }
    default:
      return verdict satisfies never
  }
}

const mostNames = 5

/** `networkpolicy/shop/a, networkpolicy/shop/b`, and how many more. */
export function sayPolicies(policies: readonly string[]): string {
  const more = policies.length - mostNames
  return `${policies.slice(0, mostNames).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

/** Names that a rule before the verdict allows: which addresses DNS told for them is known to the pod’s node alone. */
function unless(steps: readonly PolicyStep[]): string {
  const byName = steps.find(({ kind, says }) => kind === 'misses' && says.includes('no answer of the cluster’s DNS'))
  if (byName === undefined) return ''
  return `, unless DNS told the pod this address for a name of ${byName.because.object} ${byName.because.field}`
}
