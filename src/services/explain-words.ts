import type { Candidate, FrontendKind, Outcome, Use } from './model.ts'

/** What an address is to its Service, in words. */
export const kinds: Readonly<Record<FrontendKind, string>> = {
  'cluster-ip': 'the ClusterIP',
  'node-port': 'an address for node ports',
  'load-balancer-ip': 'a load balancer’s address',
  'external-ip': 'an external IP',
}

const uses: Readonly<Record<Use['why'], string>> = {
  ready: 'ready',
  'hinted-node': 'ready, and hinted for this node',
  'hinted-zone': 'ready, and hinted for this zone',
  local: 'ready and on this node',
  'terminating-fallback': 'terminating but still serving, and none is ready',
  'not-ready': 'not ready',
  terminating: 'terminating, and others are ready',
  'hinted-elsewhere': 'ready, but hinted for elsewhere',
  'other-node': 'on another node, and the policy is Local',
  'listed-twice': 'listed in another slice too',
  'beyond-limit': 'beyond the most endpoints that one port can have',
}

/** Why an endpoint gets connections or none, in words. */
export function sayUse(use: Use): string {
  return use.kind === 'chosen' ? `chosen: ${uses[use.why]}` : `passed over: ${uses[use.why]}`
}

/** What becomes of new connections, in words. */
export function sayOutcome(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'balance':
      return `${sayHow(outcome.endpoints)} over ${outcome.endpoints.length} ${outcome.endpoints.length === 1 ? 'endpoint' : 'endpoints'}`
    case 'reject':
      return 'no endpoint serves this port: refused with ICMP port unreachable'
    case 'drop':
      return 'only other nodes have endpoints, and the policy is Local: dropped without an answer'
    default:
      return outcome satisfies never
  }
}

function sayHow(endpoints: readonly Candidate[]): string {
  return endpoints.every(({ weight }) => weight === endpoints[0]?.weight) ? 'evenly' : 'by weight'
}
