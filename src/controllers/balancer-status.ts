import type { Resource } from '../client/index.ts'
import type { KubeObject } from '../objects/index.ts'
import type { Context } from './context.ts'

type Balanced = KubeObject & { status?: { loadBalancer?: { ingress?: readonly unknown[] } } }

/**
 * Whether the addresses in the object's `status.loadBalancer` are the ones that this manager wrote: another controller that
 * wrote them since has become their manager.
 */
export async function managesBalancer(
  { client }: Context,
  resource: Resource,
  { metadata, status }: Balanced,
  fieldManager: string,
): Promise<boolean> {
  if ((status?.loadBalancer?.ingress ?? []).length === 0) return false
  // Caches keep no managedFields.
  const live = await client.find<KubeObject>(resource, metadata.namespace, metadata.name)
  const entries = (live?.metadata.managedFields ?? []) as readonly ManagedFields[]
  return entries.some(
    ({ manager, fieldsV1 }) =>
      manager === fieldManager && fieldsV1?.['f:status']?.['f:loadBalancer']?.['f:ingress'] !== undefined,
  )
}

interface ManagedFields {
  readonly manager?: string
  readonly fieldsV1?: { readonly 'f:status'?: { readonly 'f:loadBalancer'?: { readonly 'f:ingress'?: object } } }
}
