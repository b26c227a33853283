import type { Network } from '../host/index.ts'
import { loopbackCount, tableOf } from '../services/index.ts'

const name = 'kubeproxy_iptables_localhost_nodeports_accepted_packets_total'

/**
 * First packets of connections that node ports on loopback took, by upstream's name, in the exposition format. The kernel counts; a round that
 * replaces the tables begins anew, as a counter may.
 */
export async function countLoopbackNodePorts(network: Network): Promise<string> {
  const { family, table } = tableOf(4)
  const help = 'Number of packets accepted on nodeports of loopback interface'
  const head = `# HELP ${name} ${help}\n# TYPE ${name} counter\n`
  try {
    return `${head}${name} ${await network.counted(family, table, loopbackCount)}\n`
  } catch {
    // Before the first round there is no table, and when it was taken away it comes again.
    return ''
  }
}
