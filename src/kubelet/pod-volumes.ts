import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { ApiError, type Client } from '../client/index.ts'
import type { Mount } from '../containers/index.ts'
import { type ConfigMap, ConfigMaps, type Container, type Pod, type Secret, Secrets } from '../objects/index.ts'
import { ContainerConfigError } from './environment.ts'

interface KeySelection {
  readonly items?: readonly { readonly key: string; readonly path: string; readonly mode?: number }[]
  readonly optional?: boolean
}

interface Volume {
  readonly name: string
  readonly emptyDir?: object
  readonly hostPath?: { readonly path: string }
  readonly configMap?: KeySelection & { readonly name?: string }
  readonly secret?: KeySelection & { readonly secretName?: string }
  readonly projected?: { readonly sources?: readonly ProjectedSource[] }
  readonly downwardAPI?: { readonly items?: readonly DownwardItem[] }
}

interface DownwardItem {
  readonly path: string
  readonly fieldRef?: { readonly fieldPath: string }
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

interface VolumeMount {
  readonly name: string
  readonly mountPath: string
  readonly subPath?: string
  readonly readOnly?: boolean
}

const tokenDirectory = '/var/run/secrets/kubernetes.io/serviceaccount'
const tokenSeconds = 3607

/** What writing a volume needs to know. */
export interface VolumeSources {
  readonly client: Client
  /** The pod's directory; volumes live below it. */
  readonly directory: string
  /** Reads a downward API field. */
  readonly field: (path: string) => string
  readonly clusterCa: string
}

/**
 * Writes the volumes that a container mounts and says where they go. Contents are those of the container's start; a later
 * change of a ConfigMap or Secret reaches the next container. Volumes of other kinds are empty directories.
 */
export async function prepareMounts(pod: Pod, container: Container, sources: VolumeSources): Promise<Mount[]> {
  const volumes = new Map(((pod.spec as { volumes?: Volume[] }).volumes ?? []).map((volume) => [volume.name, volume]))
  const wanted = (container as { volumeMounts?: VolumeMount[] }).volumeMounts ?? []
  const mounts: Mount[] = []
  for (const { name, mountPath, subPath, readOnly = false } of wanted) {
    const volume = volumes.get(name)
    if (volume === undefined) throw new ContainerConfigError(`volumeMounts[].name "${name}" names no volume of the pod`)
    const root = await writeVolume(pod, volume, sources)
    const source = subPath === undefined ? root : join(root, join('/', subPath))
    if (subPath !== undefined && !existsSync(source)) mkdirSync(source, { recursive: true })
    mounts.push({ source, target: mountPath.replace(/\/+$/, ''), readOnly: readOnly || volume.emptyDir === undefined })
  }
  const token = (pod.spec as { automountServiceAccountToken?: boolean }).automountServiceAccountToken !== false
  if (token && !mounts.some(({ target }) => target === tokenDirectory)) {
    const source = await writeToken(pod, sources)
    if (source !== undefined) mounts.push({ source, target: tokenDirectory, readOnly: true })
  }
  return mounts
}

async function writeVolume(pod: Pod, volume: Volume, sources: VolumeSources): Promise<string> {
  if (volume.hostPath !== undefined) return volume.hostPath.path
  const directory = join(sources.directory, 'volumes', volume.name)
  mkdirSync(directory, { recursive: true, mode: 0o777 })
  // The umask must not keep a container's user out.
  chmodSync(directory, 0o777)
  const { configMap, secret, projected, downwardAPI } = volume
  if (configMap !== undefined) await writeKeys(pod, 'configmap', configMap.name ?? '', configMap, directory, sources)
  if (secret !== undefined) await writeKeys(pod, 'secret', secret.secretName ?? '', secret, directory, sources)
  if (downwardAPI !== undefined) writeFields(downwardAPI.items ?? [], directory, sources)
  for (const source of projected?.sources ?? []) {
    if (source.configMap)
      await writeKeys(pod, 'configmap', source.configMap.name ?? '', source.configMap, directory, sources)
    if (source.secret) await writeKeys(pod, 'secret', source.secret.name ?? '', source.secret, directory, sources)
    if (source.downwardAPI) writeFields(source.downwardAPI.items ?? [], directory, sources)
    if (source.serviceAccountToken) {
      const token = await requestToken(pod, sources.client, source.serviceAccountToken.audience)
      if (token !== undefined) writeInside(directory, source.serviceAccountToken.path, token)
    }
  }
  return directory
}

async function writeKeys(
  pod: Pod,
  kind: 'configmap' | 'secret',
  name: string,
  { items, optional }: KeySelection,
  directory: string,
  { client }: VolumeSources,
): Promise<void> {
  const found =
    kind === 'configmap'
      ? await client.find<ConfigMap>(ConfigMaps, pod.metadata.namespace, name)
      : await client.find<Secret>(Secrets, pod.metadata.namespace, name)
  if (found === undefined) {
    if (optional) return
    throw new ContainerConfigError(`${kind} "${name}" not found`)
  }
  const contents = new Map<string, string | Buffer>()
  for (const [key, value] of Object.entries(found.data ?? {})) {
    contents.set(key, kind === 'secret' ? Buffer.from(value, 'base64') : value)
  }
  for (const [key, value] of Object.entries((found as ConfigMap).binaryData ?? {})) {
    contents.set(key, Buffer.from(value, 'base64'))
  }
  for (const { key, path } of items ?? [...contents.keys()].map((key) => ({ key, path: key }))) {
    const content = contents.get(key)
    if (content !== undefined) writeInside(directory, path, content)
    else if (!optional) throw new ContainerConfigError(`${kind} "${name}" has no key "${key}"`)
  }
}

function writeFields(items: readonly DownwardItem[], directory: string, { field }: VolumeSources): void {
  for (const { path, fieldRef } of items) {
    if (fieldRef !== undefined) writeInside(directory, path, field(fieldRef.fieldPath))
  }
}

/** `path` comes from an object; it must not lead out of the volume. */
function writeInside(directory: string, path: string, content: string | Buffer): void {
  const file = join(directory, join('/', path))
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, content)
}

async function writeToken(pod: Pod, { client, directory, clusterCa }: VolumeSources): Promise<string | undefined> {
  const token = await requestToken(pod, client)
  if (token === undefined) return undefined
  const target = join(directory, 'serviceaccount')
  mkdirSync(target, { recursive: true })
  writeFileSync(join(target, 'token'), token)
  writeFileSync(join(target, 'ca.crt'), clusterCa)
  writeFileSync(join(target, 'namespace'), pod.metadata.namespace ?? 'default')
  return target
}

/** How long a pod's start waits for its ServiceAccount to be made, in milliseconds. */
const accountPatienceMs = 3000

/** A token bound to the pod (TokenRequest); undefined when the account does not come to be in time. */
async function requestToken(pod: Pod, client: Client, audience?: string): Promise<string | undefined> {
  const { namespace, name, uid } = pod.metadata
  const account = pod.spec.serviceAccountName ?? 'default'
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`
  const spec = {
    audiences: audience === undefined ? undefined : [audience],
    expirationSeconds: tokenSeconds,
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
