import type { Kind } from './contract.ts'
import * as admission from './kinds-admission.ts'
import * as cluster from './kinds-cluster.ts'
import * as core from './kinds-core.ts'
import * as network from './kinds-network.ts'
import * as storage from './kinds-storage.ts'
import * as workload from './kinds-workload.ts'

/** Every built-in kind that is served. */
export const kinds: readonly Kind[] = [core, storage, workload, network, cluster, admission].flatMap((module) =>
  Object.values(module),
)

const byPath = new Map(kinds.map((kind) => [`${kind.group}/${kind.version}/${kind.plural}`, kind]))
const byType = new Map(kinds.map((kind) => [`${apiVersionOf(kind)} ${kind.kind}`, kind]))
const byName = new Map(kinds.filter(({ stored }) => stored === undefined).map((kind) => [kind.kind, kind]))

/** The kind served under group, version and plural, if any. */
export function findKind(group: string, version: string, plural: string): Kind | undefined {
  return byPath.get(`${group}/${version}/${plural}`)
}

/** The kind that an object's `apiVersion` and `kind` name, if it is built in. */
export function findKindOf(apiVersion: string, kind: string): Kind | undefined {
  return byType.get(`${apiVersion} ${kind}`)
}

/** The kind of that name, e.g. `Service`, in the version that is stored; throws when none is built in. */
export function getKind(name: string): Kind {
  const kind = byName.get(name)
  if (kind === undefined) throw new Error(`no built-in kind is called "${name}"`)
  return kind
}

/** `v1` or `apps/v1`, as it stands in objects. */
export function apiVersionOf(kind: Pick<Kind, 'group' | 'version'>): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`
}
