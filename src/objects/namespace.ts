import type { Namespace } from './types.ts'

const nameLabel = 'kubernetes.io/metadata.name'

/** Upstream's `SetDefaults_Namespace`: every namespace carries its name as a label, so that selectors can name it. */
export function defaultNamespace({ metadata }: Namespace): void {
  if (!metadata.name) return
  metadata.labels = { ...metadata.labels, [nameLabel]: metadata.name }
}

/** A new namespace is held by `kubernetes` until its content is gone. */
export function prepareNewNamespace(namespace: Namespace): void {
  namespace.spec ??= {}
  namespace.spec.finalizers = [...new Set([...(namespace.spec.finalizers ?? []), 'kubernetes'])]
}

/** Finalizers of the spec change through `/finalize` only. */
export function keepFinalizers(namespace: Namespace, old: Namespace): void {
  namespace.spec = { ...namespace.spec, finalizers: old.spec?.finalizers ?? [] }
}
