import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { familyOf, findAddress, type Prefix, parsePrefix, prefixFamily } from '../addr/index.ts'
import { definitions } from '../customresources/index.ts'
import { firstAddress } from '../ipam/index.ts'
import { findKindOf, type KubeObject } from '../objects/index.ts'
import type { Core } from './core.ts'
import { defaultRoles } from './default-roles.ts'
import type { ApiServerOptions } from './options.ts'
import { collectionOf, keyOf, type Scope, type User } from './scope.ts'
import type { Transaction } from './store.ts'
import { copyOf } from './value.ts'
import { createObject, updateObject } from './write.ts'

/** The server itself as the author of writes. */
export const systemUser: User = { name: 'system:apiserver', uid: '', groups: ['system:masters'], extra: {} }
const namespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease']

/** Makes what every cluster has from its first moment: four namespaces, the ServiceCIDR, and the Service `kubernetes` with its endpoints. */
export async function seed(core: Core, options: ApiServerOptions): Promise<void> {
  const prefixes = options.serviceCidrs.map(parsePrefix)
  const customDefinitions = await missingDefinitions(core, options.definitions ?? [])
  await core.store.write((transaction) => {
    for (const name of namespaces) ensure(core, transaction, namespaceObject(name))
    ensureServiceCidr(core, transaction, prefixes)
    for (const object of defaultRoles()) ensure(core, transaction, object)
    ensure(core, transaction, kubernetesService(prefixes, options.advertise?.port ?? 6443))
    for (const object of kubernetesEndpoints(prefixes[0]!, options.advertise)) ensure(core, transaction, object, true)
    for (const object of options.objects ?? []) ensure(core, transaction, copyOf(object))
    for (const object of customDefinitions) ensure(core, transaction, object)
  })
}

/**
 * The CustomResourceDefinitions in files below these folders, `NAME.json` or `NAME.yaml` with one definition each, that the
 * store does not have; one that somebody has changed stays as it is.
 */
async function missingDefinitions(core: Core, folders: readonly string[]): Promise<KubeObject[]> {
  const stored = core.store.collection(definitions)
  const objects: KubeObject[] = []
  for (const folder of folders) {
    const names = await readdir(folder, { recursive: true })
    for (const name of names.filter((name) => /\.(json|yaml)$/.test(name)).sort()) {
      const text = await readFile(join(folder, name), 'utf8')
      const object = await readDefinition(join(folder, name), text)
      if (stored.find(object.metadata.name ?? '') === undefined) objects.push(object)
    }
  }
  return objects
}

/** JSON is parsed as such: it is forty times as fast. */
async function readDefinition(path: string, text: string): Promise<KubeObject> {
  try {
    return (path.endsWith('.json') ? JSON.parse(text) : (await import('yaml')).parse(text)) as KubeObject
  } catch (error) {
    throw new Error(`${path}: ${String(error)}`)
  }
}

/** Creates the object when it is missing; when `current`, an existing one is brought to this state. */
function ensure(core: Core, transaction: Transaction, object: KubeObject, current = false): void {
  const builtin = findKindOf(object.apiVersion, object.kind)
  const kind = builtin && core.registry.find(builtin.group, builtin.version, builtin.plural)
  if (kind === undefined) return
  const { name, namespace } = object.metadata
  const scope: Scope = {
    kind,
    collection: collectionOf(kind),
    namespace,
    name,
    subresource: undefined,
    user: systemUser,
  }
  if (transaction.find(scope.collection, keyOf(namespace, name)) === undefined)
    createObject({ ...scope, name: undefined }, object, core.allocator, transaction)
  else if (current) {
    const change = (entry: { value: KubeObject }) => ({
      ...copyOf(object),
      metadata: { ...copyOf(entry.value.metadata), ...copyOf(object.metadata) },
    })
    updateObject(scope, change, core.allocator, transaction)
  }
}

function namespaceObject(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { 'kubernetes.io/metadata.name': name } } }
}

/** Makes the ServiceCIDR `kubernetes` when it is missing; one that is there stays as it is. */
export function ensureServiceCidr(core: Core, transaction: Transaction, cidrs: readonly string[]): void {
  const head = { apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', metadata: { name: 'kubernetes' } }
  ensure(core, transaction, { ...head, spec: { cidrs: cidrs.map(parsePrefix) } } as KubeObject)
}

function kubernetesService(prefixes: readonly Prefix[], port: number): KubeObject {
  const address = firstAddress(prefixes[0]!)
  const labels = { component: 'apiserver', provider: 'kubernetes' }
  const spec = {
    type: 'ClusterIP',
    clusterIP: address,
    clusterIPs: [address],
    ipFamilyPolicy: 'SingleStack',
    ipFamilies: [prefixFamily(prefixes[0]!) === 4 ? 'IPv4' : 'IPv6'],
    ports: [{ name: 'https', protocol: 'TCP', port: 443, targetPort: port }],
    sessionAffinity: 'None',
  }
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'kubernetes', namespace: 'default', labels },
    spec,
  } as KubeObject
}

/** The endpoints in the family of the Service's address; nothing when the server advertises none. */
function kubernetesEndpoints(prefix: Prefix, advertise: ApiServerOptions['advertise']): KubeObject[] {
  const family = prefixFamily(prefix)
  const addresses = (advertise?.addresses ?? [])
    .flatMap((text) => findAddress(text) ?? [])
    .filter((item) => familyOf(item) === family)
  if (advertise === undefined || addresses.length === 0) return []
  const ports = [{ name: 'https', port: advertise.port, protocol: 'TCP' }]
  const at = { name: 'kubernetes', namespace: 'default' }
  const skip = { 'endpointslice.kubernetes.io/skip-mirror': 'true' }
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...at, labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    addressType: family === 4 ? 'IPv4' : 'IPv6',
    endpoints: [{ addresses, conditions: { ready: true } }],
    ports,
  }
  const endpoints = {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { ...at, labels: skip },
    subsets: [{ addresses: addresses.map((ip) => ({ ip })), ports }],
  }
  return [slice, endpoints]
}
