import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { findPrefix, type Prefix } from '../addr/index.ts'
import { ApiError, type Client, connect, type Resource } from '../client/index.ts'
import { keyOf, LiveSnapshot, type Snapshot } from '../cluster/index.ts'
import type { ClusterFacts } from '../explain/index.ts'
import type { Lab } from '../lab/index.ts'
import { EndpointSlices, Namespaces, NetworkPolicies, Nodes, Pods, Services } from '../objects/index.ts'
import { labSight } from './lab-sight.ts'
import { exit, say } from './output.ts'
import type { Sight } from './sight.ts'

/** Where questions are answered from. */
export interface Cluster {
  readonly snapshot: LiveSnapshot
  readonly servicePrefixes: readonly Prefix[]
  readonly client: Client
  /** The lab that this API server belongs to. */
  readonly lab: Lab | undefined
  readonly sight: Sight
  /** What kept kinds that are followed from being read, as it comes up. */
  readonly troubles: readonly string[]
}

/** Which cluster, and what this machine is to it. */
export interface ClusterOptions {
  readonly name: string
  readonly kubeconfig?: string
  readonly context?: string
  /** The Node that this machine is, where its addresses do not tell. */
  readonly node?: string
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

/** Reads the objects of the lab of that name, or of the cluster that the kubeconfig names; says what is missing and sets the exit status otherwise. */
export async function openCluster(command: string, options: ClusterOptions): Promise<Cluster | undefined> {
  const { lab: own, kubeconfig } = await findCluster(options)
  const fail = (says: string): undefined => {
    say(`${command}: ${says}`)
    process.exitCode = exit.cannot
    return undefined
  }
  if (kubeconfig === undefined)
    return fail(`no lab ${options.name} is running and no --kubeconfig is given; start one with plumb up`)
  const { context } = options
  const troubles: string[] = []
  const client = connect({
    kubeconfig,
    onTrouble: (says) => void troubles.push(says),
    ...(context === undefined ? {} : { context }),
    userAgent: command.replaceAll(' ', '-'),
  })
  try {
    const groups = await readGroups(client)
    const snapshot = await readSnapshot(client, groups)
    if (typeof snapshot === 'string') {
      client.close()
      return fail(snapshot)
    }
    const servicePrefixes = await readServicePrefixes(client)
    const sight = own === undefined ? await sightHere(client, snapshot, groups, options) : labSight(own, snapshot)
    if (typeof sight !== 'string') return { snapshot, servicePrefixes, client, lab: own, sight, troubles }
    client.close()
    return fail(sight)
  } catch (error) {
    client.close()
    throw error
  }
}

/** What the cluster is like beyond its objects. */
export function factsOf({ servicePrefixes, sight }: Cluster): ClusterFacts {
  const { enforcers } = sight
  return { clusterDomain: 'cluster.local', servicePrefixes, ...(enforcers === undefined ? {} : { enforcers }) }
}

/** Where kubectl looks when nothing is said. */
function usualKubeconfig(): string | undefined {
  const path = join(homedir(), '.kube', 'config')
  return existsSync(path) ? path : undefined
}

async function sightHere(
  client: Client,
  snapshot: Snapshot,
  groups: readonly string[],
  { node }: ClusterOptions,
): Promise<Sight | string> {
  const { hereSight } = await import('./here-sight.ts')
  const reread = async (): Promise<Snapshot> => {
    const found = await readSnapshot(client, groups)
    return typeof found === 'string' ? snapshot : found
  }
  return hereSight(snapshot, { node, groups, reread })
}

/** The names of the API groups; none where they may not be read. */
async function readGroups(client: Client): Promise<readonly string[]> {
  try {
    const { groups } = await client.request<{ groups?: readonly { readonly name: string }[] }>('GET', '/apis')
    return (groups ?? []).map(({ name }) => name)
  } catch {
    return []
  }
}

/** All objects that answers depend on, or what kept some of them from being read: then there is no verdict to stand behind. */
async function readSnapshot(client: Client, groups: readonly string[]): Promise<LiveSnapshot | string> {
  const snapshot = new LiveSnapshot()
  const read = async (collection: string, resource: Resource): Promise<void> => {
    for await (const object of pages(client, resource))
      snapshot.put(collection as 'services', keyOf(object), object as never)
  }
  const refused: { readonly resource: Resource; readonly error: ApiError }[] = []
  const attempt = async (collection: string, resource: Resource, optional: boolean): Promise<void> => {
    try {
      await read(collection, resource)
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      // A cluster need not know these kinds.
      if (!optional || error.code !== 404) refused.push({ resource, error })
    }
  }
  await Promise.all([
    ...Object.entries(collections).map(([collection, resource]) => attempt(collection, resource, false)),
    // Rights are asked for before existence: whoever may not list a kind that is not there is refused all the same.
    ...Object.entries(optionalKinds).flatMap(([collection, resource]) =>
      groups.length > 0 && !groups.includes(resource.group) ? [] : [attempt(collection, resource, true)],
    ),
  ])
  return refused.length === 0 ? snapshot : explainRefusals(refused)
}

/** Every missing right at once, by verb and resource; or that the API server is not ready to tell the whole. */
function explainRefusals(refused: readonly { readonly resource: Resource; readonly error: ApiError }[]): string {
  const name = ({ plural, group }: Resource): string => (group === '' ? plural : `${plural}.${group}`)
  const denied = refused.filter(({ error }) => error.code === 401 || error.code === 403)
  const [first] = denied
  if (first?.error.code === 401)
    return `the API server does not know who asks (${first.error.message}), so there is no verdict`
  if (first !== undefined) {
    const names = denied.map(({ resource }) => name(resource)).sort()
    return `no verdict without the right to list, in all namespaces: ${names.join(', ')} (${first.error.message}); plumb access prints the ClusterRole that reading needs`
  }
  const said = refused.map(({ resource, error }) => `${name(resource)}: ${error.message}`)
  return `the API server does not tell everything now, so there is no verdict; try again when it is ready: ${said.join('; ')}`
}

const collections = {
  services: Services,
  slices: EndpointSlices,
  nodes: Nodes,
  pods: Pods,
  namespaces: Namespaces,
  policies: NetworkPolicies,
} as const

const policyGroup = 'policy.networking.k8s.io'
const optionalKinds: Readonly<Record<string, Resource>> = {
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

/** All objects of a kind, page by page. */
export async function* pages(client: Client, resource: Resource) {
  let next: string | undefined
  do {
    const page = await client.list(resource, { limit: 500, ...(next === undefined ? {} : { continue: next }) })
    yield* page.items
    next = page.metadata.continue || undefined
  } while (next !== undefined)
}

const serviceCidrs: Resource = {
  group: 'networking.k8s.io',
  version: 'v1',
  plural: 'servicecidrs',
  namespaced: false,
  kind: 'ServiceCIDR',
}

/** The prefixes that ServiceCIDRs tell; none where the API server does not have them. */
async function readServicePrefixes(client: Client): Promise<Prefix[]> {
  try {
    const { items } = await client.list(serviceCidrs)
    return items.flatMap((one) =>
      ((one as { spec?: { cidrs?: string[] } }).spec?.cidrs ?? []).flatMap((text) => findPrefix(text) ?? []),
    )
  } catch {
    return []
  }
}
