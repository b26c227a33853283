import { ageColumn, integer, nameColumn, text } from './column.ts'
import {
  defaultPolicy,
  defaultPolicyBinding,
  defaultWebhooks,
  type ValidatingAdmissionPolicy,
  type ValidatingAdmissionPolicyBinding,
  type WebhookConfiguration,
} from './defaults-admission.ts'
import { defineKind } from './define-kind.ts'
import { validateAdmissionPolicy, validatePolicyBinding } from './validate-policy.ts'
import { validateWebhooks } from './validate-webhook.ts'

const group = 'admissionregistration.k8s.io'

const webhookColumns = [
  nameColumn,
  integer<WebhookConfiguration>('Webhooks', 'How many webhooks it has.', ({ webhooks }) => webhooks?.length ?? 0),
  ageColumn,
]

/** Webhooks that may change what is written. */
export const MutatingWebhookConfigurations = defineKind<WebhookConfiguration>({
  group,
  kind: 'MutatingWebhookConfiguration',
  plural: 'mutatingwebhookconfigurations',
  categories: ['api-extensions'],
  namespaced: false,
  strategy: { generation: true },
  defaults: defaultWebhooks(true),
  validate: validateWebhooks(true),
  columns: webhookColumns,
})

/** Webhooks that may refuse what is written. */
export const ValidatingWebhookConfigurations = defineKind<WebhookConfiguration>({
  group,
  kind: 'ValidatingWebhookConfiguration',
  plural: 'validatingwebhookconfigurations',
  categories: ['api-extensions'],
  namespaced: false,
  strategy: { generation: true },
  defaults: defaultWebhooks(false),
  validate: validateWebhooks(false),
  columns: webhookColumns,
})

/** Checks in CEL of what is written. */
export const ValidatingAdmissionPolicies = defineKind<ValidatingAdmissionPolicy>({
  group,
  kind: 'ValidatingAdmissionPolicy',
  plural: 'validatingadmissionpolicies',
  categories: ['api-extensions'],
  namespaced: false,
  subresources: ['status'],
  strategy: { status: true, generation: true },
  defaults: defaultPolicy,
  validate: validateAdmissionPolicy,
  columns: [
    nameColumn,
    integer<ValidatingAdmissionPolicy>(
      'Validations',
      'How many checks it has.',
      ({ spec }) => spec?.validations?.length ?? 0,
    ),
    text<ValidatingAdmissionPolicy>('ParamKind', 'The kind of its parameters.', ({ spec }) =>
      spec?.paramKind === undefined ? '<unset>' : `${spec.paramKind.apiVersion}/${spec.paramKind.kind}`,
    ),
    ageColumn,
  ],
})

/** Where the checks act. */
export const ValidatingAdmissionPolicyBindings = defineKind<ValidatingAdmissionPolicyBinding>({
  group,
  kind: 'ValidatingAdmissionPolicyBinding',
  plural: 'validatingadmissionpolicybindings',
  categories: ['api-extensions'],
  namespaced: false,
  strategy: { generation: true },
  defaults: defaultPolicyBinding,
  validate: validatePolicyBinding,
  columns: [
    nameColumn,
    text<ValidatingAdmissionPolicyBinding>(
      'PolicyName',
      'The policy that it binds.',
      ({ spec }) => spec?.policyName ?? '',
    ),
    text<ValidatingAdmissionPolicyBinding>('ParamRef', 'Its parameters.', ({ spec }) => paramRef(spec?.paramRef)),
    ageColumn,
  ],
})

function paramRef(reference: ValidatingAdmissionPolicyBinding['spec']['paramRef']): string {
  if (reference === undefined) return '<unset>'
  const { name, namespace } = reference
  return name === undefined ? '<selector>' : namespace === undefined ? name : `${namespace}/${name}`
}
