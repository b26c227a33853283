import type { Address } from '../addr/index.ts'
import { protocolOf } from './cut-denied.ts'
import type { ConnectionsRequest, ConnectionsResponse } from './observe.ts'
import type { Sources } from './observe-answers.ts'
import { BadQuestion } from './question.ts'

/** IPS_SEEN_REPLY (include/uapi/linux/netfilter/nf_conntrack_common.h). */
const seenReply = 2
const tcp = 6
const icmps: ReadonlySet<number> = new Set([1, 58])

/** The connections of a namespace's pods that this node's conntrack knows. One dump per family. */
export function answerSeen(
  { namespace: { network }, nodeName, snapshot }: Pick<Sources, 'namespace' | 'nodeName' | 'snapshot'>,
  { namespace }: ConnectionsRequest,
): ConnectionsResponse {
  if (typeof namespace !== 'string' || namespace === '') throw new BadQuestion('namespace: is missing')
  const isOurs = (address: Address): boolean => snapshot.findPod(address)?.metadata.namespace === namespace
  const flows = new Map<string, ConnectionsResponse['flows'][number]>()
  for (const family of [4, 6] as const) {
    for (const { protocol, original, reply, status } of network.connections({ family })) {
      const { source } = original
      // The reply comes from where the first packet went after destination NAT.
      const { source: destination, sourcePort } = reply
      if (source === destination || (!isOurs(source) && !isOurs(destination))) continue
      if (protocol === tcp && (status & seenReply) === 0) continue
      const word = protocolOf(protocol)
      if (word === 'icmp' && !icmps.has(protocol)) continue
      const port = word === 'icmp' ? 0 : sourcePort
      flows.set([source, destination, word, port].join(' '), { source, destination, protocol: word, port })
    }
  }
  return { node: nodeName, flows: [...flows.values()] }
}
