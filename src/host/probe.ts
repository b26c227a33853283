import { parseAddress } from '../addr/index.ts'
import { HostError, type Namespace } from './contract.ts'
import { createNamespace } from './namespace.ts'

/** Something that Plumb asks of the kernel and of its privileges. */
export type Feature =
  | 'linux'
  | 'namespaces'
  | 'veth'
  | 'bridge'
  | 'vxlan'
  | 'ipv6'
  | 'nftables'
  | 'conntrack'
  | 'socket-diagnostics'

/** What this host lacks, in one sentence, and what to do about it. */
export interface MissingFeature {
  readonly feature: Feature
  /** Whether Plumb cannot work at all without it. */
  readonly required: boolean
  readonly reason: string
  readonly remedy: string
}

interface Trial {
  readonly feature: Feature
  readonly required: boolean
  readonly remedy: string
  run(namespace: Namespace): void | Promise<void>
}

const table = { family: 'inet', table: 'plumb-probe' } as const

const trials: readonly Trial[] = [
  {
    feature: 'veth',
    required: true,
    remedy: 'load it with "modprobe veth", or use a kernel with CONFIG_VETH',
    run: ({ network }) => network.addVeth({ name: 'probe0', peerName: 'probe1' }),
  },
  {
    feature: 'bridge',
    required: false,
    remedy: 'load it with "modprobe bridge"; the lab\'s switch needs it',
    run: ({ network }) => network.addBridge('probe2'),
  },
  {
    feature: 'vxlan',
    required: false,
    remedy: 'load it with "modprobe vxlan"; nodes without a shared segment need it',
    run: ({ network }) => network.addVxlan({ name: 'probe3', id: 1, local: parseAddress('127.0.0.1'), port: 8472 }),
  },
  {
    feature: 'ipv6',
    required: false,
    remedy: 'boot without ipv6.disable=1; without it only IPv4 works',
    run: ({ network }) => void network.sysctl('net.ipv6.conf.all.forwarding'),
  },
  {
    feature: 'nftables',
    required: true,
    remedy: 'load it with "modprobe nf_tables", or use a kernel with CONFIG_NF_TABLES',
    run: ({ network }) => network.commit([{ kind: 'add-table', ...table }]),
  },
  {
    feature: 'conntrack',
    required: true,
    remedy: 'load it with "modprobe nf_conntrack_netlink", or use a kernel with CONFIG_NF_CT_NETLINK',
    run: ({ network }) => void network.connections(),
  },
  {
    feature: 'socket-diagnostics',
    required: false,
    remedy: 'load it with "modprobe -a tcp_diag udp_diag"; explanations then cannot tell which ports have a listener',
    run: ({ network }) => void network.listeners(),
  },
]

/** Tries everything that Plumb needs in a namespace of its own, which it removes; lists what did not work. */
export async function probeHost(): Promise<{ missing: readonly MissingFeature[] }> {
  if (process.platform !== 'linux') {
    const remedy = 'run it on Linux, or in a virtual machine with Linux'
    return { missing: [{ feature: 'linux', required: true, reason: `${process.platform} is not Linux`, remedy }] }
  }
  let namespace: Namespace
  try {
    namespace = createNamespace()
  } catch (error) {
    return { missing: [namespacesMissing(error)] }
  }
  try {
    const missing: MissingFeature[] = []
    for (const trial of trials) {
      try {
        await trial.run(namespace)
      } catch (error) {
        if (!(error instanceof HostError)) throw error
        const { feature, required, remedy } = trial
        missing.push({ feature, required, reason: error.message, remedy })
      }
    }
    return { missing }
  } finally {
    namespace.close()
  }
}

function namespacesMissing(error: unknown): MissingFeature {
  if (!(error instanceof HostError)) throw error
  const feature = { feature: 'namespaces', required: true, reason: error.message } as const
  switch (error.errno) {
    case 'EPERM':
    case 'EACCES':
      return {
        ...feature,
        remedy: 'run as root, or with CAP_SYS_ADMIN and CAP_NET_ADMIN (in a container: --privileged)',
      }
    case 'ENOSPC':
      return { ...feature, remedy: 'raise the sysctl user.max_net_namespaces, or end what holds namespaces open' }
    default:
      return { ...feature, remedy: 'use a kernel with CONFIG_NET_NS' }
  }
}
