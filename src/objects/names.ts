import { Buffer } from 'node:buffer'

// The texts are those of k8s.io/apimachinery/pkg/util/validation: clients and people search for them.

/** A rule for text: what is wrong with it, in upstream's words; nothing when it is fine. */
export type TextRule = (value: string) => readonly string[]

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const label1035 = '[a-z]([-a-z0-9]*[a-z0-9])?'
const subdomain = `${label}(\\.${label})*`
const labelWithUnderscore = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?'
const underscored = `${labelWithUnderscore}(\\.${labelWithUnderscore})*`
const qualifiedName = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'
const labelValue = `(${qualifiedName})?`
const configKey = '[-._a-zA-Z0-9]+'

function whole(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`)
}

/** `msg (e.g. 'a',  or 'b', regex used for validation is '…')`, odd spacing included. */
function regexError(message: string, pattern: string, ...examples: string[]): string {
  const list = examples.map((example) => `'${example}', `).join(' or ')
  return `${message} (e.g. ${list}regex used for validation is '${pattern}')`
}

function tooLong(value: string, max: number): string[] {
  return Buffer.byteLength(value) > max ? [`must be no more than ${max} bytes`] : []
}

function matching(pattern: string, max: number, message: string): TextRule {
  const form = whole(pattern)
  return (value) => [...tooLong(value, max), ...(form.test(value) ? [] : [message])]
}

/** RFC 1123 label of at most 63 bytes: names of namespaces, containers and Service ports. */
export const dns1123Label = matching(
  label,
  63,
  regexError(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
    label,
    'my-name',
    '123-abc',
  ),
)

/** RFC 1123 subdomain of at most 253 bytes: names of most objects. */
export const dns1123Subdomain = matching(
  subdomain,
  253,
  regexError(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
    subdomain,
    'example.com',
  ),
)

/** The same with underscores, as names of SRV records have them (KEP-4427). */
export const dnsSearchPath = matching(
  underscored,
  253,
  regexError(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character",
    underscored,
    'example.com',
  ),
)

/** RFC 1035 label of at most 63 bytes: names of Services. */
export const dns1035Label = matching(
  label1035,
  63,
  regexError(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
    label1035,
    'my-name',
    'abc-123',
  ),
)

/** Subdomain, or one that starts with `*.`: hosts of an Ingress. */
export const wildcardSubdomain = matching(
  `\\*\\.${subdomain}`,
  253,
  regexError(
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
    `\\*\\.${subdomain}`,
    '*.example.com',
  ),
)

/** Value of a label. */
export const labelValueRule = matching(
  labelValue,
  63,
  regexError(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    labelValue,
    'MyValue',
    'my_value',
    '12345',
  ),
)

/** Key of a ConfigMap or Secret. */
export function configMapKey(value: string): readonly string[] {
  const problems = tooLong(value, 253)
  if (!whole(configKey).test(value))
    problems.push(
      regexError(
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
        configKey,
        'key.name',
        'KEY_NAME',
        'key-name',
      ),
    )
  if (value === '.') problems.push("must not be '.'")
  else if (value === '..') problems.push("must not be '..'")
  else if (value.startsWith('..')) problems.push("must not start with '..'")
  return problems
}

/** Name of an environment variable. */
export function envVarName(value: string): readonly string[] {
  if (/^[ -<>-~]+$/.test(value)) return []
  return [
    "a valid environment variable name must consist only of printable ASCII characters other than '=' (regex used for validation is '^[ -<>-~]+$')",
  ]
}

const qualifiedMessage = regexError(
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  qualifiedName,
  'MyName',
  'my.name',
  '123-abc',
)

/** `name` or `prefix/name`: keys of labels and annotations, finalizers, taints. */
export function qualifiedNameRule(value: string): readonly string[] {
  const parts = value.split('/')
  if (parts.length > 2)
    return [
      `a qualified name ${qualifiedMessage} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ]
  const name = parts.at(-1) as string
  const problems: string[] = []
  if (parts.length === 2) {
    const prefix = parts[0] as string
    const wrong = prefix === '' ? ['must be non-empty'] : dns1123Subdomain(prefix)
    problems.push(...wrong.map((message) => `prefix part ${message}`))
  }
  if (name === '') problems.push('name part must be non-empty')
  else problems.push(...tooLong(name, 63).map((message) => `name part ${message}`))
  if (!whole(qualifiedName).test(name)) problems.push(`name part ${qualifiedMessage}`)
  return problems
}

/** A name that may stand in a URL path: names of RBAC objects. */
export function pathSegment(value: string): readonly string[] {
  if (value === '.' || value === '..') return [`may not be '${value}'`]
  return ['/', '%'].filter((bad) => value.includes(bad)).map((bad) => `may not contain '${bad}'`)
}

/** RFC 6335 service name of at most 15 bytes: names of container ports, and target ports by name. */
export function portName(value: string): readonly string[] {
  const problems = tooLong(value, 15)
  if (!/^[-a-z0-9]+$/.test(value))
    problems.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)')
  if (!/[a-z]/.test(value)) problems.push('must contain at least one letter (a-z)')
  if (value.includes('--')) problems.push('must not contain consecutive hyphens')
  if (value.startsWith('-') || value.endsWith('-')) problems.push('must not begin or end with a hyphen')
  return problems
}

/** A transport port. */
export function portNumber(value: number): readonly string[] {
  return inRange(value, 1, 65535)
}

/** An integer within bounds that are part of it. */
export function inRange(value: number, low: number, high: number): readonly string[] {
  return value >= low && value <= high ? [] : [`must be between ${low} and ${high}, inclusive`]
}
