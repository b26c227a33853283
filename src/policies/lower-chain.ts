import type { Family } from '../addr/index.ts'
import { renderRange } from './address-ranges.ts'
import type { Closed, Entry } from './content.ts'
import type { PodPolicies } from './judge.ts'
import type { Rule, Statement } from './language.ts'
import { auditedChain, deniedChain, type Gate, goto, openVerdict, tell, toIngress } from './layout.ts'
import { comment, hash, type LoweredChain, lowerEntry, type SetNeed } from './lower.ts'
import type { Direction, NamedPort } from './model.ts'
import { composeTiers, type TierEntry, type TieredContent, type TierPolicy } from './tier-content.ts'

/** A chain by name and the chains that it leads to. What has the same name says the same, so that pods with the same policies share it. */
export interface ChainPlan {
  readonly name: string
  readonly calls: readonly ChainPlan[]
  /** Whether an address more in one of its sets may deny something. */
  readonly denies: boolean
  lower(family: Family): LoweredChain
}

/** The chain where a packet of a pod begins: admin tier, NetworkPolicies, baseline tier, as far as they say anything; undefined when none does. */
export function planChain(direction: Direction, { admin, own, baseline }: TieredContent): ChainPlan | undefined {
  const last = planTier(direction, baseline, undefined)
  const middle = own.kind === 'closed' ? planOwn(direction, own, last) : last
  return planTier(direction, admin, middle)
}

/**
 * The chain where a packet of a pod to its own node begins: only cluster-wide policies speak of that, and a pod that NetworkPolicies isolate
 * reaches its node all the same. Undefined when none does.
 */
export function planInput({ admin, baseline }: TieredContent): ChainPlan | undefined {
  return planTier('input', admin, planTier('input', baseline, undefined))
}

/** The verdict of a pod with these policies in the map of its direction: chains are named by what they say, so it tells whether they are current. */
export function verdictElement(policies: PodPolicies, direction: Direction, ports: readonly NamedPort[]): string {
  const plan = planChain(direction, composeTiers(policies, direction, ports))
  return plan === undefined ? openVerdict[direction] : `goto ${plan.name}`
}

/** What NetworkPolicies leave: whatever no rule lets on is told, and dropped unless it is only audited. */
function planOwn(direction: Direction, content: Closed, next: ChainPlan | undefined): ChainPlan {
  const { mode, entries, policies } = content
  const text = JSON.stringify(entries.map(entryText))
  const after = next === undefined ? '' : ` ${next.name}`
  return {
    name: `${direction}-${hash(`${mode} ${text} ${policies.join(' ')}${after}`)}`,
    calls: next === undefined ? [] : [next],
    denies: false,
    lower(family) {
      const needs = new Map<string, SetNeed>()
      const on = mode === 'audit' ? leave(direction, next) : leave(direction, undefined)
      const rules = entries.flatMap((entry) => lowerEntry(family, direction, entry, on, needs))
      const rest: Rule = {
        comment: comment(`${mode === 'audit' ? 'audited' : 'isolated'} by ${policies.join(' ')}`),
        statements: [mode === 'audit' ? on : { kind: 'verdict', verdict: { kind: 'drop' } }],
      }
      return { rules: [...rules, { statements: tell(direction, mode) }, rest], needs: [...needs.values()] }
    },
  }
}

/** A tier: the first rule that matches decides; without any, and where one passes, the packet goes on to `next`. */
function planTier(gate: Gate, policies: readonly TierPolicy[], next: ChainPlan | undefined): ChainPlan | undefined {
  if (policies.length === 0) return next
  const direction = gate === 'input' ? 'egress' : gate
  const audits = new Map(
    policies.flatMap((policy) => (policy.mode === 'audit' ? [[policy, planAudit(direction, policy)] as const] : [])),
  )
  const text = JSON.stringify(policies.map(({ object, mode, rules }) => [object, mode, rules.map(ruleText)]))
  return {
    name: `${gate}-${hash(`tier ${text} ${next?.name ?? ''}`)}`,
    calls: [...audits.values(), ...(next === undefined ? [] : [next])],
    denies: true,
    lower(family) {
      const needs = new Map<string, SetNeed>()
      const verdict = {
        accept: leave(gate, undefined),
        deny: goto(deniedChain[direction]),
        pass: leave(gate, next),
      }
      const rules = policies.flatMap((policy): Rule[] => {
        const audit = audits.get(policy)
        if (audit !== undefined) {
          const jump: Statement = { kind: 'verdict', verdict: { kind: 'jump', chain: audit.name } }
          return [{ comment: comment(`audit of ${policy.object}`), statements: [jump] }]
        }
        return policy.rules.flatMap(({ action, entries }) =>
          entries.flatMap((entry) => lowerEntry(family, direction, entry, verdict[action], needs)),
        )
      })
      return { rules: [...rules, { statements: [leave(gate, next)] }], needs: [...needs.values()] }
    },
  }
}

/** A chain that is jumped to and always comes back: it tells what an audited policy would deny. */
function planAudit(direction: Direction, { object, rules }: TierPolicy): ChainPlan {
  return {
    name: `audit-${direction}-${hash(`${object} ${JSON.stringify(rules.map(ruleText))}`)}`,
    calls: [],
    denies: false,
    lower(family) {
      const needs = new Map<string, SetNeed>()
      const back: Statement = { kind: 'verdict', verdict: { kind: 'return' } }
      const lowered = rules.flatMap(({ action, entries }) =>
        entries.flatMap((entry) =>
          lowerEntry(family, direction, entry, action === 'deny' ? goto(auditedChain[direction]) : back, needs),
        ),
      )
      return { rules: lowered, needs: [...needs.values()] }
    },
  }
}

/** On to the next chain; without one, past this end's policies. */
function leave(gate: Gate, next: ChainPlan | undefined): Statement {
  if (next !== undefined) return goto(next.name)
  return gate === 'egress' ? goto(toIngress) : { kind: 'verdict', verdict: { kind: 'accept' } }
}

function ruleText({ action, entries }: TierEntry): unknown {
  return [action, entries.map(entryText)]
}

function entryText({ ports, anybody, pods, blocks, nodes, names, policies }: Entry): unknown {
  const ranges = ([4, 6] as const).map((family) => blocks[family].map((range) => renderRange(family, range)))
  const ids = nodes.length === 0 ? [] : [nodes.map(({ id }) => id)]
  return [
    ports,
    anybody,
    pods.map(({ id }) => id),
    ranges,
    policies,
    ...ids,
    ...(names.length === 0 ? [] : [{ names }]),
  ]
}
