import type { Manifest } from '../client/index.ts'
import type { KubeObject } from '../objects/index.ts'

/**
 * Definitions for kinds that manifests use and nobody defines: without a schema, so that everything is kept as it is.
 * A kind counts as namespaced unless none of its objects names a namespace and its name says that it is cluster-wide.
 */
export function standInDefinitions(unknown: readonly Manifest[]): KubeObject[] {
  const byKind = new Map<string, Manifest[]>()
  for (const manifest of unknown) {
    const { apiVersion, kind } = manifest.object
    // The core group takes no definitions: a kind that is unknown there is a mistake.
    if (!apiVersion.includes('/')) continue
    const key = `${apiVersion.split('/')[0]}/${kind}`
    byKind.set(key, [...(byKind.get(key) ?? []), manifest])
  }
  return [...byKind.values()].map(define)
}

function define(manifests: readonly Manifest[]): KubeObject {
  const [group = '', kind = ''] = [manifests[0]?.object.apiVersion.split('/')[0], manifests[0]?.object.kind]
  const plural = pluralOf(kind.toLowerCase())
  const versions = [...new Set(manifests.map(({ object }) => object.apiVersion.split('/')[1] ?? 'v1'))]
  const namespaced = manifests.some(({ object }) => object.metadata.namespace !== undefined) || !/^Cluster/.test(kind)
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}`, annotations: { 'plumb.network/stand-in': 'true' } },
    spec: {
      group,
      scope: namespaced ? 'Namespaced' : 'Cluster',
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: versions.map((name, i) => ({
        name,
        served: true,
        storage: i === 0,
        schema,
        subresources: { status: {} },
      })),
    },
  } as KubeObject
}

/** The plural that English and Kubernetes' code generators make of a kind's name. */
function pluralOf(singular: string): string {
  if (/(s|x|z|ch|sh)$/.test(singular)) return `${singular}es`
  if (/[^aeiou]y$/.test(singular)) return `${singular.slice(0, -1)}ies`
  return `${singular}s`
}
