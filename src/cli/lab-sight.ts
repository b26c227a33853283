import { join } from 'node:path'
import { type Address, findAddress } from '../addr/index.ts'
import type { NodeState } from '../doctor/index.ts'
import { type Host, openHost } from '../host/index.ts'
import { findPlaceHere, type Lab } from '../lab/index.ts'
import { lookAtNode, lookAtSockets, type OpenPlace } from '../probes/index.ts'
import { askNodes, findAgentState } from './evidence.ts'
import type { Sight } from './sight.ts'

/** Everything of a lab of this machine can be entered and asked. */
export function labSight(lab: Lab): Sight {
  const open = placesOf(openHost(), lab)
  return {
    says: `lab ${lab.state.name}`,
    outside: lab.state.outside.flatMap((text): Address | [] => findAddress(text) ?? []),
    open,
    seen: lab.state.nodes.map(({ name }) => name),
    enforcers: undefined,
    ask: (observations) => askNodes(lab, observations),
    lookAt: (nodes) => Promise.all(nodes.map((node) => readNode(lab, node, open))),
    sockets: (namespace, name) => lookAtSockets({ kind: 'pod', namespace, name }, open),
    blind: [],
  }
}

/** Opens namespaces of a lab from this machine. */
function placesOf(host: Host, lab: Lab): OpenPlace {
  return async (place) => {
    const target =
      place.kind === 'pod'
        ? ({ kind: 'pod', namespace: place.namespace, pod: place.name } as const)
        : place.kind === 'node'
          ? ({ kind: 'node', node: place.name } as const)
          : place
    return host.openNamespace(await findPlaceHere(lab, target))
  }
}

async function readNode(lab: Lab, node: string, open: OpenPlace): Promise<NodeState> {
  const socket = join(lab.directory.path, node, 'agent.sock')
  const [state, agent] = await Promise.all([
    lookAtNode(node, open).catch(() => ({
      node,
      forwarding: { 4: undefined, 6: undefined },
      conntrack: undefined,
      foreignTables: [],
    })),
    findAgentState(socket),
  ])
  return { ...state, agent }
}
