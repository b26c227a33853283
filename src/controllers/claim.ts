import { ApiError, type Client, type Resource } from '../client/index.ts'
import { matches } from '../cluster/index.ts'
import type { KubeObject, LabelSelector } from '../objects/index.ts'
import { controllerReference, findController } from './owner.ts'

/** What is to be done with one candidate. */
export type Claim = 'own' | 'adopt' | 'release' | 'leave'

/** Decides whose a candidate is: owned and selected stays, owned and not selected goes, orphaned and selected comes. */
export function decideClaim(owner: KubeObject, selector: LabelSelector | undefined, candidate: KubeObject): Claim {
  const controller = findController(candidate)
  const selected = matches(selector, candidate.metadata.labels)
  const leaving = owner.metadata.deletionTimestamp !== undefined
  if (controller !== undefined) {
    if (controller.uid !== owner.metadata.uid) return 'leave'
    if (selected) return 'own'
    return leaving ? 'leave' : 'release'
  }
  if (leaving || !selected || candidate.metadata.deletionTimestamp !== undefined) return 'leave'
  return 'adopt'
}

/** The candidates that are the owner's, after adopting and releasing on the server. Candidates are of one kind, `resource`. */
export async function claim<T extends KubeObject>(
  client: Client,
  owner: { readonly object: KubeObject; readonly resource: Resource; readonly selector: LabelSelector | undefined },
  resource: Resource,
  candidates: readonly T[],
): Promise<T[]> {
  const owned: T[] = []
  let confirmed = false
  for (const candidate of candidates) {
    const decision = decideClaim(owner.object, owner.selector, candidate)
    if (decision === 'own') owned.push(candidate)
    else if (decision === 'release') await release(client, owner.object, resource, candidate)
    else if (decision === 'adopt') {
      // The cache may show an owner that is gone or being deleted; adopting for it would leave a dangling reference.
      if (!confirmed) {
        await confirmOwner(client, owner)
        confirmed = true
      }
      const adopted = await adopt(client, owner, resource, candidate)
      if (adopted !== undefined) owned.push(adopted)
    }
  }
  return owned
}

async function confirmOwner(
  client: Client,
  { object, resource }: { readonly object: KubeObject; readonly resource: Resource },
): Promise<void> {
  const { namespace, name, uid } = object.metadata
  const fresh = await client.get<KubeObject>(resource, namespace, name)
  if (fresh.metadata.uid !== uid) throw new Error(`${resource.kind} ${namespace}/${name} was replaced`)
  if (fresh.metadata.deletionTimestamp !== undefined)
    throw new Error(`${resource.kind} ${namespace}/${name} has just been deleted`)
}

async function adopt<T extends KubeObject>(
  client: Client,
  owner: { readonly object: KubeObject; readonly resource: Resource },
  resource: Resource,
  candidate: T,
): Promise<T | undefined> {
  const { namespace, name, uid, resourceVersion } = candidate.metadata
  const ownerReferences = [
    ...(candidate.metadata.ownerReferences ?? []),
    controllerReference(owner.resource, owner.object),
  ]
  // uid and resourceVersion: another controller may adopt it in the same moment, and only one may win.
  return client
    .patch<T>(resource, namespace, name, 'merge', { metadata: { uid, resourceVersion, ownerReferences } })
    .catch(ignoreMissing)
}

async function release(client: Client, owner: KubeObject, resource: Resource, candidate: KubeObject): Promise<void> {
  const { namespace, name, uid, resourceVersion } = candidate.metadata
  const ownerReferences = (candidate.metadata.ownerReferences ?? []).filter((one) => one.uid !== owner.metadata.uid)
  await client
    .patch(resource, namespace, name, 'merge', { metadata: { uid, resourceVersion, ownerReferences } })
    .catch(ignoreMissing)
}

function ignoreMissing(error: unknown): undefined {
  if (error instanceof ApiError && error.code === 404) return undefined
  throw error
}
