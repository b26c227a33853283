import { createRequire } from 'node:module'
import type * as Cel from '@marcbachmann/cel-js'

/** A form that texts may have (`format.dns1123Label()`). */
class Format {
  /** What is wrong with a text, in words; nothing when it is fine. */
  readonly problems: (text: string) => readonly string[]
  constructor(problems: (text: string) => readonly string[]) {
    this.problems = problems
  }
}

/** What `format.named` and its like are functions of. */
class Formats {}

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const label1035 = '[a-z]([-a-z0-9]*[a-z0-9])?'
const name = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'

function matching(pattern: string, longest: number, says: string): Format {
  const form = new RegExp(`^(?:${pattern})$`)
  return new Format((text) => [
    ...(Buffer.byteLength(text) > longest ? [`must be no more than ${longest} characters`] : []),
    ...(form.test(text) ? [] : [`${says} (regex used for validation is '${pattern}')`]),
  ])
}

function checked(test: (text: string) => boolean, says: string): Format {
  return new Format((text) => (test(text) ? [] : [says]))
}

/** A prefix for `generateName` may end in a dash, which the rest of the name follows. */
function asPrefix({ problems }: Format): Format {
  return new Format((text) => problems(text.endsWith('-') ? `${text.slice(0, -1)}a` : text))
}

const label1123Form = matching(
  label,
  63,
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
)
const subdomain1123Form = matching(
  `${label}(\\.${label})*`,
  253,
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
)
const label1035Form = matching(
  label1035,
  63,
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
)
const nameSays =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"

const qualifiedName = new Format((text) => {
  const pieces = text.split('/')
  if (pieces.length > 2) return ['a qualified name must be a name with an optional DNS subdomain prefix and a /']
  const own = matching(name, 63, `name part ${nameSays}`).problems(pieces.at(-1)!)
  return pieces.length === 1 ? own : [...subdomain1123Form.problems(pieces[0]!), ...own]
})

const date = /^\d{4}-\d{2}-\d{2}$/
const dateTime = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/

const formats: Readonly<Record<string, Format>> = {
  dns1123Label: label1123Form,
  dns1123Subdomain: subdomain1123Form,
  dns1035Label: label1035Form,
  dns1123LabelPrefix: asPrefix(label1123Form),
  dns1123SubdomainPrefix: asPrefix(subdomain1123Form),
  dns1035LabelPrefix: asPrefix(label1035Form),
  qualifiedName,
  labelValue: matching(`(${name})?`, 63, `a valid label must be an empty string or ${nameSays}`),
  uri: checked((text) => text.startsWith('/') || URL.canParse(text), 'not a valid URI'),
  uuid: checked(
    (text) => /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(text),
    'does not match the UUID format',
  ),
  byte: checked(
    (text) => /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text),
    'invalid base64',
  ),
  date: checked((text) => date.test(text) && isTime(`${text}T00:00:00Z`), 'invalid date'),
  datetime: checked((text) => dateTime.test(text) && isTime(text), 'invalid datetime'),
}

/** A day that there is: Date takes the 31st of every month. */
function isTime(text: string): boolean {
  const [year, month, day] = text.slice(0, 10).split('-').map(Number)
  const last = new Date(Date.UTC(year!, month!, 0)).getUTCDate()
  return !Number.isNaN(Date.parse(text)) && day! <= last
}

/** Kubernetes' format library. */
export function registerFormats(environment: Cel.Environment): Cel.Environment {
  const { Optional } = createRequire(import.meta.url)('@marcbachmann/cel-js') as typeof Cel
  const named = (_: Formats, text: string) =>
    Object.hasOwn(formats, text) ? Optional.of(formats[text]) : Optional.none()
  environment
    .registerType('kubernetes.Format', Format as never)
    .registerType('kubernetes.Formats', Formats as never)
    .registerConstant('format', 'kubernetes.Formats', new Formats())
    .registerFunction('kubernetes.Formats.named(string): optional<kubernetes.Format>', named)
    .registerFunction('kubernetes.Format.validate(string): optional<list<string>>', (it: Format, text: string) => {
      const problems = it.problems(text)
      return problems.length === 0 ? Optional.none() : Optional.of(problems)
    })
  for (const [word, format] of Object.entries(formats))
    environment.registerFunction(`kubernetes.Formats.${word}(): kubernetes.Format`, () => format)
  return environment
}
