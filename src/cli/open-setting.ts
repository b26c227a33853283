import { snapshotOf } from '../cluster/index.ts'
import { type Setting, settingOf, workloadsIn } from '../explain/index.ts'
import { type ClusterOptions, factsOf, openCluster } from './read-cluster.ts'

/** Where reachability is read from: manifests, or a cluster. */
export interface SettingOptions extends ClusterOptions {
  readonly filename: readonly string[]
}

/** Manifests where some are named, else the cluster; undefined where that could not be read, which is told. */
export async function openSetting(command: string, options: SettingOptions): Promise<Setting | undefined> {
  if (options.filename.length > 0) return fromFiles(options.filename)
  const cluster = await openCluster(command, options)
  if (cluster === undefined) return undefined
  try {
    const { readGateways } = await import('./doctor-request.ts')
    const { model } = await readGateways(cluster)
    const { snapshot } = cluster
    const assumptions = ['every node has applied the newest objects: no kernel was looked at']
    return { snapshot, gateways: model, facts: factsOf(cluster), workloadOf: workloadsIn(snapshot), assumptions }
  } finally {
    cluster.client.close()
  }
}

/** `@` is the cluster that the options name, `@CONTEXT` that of the kubeconfig; a capsule is a file that says so; all else is manifests. */
export async function openState(command: string, text: string, options: ClusterOptions): Promise<Setting | undefined> {
  if (!text.startsWith('@')) return fromFiles([text])
  const context = text.slice(1)
  return openSetting(command, { ...options, ...(context === '' ? {} : { context }), filename: [] })
}

async function fromFiles(paths: readonly string[]): Promise<Setting> {
  const [path = '', ...more] = paths
  if (more.length === 0 && (await isCapsule(path))) {
    const { loadCapsule } = await import('./doctor-capsule.ts')
    const { objects, facts, gateways = settingOf([]).gateways } = loadCapsule(path)
    const snapshot = snapshotOf(objects)
    return { snapshot, gateways, facts, workloadOf: workloadsIn(snapshot), assumptions: ['what the capsule holds'] }
  }
  const { readManifestPaths } = await import('../lab/index.ts')
  return settingOf(readManifestPaths(paths).map(({ object }) => object))
}

async function isCapsule(path: string): Promise<boolean> {
  if (!path.endsWith('.json')) return false
  const { open } = await import('node:fs/promises')
  const file = await open(path).catch(() => undefined)
  if (file === undefined) return false
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0)
    return buffer.toString('utf8', 0, bytesRead).includes('"plumb.network/capsule/')
  } catch {
    return false
  } finally {
    await file.close()
  }
}
