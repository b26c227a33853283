import type { Address } from '../addr/index.ts'
import { familyOf } from '../addr/index.ts'
import type { Snapshot } from '../cluster/index.ts'
import { compileHostPorts } from './compile.ts'
import type { HostPort } from './model.ts'

/** Where a connection to a node is asked to go. */
export interface HostPortQuestion {
  readonly node: string
  /** An address of the node. */
  readonly destination: Address
  readonly protocol: string
  readonly port: number
}

/** The pod of the node that a connection to the node's address is handed to; undefined when no pod has that host port. */
export function explainHostPort(snapshot: Snapshot, question: HostPortQuestion): HostPort | undefined {
  const compiled = [...snapshot.podsOn(question.node)].map(compileHostPorts)
  const sorted = compiled.sort((a, b) => (`${a.created} ${a.pod}` < `${b.created} ${b.pod}` ? -1 : 1))
  return sorted.flatMap(({ ports }) => ports).find((port) => takes(port, question))
}

function takes({ family, address, protocol, port }: HostPort, question: HostPortQuestion): boolean {
  if (protocol !== question.protocol || port !== question.port || family !== familyOf(question.destination))
    return false
  return address === undefined || address === question.destination
}
