import type { ListOptions, Resource, WriteOptions } from './contract.ts'

/** The URL path of a kind's collection: `/apis/apps/v1/namespaces/default/deployments`; all namespaces when none is given. */
export function collectionPath(resource: Resource, namespace?: string): string {
  const root = resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`
  const scope =
    resource.namespaced && namespace !== undefined && namespace !== ''
      ? `/namespaces/${encodeURIComponent(namespace)}`
      : ''
  return `${root}${scope}/${resource.plural}`
}

/** The URL path of one object or of its subresource; throws when a namespaced kind has no namespace or the name is empty. */
export function objectPath(
  resource: Resource,
  namespace: string | undefined,
  name: string,
  subresource?: string,
): string {
  if (name === '') throw new TypeError(`${resource.kind}: metadata.name is empty`)
  if (resource.namespaced && !namespace) throw new TypeError(`${resource.kind} ${name}: metadata.namespace is empty`)
  const path = `${collectionPath(resource, namespace)}/${encodeURIComponent(name)}`
  return subresource === undefined ? path : `${path}/${subresource}`
}

/** `?a=b&…` of the given parameters, without the undefined ones; empty when there are none. */
export function query(parameters: Record<string, string | number | boolean | undefined>): string {
  let text = ''
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined) text += `${text === '' ? '?' : '&'}${name}=${encodeURIComponent(String(value))}`
  return text
}

/** The query of a list or watch. */
export function listQuery(
  options: ListOptions,
  more: Record<string, string | number | boolean | undefined> = {},
): string {
  const { labelSelector, fieldSelector, limit, resourceVersion } = options
  return query({ labelSelector, fieldSelector, limit, continue: options.continue, resourceVersion, ...more })
}

/** The query of a write. */
export function writeQuery(options: WriteOptions): string {
  const { fieldManager, dryRun, force, fieldValidation } = options
  return query({ fieldManager, dryRun: dryRun ? 'All' : undefined, force, fieldValidation })
}
