import type { KubeObject } from '../objects/index.ts'
import { isRecord, type JsonRecord } from '../objects/index.ts'
import type { CustomKind } from './kind.ts'
import { readPath } from './path.ts'

type Paths = NonNullable<CustomKind['custom']['scale']>

/** The autoscaling/v1 Scale of a custom object, read from the paths that its definition names. */
export function customScale(object: KubeObject, paths: Paths): KubeObject & { spec: { replicas: number } } {
  const count = (path: string) => {
    const value = readPath(path)(object)[0]
    return typeof value === 'number' ? value : 0
  }
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
  const selector = paths.labelSelectorPath === undefined ? undefined : readPath(paths.labelSelectorPath)(object)[0]
  return {
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp } as KubeObject['metadata'],
    spec: { replicas: count(paths.specReplicasPath) },
    status: {
      replicas: count(paths.statusReplicasPath),
      ...(typeof selector === 'string' && selector !== '' ? { selector } : {}),
    },
  } as KubeObject & { spec: { replicas: number } }
}

/** Puts replicas where a definition's `specReplicasPath` (`.spec.size`) says, in place. */
export function setReplicas(object: KubeObject, { specReplicasPath }: Paths, replicas: number): void {
  const names = specReplicasPath.split('.').filter((name) => name !== '')
  let place = object as unknown as JsonRecord
  for (const name of names.slice(0, -1)) {
    if (!isRecord(place[name])) place[name] = {}
    place = place[name] as JsonRecord
  }
  place[names.at(-1)!] = replicas
}
