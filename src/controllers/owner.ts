import type { Resource } from '../client/index.ts'
import type { KubeObject, OwnerReference } from '../objects/index.ts'

/** The owner that manages this object, if one does. */
export function findController(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find(({ controller }) => controller === true)
}

/** The reference by which `owner` manages its dependents; it blocks a foreground deletion of the owner. */
export function controllerReference(resource: Resource, owner: KubeObject): OwnerReference {
  return {
    apiVersion: resource.group === '' ? resource.version : `${resource.group}/${resource.version}`,
    kind: resource.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  }
}
