import type { Rule } from '../cause.ts'
import { proofOf } from '../words.ts'
import { passes } from './way.ts'

/** Plumb's own parts in a cluster: agents that do not run, are older, do not reach the API server or may not read it, definitions that are missing. */
export const agentUnwell: Rule = {
  covers: ['55', '96'],
  judge({ agents = [], tested }) {
    return agents.map(({ node, ...cause }) => {
      const failing = node === undefined ? [] : tested.filter((one) => !one.good && passes(one, node))
      const likely = cause.confidence === 'possible' && failing.length > 0
      return {
        ...cause,
        confidence: likely ? ('likely' as const) : cause.confidence,
        proof: [...cause.proof, ...failing.slice(0, 3).map(proofOf)],
      }
    })
  },
}
