import { isRecord } from '../objects/index.ts'

/** How much of a request is written down; each level holds what the one before it does. */
export type Level = 'None' | 'Metadata' | 'Request' | 'RequestResponse'
export type Stage = 'RequestReceived' | 'ResponseStarted' | 'ResponseComplete' | 'Panic'

interface Rule {
  readonly level: Level
  readonly users: readonly string[]
  readonly userGroups: readonly string[]
  readonly verbs: readonly string[]
  readonly namespaces: readonly string[]
  readonly resources: readonly GroupResources[]
  readonly nonResourceURLs: readonly string[]
  readonly omitStages: readonly Stage[]
  readonly omitManagedFields: boolean
}

interface GroupResources {
  readonly group: string
  readonly resources: readonly string[]
  readonly resourceNames: readonly string[]
}

/** An audit.k8s.io/v1 Policy, read. */
export interface AuditPolicy {
  readonly rules: readonly Rule[]
  readonly omitStages: readonly Stage[]
}

/** What a request is about, as rules see it. */
export type AuditSubject = {
  readonly user: string
  readonly groups: readonly string[]
  readonly verb: string
} & (
  | {
      readonly group: string
      /** The plural. */
      readonly resource: string
      /** Empty for none. */
      readonly subresource: string
      readonly namespace: string
      readonly name: string
    }
  | { readonly path: string }
)

/** What is written down of a request. */
export interface AuditDecision {
  readonly level: Level
  readonly omitStages: readonly Stage[]
  readonly omitManagedFields: boolean
}

const levels: readonly string[] = ['None', 'Metadata', 'Request', 'RequestResponse']
const stages: readonly string[] = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic']
const lists = ['users', 'userGroups', 'verbs', 'namespaces', 'nonResourceURLs', 'omitStages'] as const

/** The policy that a value describes; a list of what is wrong with it, each with its field, when it is none. */
export function parseAuditPolicy(value: unknown): AuditPolicy | readonly string[] {
  if (!isRecord(value)) return ['the policy is not an object']
  const wrong: string[] = []
  if (value.apiVersion !== 'audit.k8s.io/v1') wrong.push('apiVersion: must be audit.k8s.io/v1')
  if (value.kind !== 'Policy') wrong.push('kind: must be Policy')
  const rules = Array.isArray(value.rules) ? value.rules : []
  if (rules.length === 0) wrong.push('rules: Required value: a policy needs at least one rule')
  const omitManagedFields = value.omitManagedFields === true
  const parsed = rules.map((rule, index) => parseRule(rule, `rules[${index}]`, omitManagedFields, wrong))
  const omitStages = stagesOf(value.omitStages, 'omitStages', wrong)
  return wrong.length > 0 ? wrong : { rules: parsed, omitStages }
}

function parseRule(value: unknown, at: string, omitManagedFields: boolean, wrong: string[]): Rule {
  const rule = isRecord(value) ? value : {}
  const level = String(rule.level ?? '')
  if (!levels.includes(level))
    wrong.push(`${at}.level: Unsupported value: ${JSON.stringify(level)}: supported values: ${levels.join(', ')}`)
  const texts = Object.fromEntries(lists.map((name) => [name, textsOf(rule[name], `${at}.${name}`, wrong)])) as Record<
    (typeof lists)[number],
    readonly string[]
  >
  const resources = (Array.isArray(rule.resources) ? rule.resources : []).map((item, index): GroupResources => {
    const { group = '', ...rest } = isRecord(item) ? item : {}
    const where = `${at}.resources[${index}]`
    const names = textsOf(rest.resourceNames, `${where}.resourceNames`, wrong)
    const plurals = textsOf(rest.resources, `${where}.resources`, wrong)
    if (names.length > 0 && plurals.length === 0)
      wrong.push(`${where}.resourceNames: using resourceNames requires at least one resource`)
    return { group: String(group), resources: plurals, resourceNames: names }
  })
  if (texts.nonResourceURLs.length > 0 && (resources.length > 0 || texts.namespaces.length > 0))
    wrong.push(`${at}.nonResourceURLs: rules cannot apply to both regular resources and non-resource URLs`)
  for (const path of texts.nonResourceURLs)
    if (path !== '*' && !path.startsWith('/')) wrong.push(`${at}.nonResourceURLs: ${path} must begin with '/'`)
  return {
    ...texts,
    level: level as Level,
    resources,
    omitStages: stagesOf(rule.omitStages, `${at}.omitStages`, wrong),
    omitManagedFields: typeof rule.omitManagedFields === 'boolean' ? rule.omitManagedFields : omitManagedFields,
  }
}

function textsOf(value: unknown, at: string, wrong: string[]): readonly string[] {
  if (value === undefined || value === null) return []
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value
  wrong.push(`${at}: must be a list of strings`)
  return []
}

function stagesOf(value: unknown, at: string, wrong: string[]): readonly Stage[] {
  const found = textsOf(value, at, wrong)
  for (const stage of found) if (!stages.includes(stage)) wrong.push(`${at}: unknown stage ${JSON.stringify(stage)}`)
  return found as readonly Stage[]
}

/** What the first rule that matches says of a request; nothing is written down when none does. */
export function decideAudit(policy: AuditPolicy, subject: AuditSubject): AuditDecision {
  const rule = policy.rules.find((item) => ruleMatches(item, subject))
  if (rule === undefined) return { level: 'None', omitStages: [], omitManagedFields: false }
  const { level, omitManagedFields } = rule
  return { level, omitManagedFields, omitStages: [...policy.omitStages, ...rule.omitStages] }
}

function ruleMatches(rule: Rule, subject: AuditSubject): boolean {
  const among = (list: readonly string[], values: readonly string[]) =>
    list.length === 0 || values.some((value) => list.includes(value))
  if (!among(rule.users, [subject.user]) || !among(rule.userGroups, subject.groups)) return false
  if (!among(rule.verbs, [subject.verb])) return false
  if ('path' in subject) {
    if (rule.namespaces.length > 0 || rule.resources.length > 0) return false
    return rule.nonResourceURLs.length === 0 || rule.nonResourceURLs.some((item) => pathMatches(item, subject.path))
  }
  if (rule.nonResourceURLs.length > 0 || !among(rule.namespaces, [subject.namespace])) return false
  return rule.resources.length === 0 || rule.resources.some((item) => resourceMatches(item, subject))
}

function resourceMatches(
  { group, resources, resourceNames }: GroupResources,
  subject: Extract<AuditSubject, { resource: string }>,
): boolean {
  if (group !== subject.group) return false
  if (resources.length === 0) return true
  if (resourceNames.length > 0 && !resourceNames.includes(subject.name)) return false
  const { resource, subresource } = subject
  const whole = subresource === '' ? resource : `${resource}/${subresource}`
  return resources.some(
    (item) =>
      item === '*' || item === whole || item === `${resource}/*` || (subresource !== '' && item === `*/${subresource}`),
  )
}

function pathMatches(pattern: string, path: string): boolean {
  return pattern === '*' || pattern === path || (pattern.endsWith('*') && path.startsWith(pattern.slice(0, -1)))
}
