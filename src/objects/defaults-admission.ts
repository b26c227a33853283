import type { KubeObject, LabelSelector } from './types.ts'

/** Which operations on which resources something is about (admissionregistration.k8s.io/v1 RuleWithOperations). */
export interface AdmissionRule {
  operations?: string[]
  apiGroups?: string[]
  apiVersions?: string[]
  resources?: string[]
  scope?: string
  /** Of rules of policies alone. */
  resourceNames?: string[]
}

/** A CEL expression under a name. */
export interface NamedExpression {
  name: string
  expression: string
}

/** One webhook of a configuration. `reinvocationPolicy` is of mutating ones alone. */
export interface Webhook {
  name: string
  clientConfig: {
    url?: string
    service?: { name: string; namespace: string; path?: string; port?: number }
    caBundle?: string
  }
  rules?: AdmissionRule[]
  failurePolicy?: string
  matchPolicy?: string
  namespaceSelector?: LabelSelector
  objectSelector?: LabelSelector
  sideEffects?: string
  timeoutSeconds?: number
  admissionReviewVersions?: string[]
  matchConditions?: NamedExpression[]
  reinvocationPolicy?: string
}

/** A MutatingWebhookConfiguration or a ValidatingWebhookConfiguration. */
export interface WebhookConfiguration extends KubeObject {
  webhooks?: Webhook[]
}

/** What a policy or a binding applies to (admissionregistration.k8s.io/v1 MatchResources). */
export interface MatchResources {
  namespaceSelector?: LabelSelector
  objectSelector?: LabelSelector
  resourceRules?: AdmissionRule[]
  excludeResourceRules?: AdmissionRule[]
  matchPolicy?: string
}

/** One check of a policy. */
export interface PolicyValidation {
  expression: string
  message?: string
  messageExpression?: string
  reason?: string
}

/** Checks in CEL; they act where a binding says so. */
export interface ValidatingAdmissionPolicy extends KubeObject {
  spec: {
    paramKind?: { apiVersion: string; kind: string }
    matchConstraints?: MatchResources
    validations?: PolicyValidation[]
    failurePolicy?: string
    auditAnnotations?: { key: string; valueExpression: string }[]
    matchConditions?: NamedExpression[]
    variables?: NamedExpression[]
  }
}

/** Where a policy acts, with which parameters, and what it does. */
export interface ValidatingAdmissionPolicyBinding extends KubeObject {
  spec: {
    policyName?: string
    paramRef?: { name?: string; namespace?: string; selector?: LabelSelector; parameterNotFoundAction?: string }
    matchResources?: MatchResources
    validationActions?: string[]
  }
}

function defaultRules(rules: readonly AdmissionRule[] | undefined): void {
  for (const rule of rules ?? []) rule.scope ||= '*'
}

/** Upstream's defaults of one kind of webhook configuration. */
export function defaultWebhooks(mutating: boolean): (configuration: WebhookConfiguration) => void {
  return ({ webhooks = [] }) => {
    for (const webhook of webhooks) {
      webhook.failurePolicy ??= 'Fail'
      webhook.matchPolicy ??= 'Equivalent'
      webhook.namespaceSelector ??= {}
      webhook.objectSelector ??= {}
      webhook.timeoutSeconds ??= 10
      if (mutating) webhook.reinvocationPolicy ??= 'Never'
      const { service } = webhook.clientConfig ?? {}
      if (service !== undefined) service.port ??= 443
      defaultRules(webhook.rules)
    }
  }
}

function defaultMatch(match: MatchResources | undefined): void {
  if (match === undefined) return
  match.matchPolicy ??= 'Equivalent'
  match.namespaceSelector ??= {}
  match.objectSelector ??= {}
  defaultRules(match.resourceRules)
  defaultRules(match.excludeResourceRules)
}

/** Upstream's defaults of a policy. */
export function defaultPolicy({ spec }: ValidatingAdmissionPolicy): void {
  if (spec === undefined) return
  spec.failurePolicy ??= 'Fail'
  defaultMatch(spec.matchConstraints)
}

/** Upstream's defaults of a policy's binding. */
export function defaultPolicyBinding({ spec }: ValidatingAdmissionPolicyBinding): void {
  defaultMatch(spec?.matchResources)
}
