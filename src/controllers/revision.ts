import { ApiError, type Resource } from '../client/index.ts'
import { ControllerRevisions, type KubeObject, type LabelSelector, type PodTemplate } from '../objects/index.ts'
import { claim } from './claim.ts'
import type { Context } from './context.ts'
import type { ObjectIndex } from './object-index.ts'
import { controllerReference } from './owner.ts'
import { canonical, hashOf } from './template-hash.ts'
import { candidatesFor } from './workload.ts'

/** The label of pods and revisions that tells by which revision a pod was made. */
export const revisionLabel = 'controller-revision-hash'

/** A stored template; `kubectl rollout history` and `undo` read it. */
export interface ControllerRevision extends KubeObject {
  data?: { spec?: { template?: PodTemplate & { $patch?: string } } }
  revision: number
}

/** An owner whose templates are kept. */
export interface Revised extends KubeObject {
  spec: { selector: LabelSelector; template: PodTemplate; revisionHistoryLimit?: number }
}

/** The revisions of an owner, oldest first, the current template's last: made, or moved up when an old template came back. */
export async function syncRevisions(
  context: Context,
  resource: Resource,
  owner: Revised,
  index: ObjectIndex<ControllerRevision>,
): Promise<ControllerRevision[]> {
  const { selector, template } = owner.spec
  const target = { object: owner, resource, selector }
  const owned = await claim(context.client, target, ControllerRevisions, candidatesFor(index, owner, selector))
  const sorted = owned.toSorted(byRevision)
  const data = { spec: { template: { ...template, $patch: 'replace' } } }
  const wanted = canonical(data)
  const same = sorted.findLast((one) => canonical(one.data) === wanted)
  const next = (sorted.at(-1)?.revision ?? 0) + 1
  if (same === undefined) return [...sorted, await createRevision(context, resource, owner, data, next)]
  if (same === sorted.at(-1)) return sorted
  const { namespace, name } = same.metadata
  const moved = await context.client.patch<ControllerRevision>(ControllerRevisions, namespace, name, 'merge', {
    revision: next,
  })
  return [...sorted.filter((one) => one !== same), moved]
}

async function createRevision(
  context: Context,
  resource: Resource,
  owner: Revised,
  data: ControllerRevision['data'],
  revision: number,
): Promise<ControllerRevision> {
  for (let collisions = 0; ; collisions++) {
    const hash = hashOf(data, collisions)
    const { namespace } = owner.metadata
    const name = `${owner.metadata.name}-${hash}`
    const labels = { ...owner.spec.template.metadata?.labels, [revisionLabel]: hash }
    const wanted: ControllerRevision = {
      apiVersion: 'apps/v1',
      kind: 'ControllerRevision',
      metadata: {
        name,
        ...(namespace && { namespace }),
        labels,
        ownerReferences: [controllerReference(resource, owner)],
      },
      ...(data && { data }),
      revision,
    }
    try {
      return await context.client.create<ControllerRevision>(ControllerRevisions, wanted)
    } catch (error) {
      if (!(error instanceof ApiError && error.reason === 'AlreadyExists')) throw error
      const existing = await context.client.get<ControllerRevision>(ControllerRevisions, namespace, name)
      if (canonical(existing.data) === canonical(data)) return existing
    }
  }
}

/** Removes old revisions beyond the limit that no pod was made by. */
export async function trimRevisions(
  context: Context,
  owner: Revised,
  revisions: readonly ControllerRevision[],
  inUse: ReadonlySet<string>,
): Promise<void> {
  const unused = revisions.slice(0, -1).filter((one) => !inUse.has(revisionHash(one)))
  const excess = unused.length - (owner.spec.revisionHistoryLimit ?? 10)
  for (const { metadata } of unused.slice(0, Math.max(0, excess)))
    await context.client.delete(ControllerRevisions, metadata.namespace, metadata.name).catch((error) => {
      if (!(error instanceof ApiError && error.code === 404)) throw error
    })
}

/** The value of the revision label. */
export function revisionHash({ metadata }: ControllerRevision): string {
  return metadata.labels?.[revisionLabel] ?? ''
}

function byRevision(a: ControllerRevision, b: ControllerRevision): number {
  return a.revision - b.revision || (a.metadata.name < b.metadata.name ? -1 : 1)
}
