import type { Kind } from '../objects/index.ts'

/** Who asks: from the client certificate's CN and O, or a token. */
export interface User {
  readonly name: string
  readonly uid: string
  readonly groups: readonly string[]
  readonly extra: Readonly<Record<string, readonly string[]>>
}

/** What a request to a resource is about. */
export interface Scope {
  readonly kind: Kind
  /** The name of the store's collection. */
  readonly collection: string
  /** Undefined: cluster-scoped, or all namespaces. */
  readonly namespace: string | undefined
  readonly name: string | undefined
  readonly subresource: string | undefined
  readonly user: User
}

/** Where a resource's objects are stored. All versions of a resource share it. */
export function collectionOf(kind: Pick<Kind, 'group' | 'plural'>): string {
  return `${kind.group}/${kind.plural}`
}

/** The key of an object in its collection. */
export function keyOf(namespace: string | undefined, name: string): string {
  return namespace === undefined ? name : `${namespace}/${name}`
}
