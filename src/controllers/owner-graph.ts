import type { Resource } from '../client/index.ts'
import type { KubeObject, OwnerReference } from '../objects/index.ts'

/** What the garbage collector knows of one object. */
export interface Vertex {
  readonly uid: string
  readonly resource: Resource
  readonly namespace: string | undefined
  readonly name: string
  readonly resourceVersion: string | undefined
  readonly owners: readonly OwnerReference[]
  readonly finalizers: readonly string[]
  readonly isDeleting: boolean
}

/** Who owns whom, by uid, over all kinds. */
export interface OwnerGraph {
  get(uid: string): Vertex | undefined
  /** Objects that name this uid as an owner. */
  dependents(uid: string): Vertex[]
  set(resource: Resource, object: KubeObject): Vertex
  remove(uid: string): void
}

/** Nothing owns anything. */
export function openOwnerGraph(): OwnerGraph {
  const vertices = new Map<string, Vertex>()
  const dependents = new Map<string, Set<string>>()
  const detach = (vertex: Vertex) => {
    for (const { uid } of vertex.owners) {
      const others = dependents.get(uid)
      others?.delete(vertex.uid)
      if (others?.size === 0) dependents.delete(uid)
    }
  }
  return {
    get: (uid) => vertices.get(uid),
    dependents: (uid) => [...(dependents.get(uid) ?? [])].flatMap((one) => vertices.get(one) ?? []),
    set(resource, object) {
      const vertex = vertexOf(resource, object)
      const old = vertices.get(vertex.uid)
      if (old !== undefined) detach(old)
      vertices.set(vertex.uid, vertex)
      for (const { uid } of vertex.owners) {
        const others = dependents.get(uid)
        if (others === undefined) dependents.set(uid, new Set([vertex.uid]))
        else others.add(vertex.uid)
      }
      return vertex
    },
    remove(uid) {
      const old = vertices.get(uid)
      if (old === undefined) return
      detach(old)
      vertices.delete(uid)
    },
  }
}

function vertexOf(resource: Resource, { metadata }: KubeObject): Vertex {
  return {
    uid: metadata.uid ?? '',
    resource,
    namespace: metadata.namespace || undefined,
    name: metadata.name,
    resourceVersion: metadata.resourceVersion,
    owners: metadata.ownerReferences ?? [],
    finalizers: metadata.finalizers ?? [],
    isDeleting: metadata.deletionTimestamp !== undefined,
  }
}

/** Deleted in the foreground: it stays until its dependents are gone. */
export function isWaiting(vertex: Vertex): boolean {
  return vertex.isDeleting && vertex.finalizers.includes('foregroundDeletion')
}

/** Deleted with its dependents to be kept. */
export function isOrphaning(vertex: Vertex): boolean {
  return vertex.isDeleting && vertex.finalizers.includes('orphan')
}

/** How an owner stands: it lives, it waits for its dependents, it is gone. */
export type OwnerState = 'solid' | 'waiting' | 'absent'

/** What is to be done with an object whose owners stand like this. */
export type Collection =
  | { readonly kind: 'keep' }
  /** It has another owner: only the references to these uids go. */
  | { readonly kind: 'drop-references'; readonly uids: readonly string[] }
  | { readonly kind: 'delete'; readonly propagationPolicy: 'Foreground' | 'Background' }

/** Decides as upstream's attemptToDeleteItem: an object goes when none of its owners is left. */
export function decideCollection(
  owners: readonly { readonly reference: OwnerReference; readonly state: OwnerState }[],
  hasDependents: boolean,
): Collection {
  if (owners.length === 0) return { kind: 'keep' }
  const gone = owners.filter(({ state }) => state !== 'solid')
  if (gone.length === 0) return { kind: 'keep' }
  if (gone.length < owners.length) return { kind: 'drop-references', uids: gone.map(({ reference }) => reference.uid) }
  const isAwaited = gone.some(({ state }) => state === 'waiting')
  return { kind: 'delete', propagationPolicy: isAwaited && hasDependents ? 'Foreground' : 'Background' }
}
