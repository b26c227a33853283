import type { Address, Prefix } from '../addr/index.ts'
import type { AuditOptions } from '../apiserver/index.ts'
import type { LocalImage } from '../kubelet/index.ts'

/** The addresses of a lab's networks and cluster, all of which may be changed before it starts. */
export interface LabNetwork {
  /** The segment between router, control plane and nodes, one prefix per family: router .1, control plane .2, nodes from .11. More segments have the prefixes that follow. */
  readonly nodePrefixes: readonly Prefix[]
  /** The segment beyond the router: router .1, the outside client .10. */
  readonly outsidePrefixes: readonly Prefix[]
  readonly podPrefixes: readonly Prefix[]
  readonly servicePrefixes: readonly Prefix[]
  readonly clusterDomain: string
  /** Cluster IPs of kube-dns, one per family. */
  readonly dnsAddresses: readonly Address[]
}

/** What a lab's supervisor is started with; the file `config.json` of its run directory. */
export interface LabConfig {
  readonly name: string
  readonly path: string
  readonly nodes: number
  /** How many segments nodes are on, in turn: node-1 on the first. */
  readonly segments: number
  /** Between two heartbeats of the nodes' speakers, in milliseconds; the agents' own unless told. */
  readonly heartbeatMs?: number
  /** The command that starts one of the program's roles: `[node, src/cli/start.js]`. */
  readonly entry: readonly string[]
  readonly network: LabNetwork
  readonly images: readonly LocalImage[]
  /** With absolute paths. */
  readonly audit?: AuditOptions
  /** A backup that the API server starts from; absolute. */
  readonly restore?: string
}

/** The addresses that a lab has unless told otherwise. */
export const defaultNetwork: LabNetwork = {
  nodePrefixes: ['172.30.0.0/24' as Prefix, 'fd00:30::/64' as Prefix],
  outsidePrefixes: ['203.0.113.0/24' as Prefix, '2001:db8:113::/64' as Prefix],
  podPrefixes: ['10.244.0.0/16' as Prefix, 'fd00:244::/56' as Prefix],
  servicePrefixes: ['10.96.0.0/16' as Prefix, 'fd00:96::/112' as Prefix],
  clusterDomain: 'cluster.local',
  dnsAddresses: ['10.96.0.10' as Address, 'fd00:96::a' as Address],
}
