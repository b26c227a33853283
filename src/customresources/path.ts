/** Reads the values that a simple JSONPath finds in an object, in order. */
export type PathReader = (object: unknown) => unknown[]

type Step = (value: unknown) => unknown[]

const longest = 1024

/**
 * The reader of a JSONPath as printer columns and scale subresources use it: `.a.b`, `['a.b']`, `[0]`, `[*]`, `.a\.b` and
 * `[?(@.type=="Ready")]`. Throws with a reason when the path is something else.
 */
export function readPath(text: string): PathReader {
  if (text.length > longest) throw new Error(`is longer than ${longest} characters`)
  const source = text.replace(/^\{(.*)\}$/s, '$1').replace(/^\$/, '')
  const steps: Step[] = []
  let rest = source
  while (rest !== '') {
    const [step, length] = nextStep(rest)
    steps.push(step)
    rest = rest.slice(length)
  }
  return (object) => steps.reduce<unknown[]>((values, step) => values.flatMap(step), [object])
}

const forms: readonly [RegExp, (match: RegExpExecArray) => Step][] = [
  [/^\.?\[\*\]|^\.\*/, () => every],
  [/^\.?\[(-?\d+)\]/, (match) => (value) => (Array.isArray(value) ? present(value.at(Number(match[1]))) : [])],
  [
    /^\.?\[\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*\]/,
    (match) => member(unescaped(match[1] ?? match[2] ?? '')),
  ],
  [
    /^\.?\[\?\(\s*@((?:\.(?:[^.[\]=!<>\s\\]|\\.)+)+)\s*(==|!=)\s*(?:'([^']*)'|"([^"]*)"|([\w.-]+))\s*\)\]/,
    (match) => filter(match[1] ?? '', match[2] === '==', match[3] ?? match[4] ?? match[5] ?? ''),
  ],
  [/^\.((?:[^.[\]\\]|\\.)+)/, (match) => member(unescaped(match[1] ?? ''))],
]

function nextStep(rest: string): [Step, number] {
  for (const [form, make] of forms) {
    const match = form.exec(rest)
    if (match !== null) return [make(match), match[0].length]
  }
  throw new Error(`cannot be understood at ${JSON.stringify(rest.slice(0, 40))}`)
}

function member(name: string): Step {
  return (value) =>
    typeof value === 'object' && value !== null && Object.hasOwn(value, name)
      ? present((value as Record<string, unknown>)[name])
      : []
}

function filter(path: string, equal: boolean, wanted: string): Step {
  const read = readPath(path)
  return (value) =>
    Array.isArray(value) ? value.filter((item) => read(item).some((found) => String(found) === wanted) === equal) : []
}

const every: Step = (value) =>
  typeof value === 'object' && value !== null ? Object.values(value).flatMap(present) : []

function present(value: unknown): unknown[] {
  return value === undefined || value === null ? [] : [value]
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, '$1')
}
