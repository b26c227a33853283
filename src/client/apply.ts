import type { KubeObject } from '../objects/index.ts'
import { pause } from './backoff.ts'
import { ApiError, type Client, type Resource } from './contract.ts'
import { type Discovery, openDiscovery } from './discovery.ts'
import type { Manifest } from './manifests.ts'
import { threeWayPatch } from './merge.ts'

/** Where kubectl keeps the manifest that was applied last, so that it and Plumb can go on from each other's work. */
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

/** How many objects are sent at a time. */
const concurrency = 8
/** How long a custom kind may need to be served after its definition was applied. */
const establishMs = 10_000

/** What became of one manifest; `message` is set for failures and names file, document and object. */
export interface ApplyResult {
  readonly manifest: Manifest
  readonly outcome: 'created' | 'configured' | 'unchanged' | 'unknown-kind' | 'failed'
  /** As the server holds it now; undefined for failures. */
  readonly object?: KubeObject
  readonly message?: string
}

/** What a caller may choose. */
export interface ApplyOptions {
  /** For namespaced objects without one. Default `default`. */
  readonly namespace?: string
  readonly fieldManager?: string
  readonly dryRun?: boolean
}

/**
 * Creates each object, or merges it three ways into what is there, as `kubectl apply` does. Namespaces go first, then
 * definitions of custom kinds, then what pods need, then what makes pods. Never throws for a single object.
 */
export async function applyManifests(
  client: Client,
  manifests: readonly Manifest[],
  options: ApplyOptions = {},
): Promise<ApplyResult[]> {
  const discovery = openDiscovery(client)
  const results = new Map<Manifest, ApplyResult>()
  const defined = new Set(manifests.flatMap(({ object }) => definedKind(object) ?? []))
  for (const phase of [0, 1, 2, 3] as const) {
    const waiting = manifests.filter(({ object }) => phaseOf(object) === phase)
    const deadline = Date.now() + establishMs
    const work = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
        results.set(
          next,
          await applyOne(client, discovery, next, defined.has(kindKey(next.object)) ? deadline : 0, options),
        )
    }
    await Promise.all(Array.from({ length: concurrency }, work))
  }
  return manifests.map((manifest) => results.get(manifest)!)
}

const podMakers = new Set([
  'Pod',
  'Deployment',
  'ReplicaSet',
  'StatefulSet',
  'DaemonSet',
  'Job',
  'CronJob',
  'ReplicationController',
])

/** Services and ConfigMaps go before pods, whose environment is made of them. */
function phaseOf({ kind }: KubeObject): 0 | 1 | 2 | 3 {
  if (kind === 'Namespace') return 0
  if (kind === 'CustomResourceDefinition') return 1
  return podMakers.has(kind) ? 3 : 2
}

/** `group/Kind` that a CustomResourceDefinition brings: only for these is it worth to wait. */
function definedKind(object: KubeObject): string | undefined {
  if (object.kind !== 'CustomResourceDefinition') return undefined
  const { spec } = object as KubeObject & { spec?: { group?: string; names?: { kind?: string } } }
  return `${spec?.group}/${spec?.names?.kind}`
}

function kindKey({ apiVersion, kind }: KubeObject): string {
  return `${apiVersion.split('/')[0]}/${kind}`
}

async function applyOne(
  client: Client,
  discovery: Discovery,
  manifest: Manifest,
  deadline: number,
  options: ApplyOptions,
): Promise<ApplyResult> {
  const { apiVersion, kind, metadata } = manifest.object
  const where = `${manifest.source}, document ${manifest.document}, line ${manifest.line}: ${kind} "${metadata.name ?? metadata.generateName}"`
  try {
    let resource = await discovery.find(apiVersion, kind)
    while (resource === undefined && Date.now() < deadline) {
      await pause(50)
      resource = await discovery.find(apiVersion, kind)
    }
    if (resource === undefined) {
      const message = `${where}: no matches for kind "${kind}" in version "${apiVersion}"; apply its CustomResourceDefinition first`
      return { manifest, outcome: 'unknown-kind', message }
    }
    return { manifest, ...(await createOrPatch(client, resource, manifest.object, options)) }
  } catch (error) {
    return { manifest, outcome: 'failed', message: `${where}: ${(error as Error).message}` }
  }
}

async function createOrPatch(
  client: Client,
  resource: Resource,
  manifest: KubeObject,
  { namespace = 'default', fieldManager = 'kubectl-client-side-apply', dryRun = false }: ApplyOptions,
): Promise<Pick<ApplyResult, 'outcome' | 'object'>> {
  const wanted = annotate(resource, manifest, namespace)
  const write = { fieldManager, dryRun, fieldValidation: 'Strict' as const }
  const { name, namespace: place } = wanted.metadata
  const live = name ? await client.find<KubeObject>(resource, place, name) : undefined
  if (live === undefined) {
    try {
      return { outcome: 'created', object: await client.create(resource, wanted, write) }
    } catch (error) {
      if (!(error instanceof ApiError && error.reason === 'AlreadyExists')) throw error
    }
  }
  const current = live ?? (await client.get<KubeObject>(resource, place, name))
  const patch = threeWayPatch(readLast(current), toJson(wanted), toJson(current))
  if (patch === undefined) return { outcome: 'unchanged', object: current }
  const object = await client.patch<KubeObject>(resource, place, name, 'merge', patch, write)
  const moved = object.metadata.resourceVersion !== current.metadata.resourceVersion
  return { outcome: moved ? 'configured' : 'unchanged', object }
}

/** The manifest in its namespace, with itself in the annotation, without fields that only a server sets. */
function annotate(resource: Resource, manifest: KubeObject, namespace: string): KubeObject {
  const { resourceVersion: _, uid: __, managedFields: ___, creationTimestamp: ____, ...metadata } = manifest.metadata
  if (resource.namespaced) metadata.namespace ??= namespace
  else delete metadata.namespace
  const annotations = { ...metadata.annotations }
  delete annotations[lastApplied]
  const { status: _____, ...rest } = manifest as KubeObject & { status?: unknown }
  const bare = { ...rest, metadata: { ...metadata, annotations } }
  annotations[lastApplied] = `${JSON.stringify(bare)}\n`
  return { ...bare, metadata: { ...bare.metadata, annotations: { ...annotations } } }
}

function readLast(live: KubeObject): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(live.metadata.annotations?.[lastApplied] ?? '{}')
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

function toJson(object: KubeObject): Record<string, unknown> {
  return object as unknown as Record<string, unknown>
}
