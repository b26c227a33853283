import { chmodSync, chownSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Mount } from '../containers/index.ts'
import {
  ConfigMaps,
  type Container,
  type KubeObject,
  PersistentVolumeClaims,
  type Pod,
  Secrets,
} from '../objects/index.ts'
import { ContainerConfigError, expandReferences } from './environment.ts'
import {
  type ContentSources,
  isProjection,
  readContent,
  requestToken,
  shownObjects,
  standardTokenSeconds,
  tokenLifetime,
  type Volume,
} from './volume-content.ts'
import { type VolumeFile, writeVolumeFiles } from './volume-files.ts'

interface VolumeMount {
  readonly name: string
  readonly mountPath: string
  readonly subPath?: string
  readonly subPathExpr?: string
  readonly readOnly?: boolean
}

const accountDirectory = '/var/run/secrets/kubernetes.io/serviceaccount'

/** What the volumes of a pod need to know. */
export interface VolumeSources extends ContentSources {
  /** The pod's directory; volumes live below it. */
  readonly directory: string
  /** What claims hold, for as long as the lab lasts; shared by all nodes. */
  readonly claimsDirectory: string
  readonly clusterCa: string
  readonly trouble: (message: string) => void
}

/** The volumes of one pod. Once a program has them mounted, their files follow ConfigMaps, Secrets, the pod's own fields and the age of tokens. */
export class PodVolumes {
  readonly #volumes: ReadonlyMap<string, Volume>
  readonly #sources: VolumeSources
  readonly #written = new Map<string, string>()
  readonly #claims = new Map<string, string>()
  readonly #closing: (() => void)[] = []
  readonly #group: number | undefined
  #pod: Pod
  #following = false
  #closed = false
  #work: Promise<void> = Promise.resolve()

  constructor(pod: Pod, sources: VolumeSources) {
    this.#pod = pod
    this.#sources = sources
    this.#group = (pod.spec as { securityContext?: { fsGroup?: number } }).securityContext?.fsGroup
    this.#volumes = new Map(((pod.spec as { volumes?: Volume[] }).volumes ?? []).map((one) => [one.name, one]))
  }

  /** Makes all volumes; throws what kubelet says of the first that cannot be made. */
  async prepare(): Promise<void> {
    for (const volume of this.#volumes.values()) {
      try {
        await this.#make(volume)
      } catch (error) {
        if (!(error instanceof ContainerConfigError)) throw error
        throw new ContainerConfigError(`MountVolume.SetUp failed for volume "${volume.name}" : ${error.message}`)
      }
    }
  }

  /** Where a program sees the volumes that its container mounts. */
  async mountsOf(container: Container, environment: Readonly<Record<string, string>>): Promise<Mount[]> {
    const wanted = (container as { volumeMounts?: VolumeMount[] }).volumeMounts ?? []
    const mounts = wanted.map(({ name, mountPath, readOnly = false, ...mount }) => {
      const volume = this.#volumes.get(name)
      if (volume === undefined)
        throw new ContainerConfigError(`volumeMounts[].name "${name}" names no volume of the pod`)
      const subPath = mount.subPathExpr === undefined ? mount.subPath : expandReferences(mount.subPathExpr, environment)
      const root = this.#rootOf(volume)
      const source = subPath === undefined ? root : join(root, join('/', subPath))
      if (subPath !== undefined && !existsSync(source)) mkdirSync(source, { recursive: true })
      // The machine's own files are not a pod's to change, nor are those that follow objects (as upstream).
      const sealed = volume.hostPath !== undefined || isProjection(volume) || volume.persistentVolumeClaim?.readOnly
      return { source, target: mountPath.replace(/(?<=.)\/+$/, ''), readOnly: readOnly || sealed === true }
    })
    const { automountServiceAccountToken } = this.#pod.spec as { automountServiceAccountToken?: boolean }
    if (automountServiceAccountToken !== false && !mounts.some(({ target }) => target === accountDirectory)) {
      const source = join(this.#sources.directory, 'serviceaccount')
      if (await this.#writeAccount(source)) mounts.push({ source, target: accountDirectory, readOnly: true })
    }
    this.#follow()
    return mounts
  }

  /** Takes the pod as it is now: its labels and annotations may be in files. */
  update(pod: Pod): void {
    const shown = ({ metadata: { labels, annotations } }: Pod) => JSON.stringify([labels, annotations])
    const changed = shown(pod) !== shown(this.#pod)
    this.#pod = pod
    if (!this.#following || !changed) return
    for (const volume of this.#volumes.values()) {
      if (volume.downwardAPI !== undefined || volume.projected !== undefined) this.#refresh(volume)
    }
  }

  close(): void {
    this.#closed = true
    for (const close of this.#closing.splice(0)) close()
  }

  #rootOf({ name, hostPath, persistentVolumeClaim }: Volume): string {
    if (hostPath !== undefined) return hostPath.path
    const claimed = persistentVolumeClaim && this.#claims.get(persistentVolumeClaim.claimName)
    return claimed ?? join(this.#sources.directory, 'volumes', name)
  }

  async #make(volume: Volume): Promise<void> {
    if (volume.hostPath !== undefined) return
    if (volume.persistentVolumeClaim !== undefined) await this.#claim(volume.persistentVolumeClaim.claimName)
    const root = this.#rootOf(volume)
    mkdirSync(root, { recursive: true })
    // The umask must not keep a container's user out.
    if (isProjection(volume)) this.#write(root, await readContent(this.#pod, volume, this.#sources))
    else {
      if (this.#group !== undefined) chownSync(root, 0, this.#group)
      // What is made in there belongs to the group as well.
      chmodSync(root, this.#group === undefined ? 0o777 : 0o2777)
    }
  }

  async #claim(name: string): Promise<void> {
    const { namespace } = this.#pod.metadata
    const claim = await this.#sources.client.find<KubeObject>(PersistentVolumeClaims, namespace, name)
    if (claim === undefined) throw new ContainerConfigError(`persistentvolumeclaim "${name}" not found`)
    this.#claims.set(name, join(this.#sources.claimsDirectory, claim.metadata.uid ?? name))
  }

  async #writeAccount(directory: string): Promise<boolean> {
    const { client, clusterCa } = this.#sources
    const token = await requestToken(this.#pod, client, standardTokenSeconds)
    if (token === undefined) return false
    mkdirSync(directory, { recursive: true })
    const contents = { token, 'ca.crt': clusterCa, namespace: this.#pod.metadata.namespace ?? 'default' }
    const files = Object.entries(contents).map(([path, content]) => ({ path, content, mode: 0o644 }))
    this.#write(directory, files)
    if (!this.#following) this.#every(standardTokenSeconds, () => this.#writeAccount(directory))
    return true
  }

  #follow(): void {
    if (this.#following || this.#closed) return
    this.#following = true
    for (const volume of this.#volumes.values()) {
      for (const shown of shownObjects(volume)) {
        const [plural, name] = shown.split(' ')
        const informer = this.#sources.client.informer<KubeObject>(plural === 'secrets' ? Secrets : ConfigMaps, {
          namespace: this.#pod.metadata.namespace ?? '',
          fieldSelector: `metadata.name=${name}`,
        })
        const stop = informer.onChange(() => this.#refresh(volume))
        this.#closing.push(stop, () => informer.close())
        informer.start().catch(() => undefined)
      }
      const seconds = tokenLifetime(volume)
      if (seconds !== undefined) this.#every(seconds, async () => this.#refresh(volume))
    }
  }

  /** Tokens are asked for anew when four fifths of their time are over, as upstream. */
  #every(lifetimeSeconds: number, work: () => Promise<unknown>): void {
    const timer = setInterval(() => void work().catch(() => undefined), lifetimeSeconds * 800)
    timer.unref()
    this.#closing.push(() => clearInterval(timer))
  }

  /** One after the other; what is missing now leaves the files as they are, as upstream. */
  #refresh(volume: Volume): void {
    this.#work = this.#work.then(async () => {
      if (this.#closed) return
      await this.#make(volume).catch((error: Error) => {
        if (!(error instanceof ContainerConfigError)) this.#sources.trouble(`volume ${volume.name}: ${error.message}`)
      })
    })
  }

  #write(directory: string, files: readonly VolumeFile[]): void {
    const state = JSON.stringify(files)
    if (this.#closed || this.#written.get(directory) === state) return
    writeVolumeFiles(directory, files, this.#group)
    this.#written.set(directory, state)
  }
}
