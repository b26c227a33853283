import { setTimeout as pause } from 'node:timers/promises'
import { ApiError, type Client } from '../client/index.ts'
import { type ConfigMap, ConfigMaps, type Pod, type Secret, Secrets } from '../objects/index.ts'
import { ContainerConfigError, type ResourceField, readResource } from './environment.ts'
import type { VolumeFile } from './volume-files.ts'

interface KeySelection {
  readonly items?: readonly { readonly key: string; readonly path: string; readonly mode?: number }[]
  readonly optional?: boolean
}

interface DownwardItem {
  readonly path: string
  readonly fieldRef?: { readonly fieldPath: string }
  readonly resourceFieldRef?: ResourceField
  readonly mode?: number
}

interface ProjectedSource {
  readonly configMap?: KeySelection & { readonly name?: string }
  readonly secret?: KeySelection & { readonly name?: string }
  readonly downwardAPI?: { readonly items?: readonly DownwardItem[] }
  readonly serviceAccountToken?: {
    readonly path: string
    readonly audience?: string
    readonly expirationSeconds?: number
  }
}

/** A volume of a pod, as far as it is known here. */
export interface Volume {
  readonly name: string
  readonly emptyDir?: object
  readonly hostPath?: { readonly path: string }
  readonly persistentVolumeClaim?: { readonly claimName: string; readonly readOnly?: boolean }
  readonly configMap?: KeySelection & { readonly name?: string; readonly defaultMode?: number }
  readonly secret?: KeySelection & { readonly secretName?: string; readonly defaultMode?: number }
  readonly projected?: { readonly sources?: readonly ProjectedSource[]; readonly defaultMode?: number }
  readonly downwardAPI?: { readonly items?: readonly DownwardItem[]; readonly defaultMode?: number }
}

/** What reading a volume's content needs to know. */
export interface ContentSources {
  readonly client: Client
  /** Reads a downward API field of the pod. */
  readonly field: (pod: Pod, path: string) => string
}

const standardMode = 0o644
/** How long a token lives that the pod does not ask for by itself, in seconds (upstream's kube-api-access). */
export const standardTokenSeconds = 3607

/** The ConfigMaps and Secrets that a volume shows, each as `configmaps NAME` or `secrets NAME`. */
export function shownObjects(volume: Volume): string[] {
  return sourcesOf(volume).flatMap(({ configMap, secret }) => [
    ...(configMap === undefined ? [] : [`configmaps ${configMap.name ?? ''}`]),
    ...(secret === undefined ? [] : [`secrets ${secret.name ?? ''}`]),
  ])
}

/** How long the tokens of a volume live, in seconds; undefined when it has none. */
export function tokenLifetime(volume: Volume): number | undefined {
  const tokens = sourcesOf(volume).flatMap(({ serviceAccountToken }) => serviceAccountToken ?? [])
  const lifetimes = tokens.map(({ expirationSeconds = 3600 }) => expirationSeconds)
  return lifetimes.length === 0 ? undefined : Math.min(...lifetimes)
}

/** Whether files of this volume follow objects: then its directory is written by the kubelet alone. */
export function isProjection({ configMap, secret, projected, downwardAPI }: Volume): boolean {
  return (configMap ?? secret ?? projected ?? downwardAPI) !== undefined
}

function sourcesOf({ configMap, secret, downwardAPI, projected }: Volume): readonly ProjectedSource[] {
  if (configMap !== undefined) return [{ configMap }]
  if (secret !== undefined) return [{ secret: { ...secret, name: secret.secretName ?? '' } }]
  return downwardAPI === undefined ? (projected?.sources ?? []) : [{ downwardAPI }]
}

/** The files that a volume has now; throws `ContainerConfigError` in upstream's words when something is missing that is not optional. */
export async function readContent(pod: Pod, volume: Volume, sources: ContentSources): Promise<VolumeFile[]> {
  const { configMap, secret, downwardAPI, projected } = volume
  const defaultMode = (configMap ?? secret ?? downwardAPI ?? projected)?.defaultMode ?? standardMode
  const files: VolumeFile[] = []
  for (const source of sourcesOf(volume)) {
    if (source.configMap) files.push(...(await readKeys(pod, 'configmap', source.configMap, defaultMode, sources)))
    if (source.secret) files.push(...(await readKeys(pod, 'secret', source.secret, defaultMode, sources)))
    for (const { path, fieldRef, resourceFieldRef, mode = defaultMode } of source.downwardAPI?.items ?? []) {
      if (fieldRef !== undefined) files.push({ path, mode, content: sources.field(pod, fieldRef.fieldPath) })
      if (resourceFieldRef !== undefined) files.push({ path, mode, content: readResource(pod, resourceFieldRef) })
    }
    if (source.serviceAccountToken !== undefined) {
      const { path, audience, expirationSeconds = 3600 } = source.serviceAccountToken
      const token = await requestToken(pod, sources.client, expirationSeconds, audience)
      if (token !== undefined) files.push({ path, mode: defaultMode, content: token })
    }
  }
  return files
}

async function readKeys(
  pod: Pod,
  kind: 'configmap' | 'secret',
  { name = '', items, optional }: KeySelection & { readonly name?: string },
  defaultMode: number,
  { client }: ContentSources,
): Promise<VolumeFile[]> {
  const { namespace } = pod.metadata
  const found =
    kind === 'configmap'
      ? await client.find<ConfigMap>(ConfigMaps, namespace, name)
      : await client.find<Secret>(Secrets, namespace, name)
  if (found === undefined) {
    if (optional) return []
    throw new ContainerConfigError(`${kind} "${name}" not found`)
  }
  const contents = new Map<string, string | Buffer>()
  for (const [key, value] of Object.entries(found.data ?? {})) {
    contents.set(key, kind === 'secret' ? Buffer.from(value, 'base64') : value)
  }
  for (const [key, value] of Object.entries((found as ConfigMap).binaryData ?? {})) {
    contents.set(key, Buffer.from(value, 'base64'))
  }
  const selected = items ?? [...contents.keys()].map((key) => ({ key, path: key, mode: defaultMode }))
  return selected.flatMap(({ key, path, mode = defaultMode }) => {
    const content = contents.get(key)
    if (content !== undefined) return [{ path, mode, content }]
    if (optional) return []
    const what = kind === 'configmap' ? 'config' : 'secret'
    throw new ContainerConfigError(`references non-existent ${what} key: ${key}`)
  })
}

/** How long a pod's start waits for its ServiceAccount to be made, in milliseconds. */
const accountPatienceMs = 3000

/** A token bound to the pod (TokenRequest); undefined when the account does not come to be in time. */
export async function requestToken(
  pod: Pod,
  client: Client,
  expirationSeconds: number,
  audience?: string,
): Promise<string | undefined> {
  const { namespace, name, uid } = pod.metadata
  const account = pod.spec.serviceAccountName ?? 'default'
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`
  const spec = {
    audiences: audience === undefined ? undefined : [audience],
    expirationSeconds,
    boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
  }
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec }
  // Manifests often name an account before they make it.
  for (const end = Date.now() + accountPatienceMs; ; ) {
    try {
      const answer = await client.request<{ status?: { token?: string } }>('POST', path, body)
      return answer.status?.token
    } catch (error) {
      if (!(error instanceof ApiError && error.code === 404) || Date.now() > end) return undefined
      await pause(100)
    }
  }
}
