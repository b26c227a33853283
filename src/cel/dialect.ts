const placeholder = 'item__'

/**
 * An expression as the evaluator understands it; text in quotes stays as it is.
 * - `has(LIST[0].field)` becomes `[LIST[0]].exists(item__, has(item__.field))`: the evaluator takes only fields of a variable in
 *   `has`, the language (cel-spec, "Macros") and Kubernetes' own schemas take fields of any expression.
 * - `matches` becomes `matchesRe2`, since the evaluator's own speaks JavaScript's regular expressions and the language RE2.
 */
export function toDialect(expression: string): string {
  let result = ''
  let at = 0
  while (at < expression.length) {
    const quoted = endOfString(expression, at)
    if (quoted > at) {
      result += expression.slice(at, quoted)
      at = quoted
      continue
    }
    const call = /\w/.test(expression[at - 1] ?? ' ')
      ? null
      : /^(?:has|matches)\s*\(/.exec(expression.slice(at, at + 16))
    if (call?.[0].startsWith('matches')) {
      result += 'matchesRe2('
      at += call[0].length
    } else if (call !== null && expression[at - 1] !== '.') {
      const start = at + call[0].length
      const end = closing(expression, start)
      result += widened(expression.slice(start, end))
      at = end + 1
    } else {
      result += expression[at]
      at++
    }
  }
  return result
}

function widened(argument: string): string {
  const fields = /(\s*\.\s*[A-Za-z_]\w*)+\s*$/.exec(argument)?.[0] ?? ''
  const base = argument.slice(0, argument.length - fields.length)
  if (fields === '' || /^\s*[A-Za-z_]\w*\s*$/.test(base)) return `has(${argument})`
  return `[${toDialect(base)}].exists(${placeholder}, has(${placeholder}${fields}))`
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
