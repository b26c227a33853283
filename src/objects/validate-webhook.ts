import type { FieldError } from './contract.ts'
import type { AdmissionRule, NamedExpression, Webhook, WebhookConfiguration } from './defaults-admission.ts'
import { complaints, duplicate, invalid, notSupported, required, tooMany } from './field-error.ts'
import { dns1123Subdomain, inRange, qualifiedNameRule } from './names.ts'
import { validateSelector } from './validate-selector.ts'

const reviewVersions = ['v1', 'v1beta1']
const conditionLimit = 64

/** Upstream's validation of one kind of webhook configuration. */
export function validateWebhooks(mutating: boolean): (configuration: WebhookConfiguration) => FieldError[] {
  return ({ webhooks = [] }) => {
    const errors: FieldError[] = []
    const names = new Set<string>()
    for (const [index, webhook] of webhooks.entries()) {
      const at = `webhooks[${index}]`
      errors.push(...validateWebhook(webhook, at))
      if (names.has(webhook.name)) errors.push(duplicate(`${at}.name`, webhook.name))
      names.add(webhook.name)
      if (mutating) errors.push(...oneOf(`${at}.reinvocationPolicy`, webhook.reinvocationPolicy, ['IfNeeded', 'Never']))
    }
    return errors
  }
}

function validateWebhook(webhook: Webhook, at: string): FieldError[] {
  const { name, timeoutSeconds, sideEffects } = webhook
  const errors: FieldError[] = []
  if (!name) errors.push(required(`${at}.name`))
  else if (dns1123Subdomain(name).length > 0) errors.push(...complaints(`${at}.name`, name, dns1123Subdomain(name)))
  else if (name.split('.').length < 3)
    errors.push(invalid(`${at}.name`, name, 'should be a domain with at least three segments separated by dots'))
  errors.push(...validateVersions(webhook.admissionReviewVersions ?? [], `${at}.admissionReviewVersions`))
  for (const [index, rule] of (webhook.rules ?? []).entries())
    errors.push(...validateRule(rule, `${at}.rules[${index}]`))
  errors.push(...oneOf(`${at}.failurePolicy`, webhook.failurePolicy, ['Fail', 'Ignore']))
  errors.push(...oneOf(`${at}.matchPolicy`, webhook.matchPolicy, ['Equivalent', 'Exact']))
  if (sideEffects === undefined) errors.push(required(`${at}.sideEffects`, 'must specify one of None, NoneOnDryRun'))
  else errors.push(...oneOf(`${at}.sideEffects`, sideEffects, ['None', 'NoneOnDryRun']))
  if (timeoutSeconds !== undefined && inRange(timeoutSeconds, 1, 30).length > 0)
    errors.push(invalid(`${at}.timeoutSeconds`, timeoutSeconds, 'the timeout value must be between 1 and 30 seconds'))
  errors.push(...validateSelector(webhook.namespaceSelector, `${at}.namespaceSelector`))
  errors.push(...validateSelector(webhook.objectSelector, `${at}.objectSelector`))
  errors.push(...validateClient(webhook.clientConfig, `${at}.clientConfig`))
  return [...errors, ...validateConditions(webhook.matchConditions, `${at}.matchConditions`)]
}

function validateVersions(versions: readonly string[], at: string): FieldError[] {
  if (versions.length === 0) return [required(at, `must specify one of ${reviewVersions.join(', ')}`)]
  if (versions.some((version) => reviewVersions.includes(version))) return []
  return [invalid(at, versions, `must include at least one of ${reviewVersions.join(', ')}`)]
}

const operations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE']

/** Upstream's validation of a rule of a webhook or policy. */
export function validateRule(rule: AdmissionRule, at: string): FieldError[] {
  const errors: FieldError[] = []
  for (const field of ['operations', 'apiGroups', 'apiVersions', 'resources'] as const) {
    const list = rule[field] ?? []
    if (list.length === 0) errors.push(required(`${at}.${field}`))
    if (field !== 'resources' && list.length > 1 && list.includes('*'))
      errors.push(invalid(`${at}.${field}`, list, "if '*' is present, must not specify other values"))
    for (const [index, item] of list.entries())
      if (item === '' && field !== 'apiGroups') errors.push(required(`${at}.${field}[${index}]`))
  }
  for (const [index, operation] of (rule.operations ?? []).entries())
    if (operation !== '') errors.push(...oneOf(`${at}.operations[${index}]`, operation, operations))
  const resources = rule.resources ?? []
  if (resources.length > 1 && resources.includes('*/*'))
    errors.push(invalid(`${at}.resources`, resources, "if '*/*' is present, must not specify other resources"))
  if (resources.includes('*') && resources.some((item) => item !== '*' && !item.includes('/'))) {
    const detail = "if '*' is present, must not specify other resources without subresources"
    errors.push(invalid(`${at}.resources`, resources, detail))
  }
  return [...errors, ...oneOf(`${at}.scope`, rule.scope, ['*', 'Cluster', 'Namespaced'])]
}

function validateClient(client: Webhook['clientConfig'] | undefined, at: string): FieldError[] {
  const { url, service } = client ?? {}
  if ((url === undefined) === (service === undefined))
    return [required(at, 'exactly one of url or service is required')]
  if (url !== undefined) return validateUrl(url, `${at}.url`)
  const errors: FieldError[] = []
  for (const field of ['name', 'namespace'] as const)
    if (!service?.[field]) errors.push(required(`${at}.service.${field}`, `service ${field} is required`))
  const { port = 443, path } = service ?? {}
  if (inRange(port, 1, 65535).length > 0)
    errors.push(invalid(`${at}.service.port`, port, 'port is not valid: must be between 1 and 65535, inclusive'))
  if (path !== undefined && !path.startsWith('/'))
    errors.push(invalid(`${at}.service.path`, path, "must start with a '/'"))
  return errors
}

function validateUrl(text: string, at: string): FieldError[] {
  const form = 'desired format: https://host[/path]'
  const url = URL.parse(text)
  if (url === null) return [required(at, `url must be a valid URL: ${form}`)]
  const errors: FieldError[] = []
  if (url.protocol !== 'https:')
    errors.push(invalid(at, url.protocol.slice(0, -1), `'https' is the only allowed URL scheme; ${form}`))
  if (url.host === '') errors.push(invalid(at, url.host, `host must be specified; ${form}`))
  if (url.username !== '' || url.password !== '')
    errors.push(invalid(at, url.username, 'user information is not permitted in the URL'))
  if (url.hash !== '') errors.push(invalid(at, url.hash.slice(1), 'fragments are not permitted in the URL'))
  if (url.search !== '') errors.push(invalid(at, url.search.slice(1), 'query parameters are not permitted in the URL'))
  return errors
}

/** Upstream's validation of matchConditions, save that the expressions compile. */
export function validateConditions(conditions: readonly NamedExpression[] | undefined, at: string): FieldError[] {
  const list = conditions ?? []
  const errors: FieldError[] = list.length > conditionLimit ? [tooMany(at, list.length, conditionLimit)] : []
  const names = new Set<string>()
  for (const [index, { name, expression }] of list.entries()) {
    if (!expression?.trim()) errors.push(required(`${at}[${index}].expression`))
    if (!name) errors.push(required(`${at}[${index}].name`))
    else errors.push(...complaints(`${at}[${index}].name`, name, qualifiedNameRule(name)))
    if (names.has(name)) errors.push(duplicate(`${at}[${index}].name`, name))
    names.add(name)
  }
  return errors
}

/** A closed set; what was left out is fine. */
export function oneOf(at: string, value: string | undefined, supported: readonly string[]): FieldError[] {
  return value === undefined || supported.includes(value) ? [] : [notSupported(at, value, supported)]
}
