import { findPrefix, type Prefix } from '../addr/index.ts'
import { ApiError, type Client, connect, type Resource } from '../client/index.ts'
import { keyOf, LiveSnapshot } from '../cluster/index.ts'
import type { Lab } from '../lab/index.ts'
import { EndpointSlices, Namespaces, NetworkPolicies, Nodes, Pods, Services } from '../objects/index.ts'
import { exit, say } from './output.ts'

/** Where questions are answered from. */
export interface Cluster {
  readonly snapshot: LiveSnapshot
  readonly servicePrefixes: readonly Prefix[]
  readonly client: Client
  /** The lab that this API server belongs to: only there nodes can be asked. */
  readonly lab: Lab | undefined
}

/** Reads the objects of the lab of that name, or of the cluster that the kubeconfig names; says what is missing and sets the exit status otherwise. */
export async function openCluster(
  command: string,
  options: { readonly name: string; readonly kubeconfig?: string },
): Promise<Cluster | undefined> {
  const { findLab } = await import('../lab/index.ts')
  const lab = await findLab(options.name)
  const kubeconfig = options.kubeconfig ?? lab?.state.kubeconfig
  if (kubeconfig === undefined) {
    say(`${command}: no lab ${options.name} is running and no --kubeconfig is given; start one with plumb up`)
    process.exitCode = exit.cannot
    return undefined
  }
  const client = connect({ kubeconfig, userAgent: command.replaceAll(' ', '-') })
  try {
    const [snapshot, servicePrefixes] = await Promise.all([readSnapshot(client), readServicePrefixes(client)])
    const own = lab !== undefined && lab.state.kubeconfig === kubeconfig
    return { snapshot, servicePrefixes, client, lab: own ? lab : undefined }
  } catch (error) {
    client.close()
    if (!(error instanceof ApiError)) throw error
    say(`${command}: the API server refuses to be read, so there is no verdict: ${error.message}`)
    process.exitCode = exit.cannot
    return undefined
  }
}

async function readSnapshot(client: Client): Promise<LiveSnapshot> {
  const snapshot = new LiveSnapshot()
  const collections = {
    services: Services,
    slices: EndpointSlices,
    nodes: Nodes,
    pods: Pods,
    namespaces: Namespaces,
    policies: NetworkPolicies,
  } as const
  const read = async (collection: string, resource: Resource): Promise<void> => {
    for await (const object of pages(client, resource))
      snapshot.put(collection as 'services', keyOf(object), object as never)
  }
  await Promise.all([
    ...Object.entries(collections).map(([collection, resource]) => read(collection, resource)),
    // A cluster need not know these kinds.
    ...Object.entries(optionalKinds).map(([collection, resource]) =>
      read(collection, resource).catch((error: unknown) => {
        if (!(error instanceof ApiError) || error.code !== 404) throw error
      }),
    ),
  ])
  return snapshot
}

const policyGroup = 'policy.networking.k8s.io'
const optionalKinds: Readonly<Record<string, Resource>> = {
  egresses: wide('plumb.network/v1alpha1', 'Egress', 'egresses'),
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
