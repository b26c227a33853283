import type { Family } from '../addr/index.ts'
import type { ObjectKey } from '../cluster/index.ts'
import type { EgressModel, EgressWorld, Exit } from './model.ts'
import { nodesServed, portsOfNode } from './ports.ts'
import { chooseAddress, reaches } from './select.ts'

/** How packets of one family of a pod that `model` selects leave for destinations in its scope. */
export function decideExit(model: EgressModel, family: Family, pod: ObjectKey, world: EgressWorld): Exit {
  const { object } = model
  if (!reaches(model.scope, family)) {
    return {
      kind: 'untouched',
      says: `none of its destinations is of IPv${family}`,
      because: { object, field: 'spec.destinationCIDRs', value: model.scope.destinations?.join() ?? '' },
    }
  }
  const chosen = chooseAddress(model, family, pod)
  if (chosen === undefined) {
    const says = `${object} has no IPv${family} address`
    return unavailable(model, undefined, says, { object, field: 'spec.egressIPs', value: '' })
  }
  const { address, because } = chosen
  const index = world.nodes.get(world.node)?.index
  if (index === undefined) {
    const at = { object: `node/${world.node}`, field: 'metadata.annotations', value: '' }
    return {
      kind: 'blocked',
      address,
      says: `${world.node} has no share of the source ports of ${address} yet`,
      because: at,
    }
  }
  const ports = portsOfNode(model.ports, index)
  if (ports === undefined) {
    const { perNode } = model.ports
    const says = `${perNode} source ports per node last for ${nodesServed(perNode)} nodes, and ${world.node} has number ${index}`
    return { kind: 'blocked', address, says, because: { object, field: 'spec.ports.perNode', value: String(perNode) } }
  }
  const owner = world.owners.get(address)
  if (owner === undefined) return unavailable(model, address, `no node holds ${address} now`, because)
  if (owner !== world.node && world.nodes.get(owner)?.index === undefined) {
    return unavailable(model, address, `${owner} holds ${address}, but is not known here`, because)
  }
  return { kind: 'through', address, owner, ports, because }
}

function unavailable(
  model: EgressModel,
  address: Extract<Exit, { kind: 'blocked' }>['address'],
  says: string,
  because: Exit['because'],
): Exit {
  if (model.onUnavailable === 'Drop') return { kind: 'blocked', address, says, because }
  const { object } = model
  return {
    kind: 'untouched',
    says: `${says}, so they leave under the node’s address`,
    because: { object, field: 'spec.onUnavailable', value: 'Node' },
  }
}
