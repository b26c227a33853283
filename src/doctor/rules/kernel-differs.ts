import type { Observation } from '../../explain/index.ts'
import type { Rule } from '../cause.ts'

const fields: Readonly<Record<string, string>> = {
  frontend: 'nftables ip plumb-services',
  route: 'routes',
  neighbour: 'neighbours',
  conntrack: 'connections',
  policy: 'nftables ip plumb-policies',
}

/** A kernel does not hold what the model says, while its agent runs: something else changed it, or a round is stuck. */
export const kernelDiffers: Rule = {
  covers: ['55', '59', '87', '88'],
  judge({ disagreements, nodes, tested }) {
    if (tested.every(({ good }) => good)) return []
    return disagreements.flatMap((step) => {
      const { observation, observed, node = '' } = step
      // A missing socket is the application's, and rules of its own tell it.
      if (observation === undefined || observation.kind === 'listener') return []
      const state = nodes.find((one) => one.node === node)
      // What kube-proxy holds, rules of its own compare.
      if (observation.kind === 'frontend' && state?.proxy !== undefined) return []
      const alive = state?.agent === 'answers'
      return [
        {
          confidence: 'certain' as const,
          object: `node/${node}`,
          field: fields[observation.kind] ?? observation.kind,
          value: addressIn(observation),
          says: `${node}: ${observed?.says ?? ''}, where the objects say: ${step.says}`,
          proof:
            step.because === undefined ? [] : [`${step.because.object} ${step.because.field} = ${step.because.value}`],
          twin:
            state?.agent === undefined
              ? 'a policy or a firewall: there the kernel has a way'
              : alive
                ? 'an agent that is down leaves stale rules behind: this one answers'
                : 'a foreign edit: there the agent answers',
          fix: {
            says:
              state !== undefined && state.agent === undefined
                ? `see what should have set it on ${node}: the network plugin or its configuration`
                : isOwnRoute(observation)
                  ? `give ${node} a route that covers ${observation.destination}, such as a default route: its own connections begin with one`
                  : alive
                    ? `restart the agent on ${node}: its first round replaces its tables and routes whole`
                    : `start the agent on ${node}`,
          },
          rung: observation.kind === 'frontend' ? ('cluster-ip' as const) : ('own-node' as const),
        },
      ]
    })
  },
}

/** A route that nobody but the node's administrator sets: any will do. */
function isOwnRoute(observation: Observation): observation is Extract<Observation, { kind: 'route' }> {
  return (
    observation.kind === 'route' && observation.expect.gateway === undefined && observation.expect.link === undefined
  )
}

function addressIn(observation: Observation): string {
  switch (observation.kind) {
    case 'route':
      return observation.destination
    case 'frontend':
    case 'neighbour':
      return observation.address
    default:
      return ''
  }
}
