import { ApiError, type Client } from '../client/index.ts'
import type { Installation } from '../doctor/index.ts'
import { agentDaemonSet } from '../install/index.ts'
import { type DaemonSet, DaemonSets, type KubeObject } from '../objects/index.ts'
import { readDefinitions } from './install.ts'

const group = 'plumb.network'

/** What `plumb install` has left; what may not be read is not known, and nobody is accused of it. */
export async function readInstallation(
  client: Client,
  groups: ReadonlyMap<string, readonly string[]>,
): Promise<Installation> {
  const daemonSet = await client
    .find<DaemonSet & KubeObject>(DaemonSets, agentDaemonSet.namespace, agentDaemonSet.name)
    .catch(forgiven)
  if (daemonSet === undefined && !groups.has(group)) return { missingKinds: [] }
  const served = await Promise.all(
    (groups.get(group) ?? []).map((version) =>
      client.request<{ resources: readonly { name: string }[] }>('GET', `/apis/${group}/${version}`).catch(forgiven),
    ),
  )
  // Without groups nothing is known of any.
  const told = groups.size > 0 && served.every((one) => one !== undefined)
  const names = new Set(served.flatMap((one) => one?.resources.map(({ name }) => `${name}.${group}`) ?? []))
  const wanted = (await readDefinitions('plumb')).map(({ metadata }) => metadata.name)
  return {
    ...(daemonSet === undefined ? {} : { daemonSet }),
    missingKinds: told ? wanted.filter((name) => !names.has(name)) : [],
  }
}

function forgiven(error: unknown): undefined {
  if (!(error instanceof ApiError)) throw error
  return undefined
}
