import type { Rule } from '../cause.ts'
import { proofOf } from '../words.ts'
import { passes } from './way.ts'

/** The agent of a node does not answer: its rules stay as they were and grow stale. Blamed only where something fails. */
export const agentSilent: Rule = {
  covers: ['55'],
  judge({ nodes, tested, disagreements }) {
    if (tested.every(({ good }) => good)) return []
    return nodes
      .flatMap(({ node, agent }) => (agent === undefined || agent === 'answers' ? [] : [{ node, agent }]))
      .map(({ node, agent }) => {
        const mine = tested.filter((one) => !one.good && one.answer?.verdict.kind === 'allow' && passes(one, node))
        const confidence = disagreements.some((one) => one.node === node)
          ? 'certain'
          : mine.length > 0
            ? 'likely'
            : 'possible'
        return {
          confidence: confidence as 'certain' | 'likely' | 'possible',
          object: `node/${node}`,
          field: 'agent',
          value: agent,
          says: `the agent of ${node} does not answer (${agent}): its rules are as they were when it stopped`,
          proof: mine.slice(0, 3).map(proofOf),
          twin: 'rules that somebody changed by hand: there the agent answers',
          fix: { says: `start the agent on ${node} again; in the kernel everything goes on until then` },
          rung: 'cluster-ip' as const,
        }
      })
  },
}
