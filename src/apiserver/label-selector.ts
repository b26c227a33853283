/** One requirement of a label selector: values is empty for `exists` and `absent`. */
export interface Requirement {
  readonly key: string
  readonly operator: 'in' | 'notin' | 'exists' | 'absent' | 'gt' | 'lt'
  readonly values: readonly string[]
}

type Token = { readonly kind: 'word' | 'symbol' | 'end'; readonly text: string }

const symbols = ['==', '!=', '=', '!', '(', ')', ',', '>', '<']
const operators = '=, !=, ==, in, notin, >, <'
const valueShape = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/
const nameShape = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/
const prefixShape = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

/** Parses `a=b,c in (d,e),!f` as `labels.Parse` upstream, with its words in the thrown Error. */
export function parseLabelSelector(text: string): readonly Requirement[] {
  const tokens = tokenize(text)
  const requirements: Requirement[] = []
  let at = 0
  const peek = () => tokens[at]!
  const next = () => tokens[at++] ?? tokens[tokens.length - 1]!
  const starts = ({ kind, text }: Token) => kind === 'word' || (kind === 'symbol' && text === '!')
  if (peek().kind === 'end') return requirements
  for (;;) {
    if (!starts(peek())) throw new Error(`found '${peek().text}', expected: !, identifier, or 'end of string'`)
    try {
      requirements.push(parseRequirement(next, peek))
    } catch (error) {
      throw new Error(`unable to parse requirement: ${(error as Error).message}`)
    }
    const separator = next()
    if (separator.kind === 'end') return requirements
    if (separator.text !== ',') throw new Error(`found '${separator.text}', expected: ',' or 'end of string'`)
    if (!starts(peek())) throw new Error(`found '${peek().text}', expected: identifier after ','`)
  }
}

/** Whether labels meet every requirement. */
export function matchesLabels(requirements: readonly Requirement[], labels: Readonly<Record<string, string>>): boolean {
  return requirements.every((requirement) => meets(requirement, labels))
}

function meets({ key, operator, values }: Requirement, labels: Readonly<Record<string, string>>): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined
  switch (operator) {
    case 'exists':
      return value !== undefined
    case 'absent':
      return value === undefined
    case 'in':
      return value !== undefined && values.includes(value)
    case 'notin':
      return value === undefined || !values.includes(value)
    case 'gt':
      return value !== undefined && /^-?\d+$/.test(value) && Number(value) > Number(values[0])
    case 'lt':
      return value !== undefined && /^-?\d+$/.test(value) && Number(value) < Number(values[0])
    default:
      return operator satisfies never
  }
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  while (at < text.length) {
    if (/\s/.test(text[at]!)) {
      at++
      continue
    }
    const symbol = symbols.find((item) => text.startsWith(item, at))
    if (symbol !== undefined) {
      tokens.push({ kind: 'symbol', text: symbol })
      at += symbol.length
      continue
    }
    const start = at
    while (at < text.length && !/[\s=!(),<>]/.test(text[at]!)) at++
    tokens.push({ kind: 'word', text: text.slice(start, at) })
  }
  tokens.push({ kind: 'end', text: '' })
  return tokens
}

function parseRequirement(next: () => Token, peek: () => Token): Requirement {
  if (peek().text === '!') {
    next()
    return { key: parseKey(next()), operator: 'absent', values: [] }
  }
  const key = parseKey(next())
  if (peek().kind === 'end' || peek().text === ',') return { key, operator: 'exists', values: [] }
  const operator = next()
  switch (operator.text) {
    case '=':
    case '==':
      return { key, operator: 'in', values: [parseValue(key, next, peek)] }
    case '!=':
      return { key, operator: 'notin', values: [parseValue(key, next, peek)] }
    case 'in':
    case 'notin':
      return { key, operator: operator.text, values: parseValues(key, next, peek) }
    case '>':
    case '<':
      return { key, operator: operator.text === '>' ? 'gt' : 'lt', values: [parseNumber(key, next, peek)] }
    default:
      throw new Error(`found '${operator.text}', expected: ${operators}`)
  }
}

function parseKey(token: Token): string {
  if (token.kind !== 'word') throw new Error(`found '${token.text}', expected: identifier`)
  const slash = token.text.indexOf('/')
  const prefix = token.text.slice(0, slash)
  const name = token.text.slice(slash + 1)
  const good =
    name.length <= 63 && nameShape.test(name) && (slash < 0 || (prefix.length <= 253 && prefixShape.test(prefix)))
  if (good) return token.text
  throw new Error(
    `<nil>: Invalid value: ${JSON.stringify(token.text)}: name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
  )
}

function parseValue(key: string, next: () => Token, peek: () => Token): string {
  const { kind, text } = peek()
  if (kind === 'end' || text === ',') return ''
  if (kind !== 'word') throw new Error(`found '${text}', expected: identifier`)
  return checkedValue(key, next().text)
}

function parseNumber(key: string, next: () => Token, peek: () => Token): string {
  const value = parseValue(key, next, peek)
  if (/^-?\d{1,15}$/.test(value)) return value
  throw new Error(
    `values[0]: Invalid value: ${JSON.stringify(value)}: for 'Gt', 'Lt' operators, the value must be an integer`,
  )
}

function parseValues(key: string, next: () => Token, peek: () => Token): string[] {
  const open = next()
  if (open.text !== '(') throw new Error(`found '${open.text}' expected: '('`)
  const values: string[] = []
  for (;;) {
    const { kind, text } = peek()
    values.push(kind === 'word' ? checkedValue(key, next().text) : '')
    if (kind === 'symbol' && text !== ',' && text !== ')')
      throw new Error(`found '${text}', expected: ',', ')' or identifier`)
    const separator = next()
    if (separator.text === ')') return [...new Set(values)]
    if (separator.text !== ',') throw new Error(`found '${separator.text}', expected: ',' or ')'`)
  }
}

function checkedValue(key: string, value: string): string {
  if (value.length <= 63 && valueShape.test(value)) return value
  throw new Error(
    `values[0][${key}]: Invalid value: ${JSON.stringify(value)}: a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
  )
}
