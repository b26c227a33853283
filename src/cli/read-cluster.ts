import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { findPrefix, type Prefix } from '../addr/index.ts'
import { type Client, connect, type Resource } from '../client/index.ts'
import { keyOf, LiveSnapshot, type Snapshot } from '../cluster/index.ts'
import { plumbNodes } from '../doctor/index.ts'
import type { ClusterFacts } from '../explain/index.ts'
import type { Lab } from '../lab/index.ts'
import {
  EndpointSlices,
  type KubeObject,
  Namespaces,
  NetworkPolicies,
  Nodes,
  Pods,
  Services,
} from '../objects/index.ts'
import { ClusterSight } from './cluster-sight.ts'
import { labSight } from './lab-sight.ts'
import { exit, say } from './output.ts'
import { readKinds } from './read-kinds.ts'
import { remoteNodes } from './remote-node.ts'
import type { Sight } from './sight.ts'

/** Where questions are answered from. */
export interface Cluster {
  readonly snapshot: LiveSnapshot
  readonly servicePrefixes: readonly Prefix[]
  readonly client: Client
  /** The lab that this API server belongs to. */
  readonly lab: Lab | undefined
  readonly sight: Sight
}

/** Which cluster, and what this machine is to it. */
export interface ClusterOptions {
  readonly name: string
  readonly kubeconfig?: string
  readonly context?: string
  /** The Node that this machine is, where its addresses do not tell. */
  readonly node?: string
  /** How long the API server may take for each part of an answer. */
  readonly timeoutMs?: number
}

/** Which cluster is meant, and the lab that it is, if it is one. */
export async function findCluster({
  name,
  kubeconfig,
  context,
}: ClusterOptions): Promise<{ readonly lab: Lab | undefined; readonly kubeconfig: string | undefined }> {
  const { findLab } = await import('../lab/index.ts')
  const lab = await findLab(name)
  const chosen = kubeconfig ?? (context === undefined ? lab?.state.kubeconfig : undefined) ?? usualKubeconfig()
  return { lab: lab !== undefined && lab.state.kubeconfig === chosen ? lab : undefined, kubeconfig: chosen }
}

/** A client of the cluster that was found; undefined, and said why, where there is none. */
export function openClient(
  command: string,
  kubeconfig: string | undefined,
  { name, context, timeoutMs = 15_000 }: ClusterOptions,
): Client | undefined {
  if (kubeconfig === undefined)
    return fail(command, `no lab ${name} is running and no --kubeconfig is given; start one with plumb up`)
  if (!existsSync(kubeconfig)) {
    const says = `there is no file ${kubeconfig}; name a lab that runs with --name, or a kubeconfig with --kubeconfig`
    return fail(command, says)
  }
  const userAgent = command.replaceAll(' ', '-')
  return connect({ kubeconfig, ...(context === undefined ? {} : { context }), userAgent, timeoutMs })
}

/** Says why the command cannot answer, and sets the exit status. */
export function fail(command: string, says: string): undefined {
  say(`${command}: ${says}`)
  process.exitCode = exit.cannot
  return undefined
}

/** Reads the objects of the lab of that name, or of the cluster that the kubeconfig names; says what is missing and sets the exit status otherwise. */
export async function openCluster(command: string, options: ClusterOptions): Promise<Cluster | undefined> {
  const { lab: own, kubeconfig } = await findCluster(options)
  const client = openClient(command, kubeconfig, options)
  if (client === undefined) return undefined
  try {
    const groups = await readGroups(client)
    const objects = await readObjects(client, groups)
    if (typeof objects === 'string') {
      client.close()
      return fail(command, objects)
    }
    const { snapshot, servicePrefixes } = objects
    const sight = own === undefined ? await sightHere(client, snapshot, groups, options) : labSight(own)
    if (typeof sight !== 'string') return { snapshot, servicePrefixes, client, lab: own, sight }
    client.close()
    return fail(command, sight)
  } catch (error) {
    client.close()
    throw error
  }
}

/** What the cluster is like beyond its objects. */
export function factsOf({ servicePrefixes, sight }: Cluster): ClusterFacts {
  const { enforcers, agents = [] } = sight
  const others = enforcers === undefined ? {} : { enforcers, agents }
  return { clusterDomain: 'cluster.local', servicePrefixes, ...others }
}

/** What this machine is to a cluster now: nodes come and go, and so do the pods of agents through which they are asked. */
export async function renewSight({ client, snapshot, lab }: Cluster, options: ClusterOptions): Promise<Sight | string> {
  return lab === undefined ? sightHere(client, snapshot, await readGroups(client), options) : labSight(lab)
}

/** Where kubectl looks when nothing is said. */
function usualKubeconfig(): string | undefined {
  const path = join(homedir(), '.kube', 'config')
  return existsSync(path) ? path : undefined
}

async function sightHere(
  client: Client,
  snapshot: Snapshot,
  groups: ReadonlyMap<string, readonly string[]>,
  { node }: ClusterOptions,
): Promise<Sight | string> {
  const { hereSight } = await import('./here-sight.ts')
  const reread = async (): Promise<Snapshot> => {
    const found = await readObjects(client, groups)
    return typeof found === 'string' ? snapshot : found.snapshot
  }
  const { readInstallation } = await import('./read-installation.ts')
  const installation = await readInstallation(client, groups)
  const plumbs = plumbNodes(snapshot, installation)
  const known = { node, groups: [...groups.keys()], plumbs, reread }
  const remotes = remoteNodes(client, snapshot, plumbs)
  const own = hereSight(snapshot, { ...known, asked: remotes.map((one) => one.node) })
  if (typeof own === 'string' || plumbs.length === 0) return own
  const others = remotes.filter((one) => !own.seen.includes(one.node))
  return new ClusterSight(own, snapshot, installation, others).sight
}

/** The versions of each API group; none where they may not be read. */
export async function readGroups(client: Client): Promise<ReadonlyMap<string, readonly string[]>> {
  type Group = { readonly name: string; readonly versions?: readonly { readonly version: string }[] }
  try {
    const { groups } = await client.request<{ groups?: readonly Group[] }>('GET', '/apis')
    return new Map((groups ?? []).map(({ name, versions = [] }) => [name, versions.map(({ version }) => version)]))
  } catch {
    return new Map()
  }
}

interface Objects {
  readonly snapshot: LiveSnapshot
  readonly servicePrefixes: readonly Prefix[]
}

/** All objects that answers depend on, or what kept some of them from being read: then there is no verdict to stand behind. */
async function readObjects(client: Client, groups: ReadonlyMap<string, readonly string[]>): Promise<Objects | string> {
  const unread = unreadPolicies(groups)
  if (unread !== undefined) return unread
  // Rights are asked for before existence: whoever may not list a kind that is not there is refused all the same.
  const there = Object.entries(optionalKinds).filter(([, { group }]) => groups.size === 0 || groups.has(group))
  const found = await readKinds(client, [
    ...Object.values(collections).map((resource) => ({ resource, optional: false })),
    ...there.map(([, resource]) => ({ resource, optional: true })),
    { resource: serviceCidrs, optional: true },
  ])
  if (typeof found === 'string') return found
  const snapshot = new LiveSnapshot()
  for (const [collection, resource] of [...Object.entries(collections), ...there])
    for (const object of found.get(resource) ?? [])
      snapshot.put(collection as 'services', keyOf(object), object as never)
  return { snapshot, servicePrefixes: (found.get(serviceCidrs) ?? []).flatMap(prefixesOf) }
}

/** Policies in words that are not read here may deny what is told as allowed. */
function unreadPolicies(groups: ReadonlyMap<string, readonly string[]>): string | undefined {
  const served = groups.get(policyGroup) ?? []
  const read = Object.values(optionalKinds).filter(({ group }) => group === policyGroup)
  if (served.length === 0 || served.some((one) => read.some(({ version }) => version === one))) return undefined
  const known = [...new Set(read.map(({ version }) => version))].sort()
  return `policies of ${policyGroup} are served as ${served.join(', ')} alone, and ${known.join(' and ')} are read: there is no verdict`
}

/** The kinds that every cluster has, by the collection of a snapshot. */
export const collections = {
  services: Services,
  slices: EndpointSlices,
  nodes: Nodes,
  pods: Pods,
  namespaces: Namespaces,
  policies: NetworkPolicies,
} as const

const policyGroup = 'policy.networking.k8s.io'
/** Those that it need not have. */
export const optionalKinds: Readonly<Record<string, Resource>> = {
  egresses: wide('plumb.network/v1alpha1', 'Egress', 'egresses'),
  addressPools: wide('plumb.network/v1alpha1', 'IPAddressPool', 'ipaddresspools'),
  l2Advertisements: wide('plumb.network/v1alpha1', 'L2Advertisement', 'l2advertisements'),
  l2Statuses: wide('plumb.network/v1alpha1', 'ServiceL2Status', 'servicel2statuses'),
  bgpStatuses: wide('plumb.network/v1alpha1', 'ServiceBGPStatus', 'servicebgpstatuses'),
  clusterPolicies: wide(`${policyGroup}/v1alpha2`, 'ClusterNetworkPolicy', 'clusternetworkpolicies'),
  adminPolicies: wide(`${policyGroup}/v1alpha1`, 'AdminNetworkPolicy', 'adminnetworkpolicies'),
  baselinePolicies: wide(`${policyGroup}/v1alpha1`, 'BaselineAdminNetworkPolicy', 'baselineadminnetworkpolicies'),
}

function wide(apiVersion: string, kind: string, plural: string): Resource {
  const [group = '', version = ''] = apiVersion.split('/')
  return { group, version, plural, namespaced: false, kind }
}

const serviceCidrs: Resource = {
  group: 'networking.k8s.io',
  version: 'v1',
  plural: 'servicecidrs',
  namespaced: false,
  kind: 'ServiceCIDR',
}

/** The prefixes that a ServiceCIDR tells. */
function prefixesOf(object: KubeObject): readonly Prefix[] {
  const { cidrs = [] } = (object as { spec?: { cidrs?: string[] } }).spec ?? {}
  return cidrs.flatMap((text) => findPrefix(text) ?? [])
}
