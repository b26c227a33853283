import { explainHostPort, type HostPort } from '../hostports/index.ts'
import type { Answer, Step } from './answer.ts'
import { type Asked, base } from './asked.ts'
import { branchTo, overall } from './branch.ts'
import type { Destination } from './destination.ts'

/** The way to the pod that has the port at the node whose address is asked for; undefined when no pod of the node has it. */
export function toHostPort(
  asked: Asked,
  node: string,
  destination: Destination,
  before: readonly Step[],
): Answer | undefined {
  const { snapshot, question, source } = asked
  const { address, port, transport: protocol } = destination
  const found = explainHostPort(snapshot, { node, destination: address, protocol, port })
  if (found === undefined) return undefined
  const { pod, target, targetPort, because } = found
  const at = node === source.node ? source : { ...source, node, forwarded: true as const }
  const seen = source.addresses.includes(target) ? ('masqueraded' as const) : ('kept' as const)
  const endpoint = { address: target, port: targetPort, node, because, source: seen }
  const branch = branchTo({ snapshot, question, source: at }, endpoint, { of: 1, one: 1 }, destination)
  const steps: Step[] = [...before, { stage: 'service', node, says: hand(found), because }]
  return {
    ...base(question),
    verdict: overall([branch], because, `pod/${pod}`),
    steps,
    branches: [branch],
    findings: [],
  }
}

function hand({ address, protocol, port, pod, target, targetPort }: HostPort): string {
  const where = address === undefined ? 'every address of the node' : address
  return `host port ${port}/${protocol} at ${where} is pod/${pod}: to ${target} port ${targetPort}`
}
