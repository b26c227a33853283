import type { LabelSelector, Node, PodSpec } from '../objects/index.ts'

/** One requirement of a node selector term. */
export interface NodeRequirement {
  readonly key: string
  readonly operator: string
  readonly values?: readonly string[]
}

/** A term: all of its requirements must hold. An empty term selects nothing. */
export interface NodeSelectorTerm {
  readonly matchExpressions?: readonly NodeRequirement[]
  readonly matchFields?: readonly NodeRequirement[]
}

/** A required term about other pods, as in `podAffinity` and `podAntiAffinity`. */
export interface PodAffinityTerm {
  readonly topologyKey: string
  readonly labelSelector?: LabelSelector
  readonly namespaces?: readonly string[]
  readonly namespaceSelector?: LabelSelector
}

/** The parts of a pod's spec that only scheduling reads. */
export interface SchedulingSpec extends PodSpec {
  readonly affinity?: {
    readonly nodeAffinity?: {
      readonly requiredDuringSchedulingIgnoredDuringExecution?: {
        readonly nodeSelectorTerms?: readonly NodeSelectorTerm[]
      }
      readonly preferredDuringSchedulingIgnoredDuringExecution?: readonly {
        readonly weight: number
        readonly preference: NodeSelectorTerm
      }[]
    }
    readonly podAffinity?: { readonly requiredDuringSchedulingIgnoredDuringExecution?: readonly PodAffinityTerm[] }
    readonly podAntiAffinity?: { readonly requiredDuringSchedulingIgnoredDuringExecution?: readonly PodAffinityTerm[] }
  }
  readonly topologySpreadConstraints?: readonly {
    readonly maxSkew: number
    readonly topologyKey: string
    readonly whenUnsatisfiable: string
    readonly labelSelector?: LabelSelector
    readonly matchLabelKeys?: readonly string[]
  }[]
  readonly schedulingGates?: readonly { readonly name: string }[]
}

/** nodeSelector and required nodeAffinity both allow the node. */
export function matchesNode(spec: PodSpec, node: Node): boolean {
  const labels = node.metadata.labels ?? {}
  if (!Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value)) return false
  const required = (spec as SchedulingSpec).affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  return required === undefined || (required.nodeSelectorTerms ?? []).some((term) => matchesTerm(term, node))
}

/** Whether the node fulfils one term. */
export function matchesTerm(term: NodeSelectorTerm, node: Node): boolean {
  const { matchExpressions = [], matchFields = [] } = term
  if (matchExpressions.length === 0 && matchFields.length === 0) return false
  const labels = node.metadata.labels ?? {}
  return (
    matchExpressions.every((requirement) => holds(requirement, labels[requirement.key])) &&
    matchFields.every((requirement) =>
      holds(requirement, requirement.key === 'metadata.name' ? node.metadata.name : undefined),
    )
  )
}

/** How much the pod would like the node: the sum of the weights of the preferred terms that it fulfils. */
export function preferenceFor(spec: PodSpec, node: Node): number {
  const preferred = (spec as SchedulingSpec).affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution
  return (preferred ?? []).reduce(
    (sum, { weight, preference }) => sum + (matchesTerm(preference, node) ? weight : 0),
    0,
  )
}

function holds({ operator, values = [] }: NodeRequirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'Gt':
      return isInteger(value) && isInteger(values[0]) && BigInt(value) > BigInt(values[0])
    case 'Lt':
      return isInteger(value) && isInteger(values[0]) && BigInt(value) < BigInt(values[0])
    default:
      return false
  }
}

function isInteger(value: string | undefined): value is string {
  return value !== undefined && /^-?\d+$/.test(value)
}
