import type { KubeObject } from '../objects/index.ts'

/** The object carries all of these labels. */
export function hasLabels(object: KubeObject, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(labels).every(([key, value]) => object.metadata.labels?.[key] === value)
}
