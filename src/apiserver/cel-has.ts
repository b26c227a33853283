const placeholder = 'item__'

/**
 * Rewrites `has(LIST[0].field)` to `[LIST[0]].exists(item__, has(item__.field))`: the evaluator takes only fields of a variable in `has`,
 * the language (cel-spec, "Macros") and Kubernetes' own schemas take fields of any expression. Text in quotes stays as it is.
 */
export function widenHas(expression: string): string {
  let result = ''
  let at = 0
  while (at < expression.length) {
    const quoted = endOfString(expression, at)
    if (quoted > at) {
      result += expression.slice(at, quoted)
      at = quoted
      continue
    }
    const call = /^has\s*\(/.exec(expression.slice(at, at + 16))
    if (call === null || /[\w.]/.test(expression[at - 1] ?? ' ')) {
      result += expression[at]
      at++
      continue
    }
    const start = at + call[0].length
    const end = closing(expression, start)
    result += widened(expression.slice(start, end))
    at = end + 1
  }
  return result
}

function widened(argument: string): string {
  const fields = /(\s*\.\s*[A-Za-z_]\w*)+\s*$/.exec(argument)?.[0] ?? ''
  const base = argument.slice(0, argument.length - fields.length)
  if (fields === '' || /^\s*[A-Za-z_]\w*\s*$/.test(base)) return `has(${argument})`
  return `[${widenHas(base)}].exists(${placeholder}, has(${placeholder}${fields}))`
}

/** Where the parenthesis closes that was opened just before; the end of the text when it never does. */
function closing(text: string, from: number): number {
  let depth = 1
  let at = from
  while (at < text.length) {
    const quoted = endOfString(text, at)
    if (quoted > at) {
      at = quoted
      continue
    }
    if (text[at] === '(') depth++
    if (text[at] === ')' && --depth === 0) return at
    at++
  }
  return at
}

/** The place after the string literal that begins here; the same place when none does. */
function endOfString(text: string, at: number): number {
  const literal = /^(?:"""[\s\S]*?"""|'''[\s\S]*?'''|"(?:\\[\s\S]|[^"\\\n])*"|'(?:\\[\s\S]|[^'\\\n])*')/
  const first = text[at]
  if (first !== '"' && first !== "'") return at
  return at + (literal.exec(text.slice(at))?.[0].length ?? 0)
}
