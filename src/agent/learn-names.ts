import { findAddress } from '../addr/index.ts'
import { HostError, type Network } from '../host/index.ts'
import { decodeIpPacket } from '../netlink/index.ts'
import type { Operation } from '../nft/index.ts'
import type { NodePlan } from '../nodeplan/index.ts'
import { answersLogGroup, policyTableName } from '../policies/index.ts'
import type { Log } from './contract.ts'
import { readAnswer } from './dns-answer.ts'
import { listenToLog } from './logged-packets.ts'

/** The largest message over UDP that resolvers offer to take (RFC 6891 6.2.5), and headers. */
const packetBytes = 4096 + 128
/** For those that ask, wait and then connect; an address of TTL 0 counts this long. */
const graceSeconds = 5
const longestSeconds = 86_400

/** Follows the answers that pods get whose policies have domain names; `wake` is called when the kernel is to know of new addresses. */
export function learnNames(network: Network, plan: NodePlan, wake: () => void, log: Log): { close(): void } {
  return listenToLog(
    network,
    { group: answersLogGroup, bytes: packetBytes, trouble: 'answers of DNS cannot be followed yet' },
    ({ family, bytes }) => {
      const packet = decodeIpPacket(family, bytes)
      const answer = packet && readAnswer(packet, bytes)
      if (answer === undefined) return
      const now = Date.now()
      let news = false
      for (const { address, ttlSeconds } of answer.addresses) {
        const until = now + (Math.min(ttlSeconds, longestSeconds) + graceSeconds) * 1000
        news = plan.learn(answer.asked, address, until) || news
      }
      if (news) wake()
    },
    log,
  )
}

/** What names led to by a former agent's word, which the kernel alone remembers: told to the plan, and what puts it back. Times begin anew. */
export async function keptNames(network: Network, plan: NodePlan): Promise<readonly Operation[]> {
  const operations: Operation[] = []
  for (const set of plan.nameSets) {
    const family = set.family === 4 ? 'ip' : 'ip6'
    const remembered = await network.elements(family, policyTableName, set.declaration).catch((error: unknown) => {
      if (error instanceof HostError && error.code === 'missing') return []
      throw error
    })
    const elements = remembered.filter(({ key, timeoutSeconds = 0 }) => {
      const address = findAddress(key)
      return address !== undefined && timeoutSeconds > 0 && set.get(address) === undefined
    })
    for (const { key, timeoutSeconds = 0 } of elements) set.restore(key, Date.now() + timeoutSeconds * 1000)
    if (elements.length === 0) continue
    operations.push({ kind: 'add-elements', family, table: policyTableName, set: set.declaration, elements })
  }
  return operations
}
