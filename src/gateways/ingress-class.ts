import type { Because, Finding } from '../cluster/index.ts'
import type { Ingress, IngressClass } from './ingress.ts'

/** `spec.controller` of the IngressClasses that are Plumb's to serve. */
export const controllerName = 'plumb.network/gateway'

const legacyAnnotation = 'kubernetes.io/ingress.class'
const defaultAnnotation = 'ingressclass.kubernetes.io/is-default-class'

/** Whether an Ingress is ours to serve. `spec.ingressClassName` wins over the annotation, and the default class is for those with neither. */
export type Ownership =
  | { readonly kind: 'ours'; readonly because: Because }
  | { readonly kind: 'others' }
  | { readonly kind: 'unknown-class'; readonly finding: Finding }

export function ownershipOf(ingress: Ingress, object: string, classes: readonly IngressClass[]): Ownership {
  const annotation = ingress.metadata.annotations?.[legacyAnnotation]
  const [field, name] =
    ingress.spec?.ingressClassName !== undefined
      ? ['spec.ingressClassName', ingress.spec.ingressClassName]
      : annotation !== undefined
        ? [`metadata.annotations[${legacyAnnotation}]`, annotation]
        : ['spec.ingressClassName', undefined]
  if (name === undefined) {
    const standard = newestFirst(classes).find(({ metadata }) => metadata.annotations?.[defaultAnnotation] === 'true')
    if (standard?.spec?.controller !== controllerName) return { kind: 'others' }
    const source = `ingressclass/${standard.metadata.name}`
    return {
      kind: 'ours',
      because: { object: source, field: `metadata.annotations[${defaultAnnotation}]`, value: 'true' },
    }
  }
  const found = classes.find(({ metadata }) => metadata.name === name)
  if (found !== undefined) {
    return found.spec?.controller === controllerName
      ? { kind: 'ours', because: { object, field, value: name } }
      : { kind: 'others' }
  }
  // An annotation may name the class of a controller that knows no IngressClass objects.
  if (ingress.spec?.ingressClassName === undefined) return { kind: 'others' }
  return {
    kind: 'unknown-class',
    finding: {
      code: 'IngressClassMissing',
      object,
      field,
      says: `there is no IngressClass "${name}", so nobody serves this Ingress`,
      try: `create it with spec.controller ${controllerName}, or name one that exists`,
    },
  }
}

/** Upstream's admission takes the newest default class, then the first by name. */
function newestFirst(classes: readonly IngressClass[]): IngressClass[] {
  const created = ({ metadata }: IngressClass): string => metadata.creationTimestamp ?? ''
  return [...classes].sort((a, b) => compare(created(b), created(a)) || compare(a.metadata.name, b.metadata.name))
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
