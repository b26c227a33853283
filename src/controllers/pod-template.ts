import type { KubeObject, OwnerReference, Pod, PodTemplate } from '../objects/index.ts'

/** The pod that a template describes, owned by `owner`. Its name is set by the caller, or made by the server from `generateName`. */
export function podOf(
  template: PodTemplate,
  owner: KubeObject,
  reference: OwnerReference,
  name: { readonly name: string } | { readonly generateName: string },
): Pod {
  const { labels, annotations, finalizers } = template.metadata ?? {}
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...(name as { name: string }),
      ...(owner.metadata.namespace && { namespace: owner.metadata.namespace }),
      ...(labels && { labels: { ...labels } }),
      ...(annotations && { annotations: { ...annotations } }),
      ...(finalizers && { finalizers: [...finalizers] }),
      ownerReferences: [reference],
    },
    spec: structuredClone(template.spec),
  }
}
