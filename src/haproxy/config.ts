/** A configuration file of HAProxy 2.6 as data: sections in order, each a list of lines, each line a list of words. */
export interface Config {
  readonly sections: readonly Section[]
}

export interface Section {
  readonly keyword: 'global' | 'ring' | 'userlist' | 'defaults' | 'frontend' | 'listen' | 'backend'
  /** Required for rings, frontends and backends: letters, digits and `-_.:`. */
  readonly name?: string
  /** One line that says where the section comes from. */
  readonly comment?: string
  readonly lines: readonly Line[]
}

/** The words of a line, unquoted. */
export type Line = readonly string[]

/** The text of a configuration. Throws on names and words that no configuration can say, which is a mistake of the caller. */
export function renderConfig({ sections }: Config): string {
  return sections.map(renderSection).join('\n')
}

/** A section that cannot be said; `comment` is the section's. */
export class SectionFault extends TypeError {
  readonly comment: string | undefined

  constructor(message: string, comment: string | undefined) {
    super(message)
    this.comment = comment
  }
}

function renderSection({ keyword, name, comment, lines }: Section): string {
  if (name !== undefined && !/^[\w.:-]+$/.test(name))
    throw new SectionFault(`"${name}" is no name of a ${keyword}`, comment)
  const head = name === undefined ? keyword : `${keyword} ${name}`
  const told = comment === undefined ? [] : [`# ${comment.replace(/\s+/g, ' ')}`]
  try {
    return [...told, head, ...lines.map((line) => `    ${line.map(quote).join(' ')}`), ''].join('\n')
  } catch (error) {
    throw new SectionFault((error as Error).message, comment)
  }
}

/** The comment of the section that a line (from 1) of a rendered configuration belongs to. */
export function findComment(config: string, line: number): string | undefined {
  const before = config.split('\n').slice(0, line).reverse()
  const head = before.findIndex((one) => /^\w/.test(one))
  return head < 0 ? undefined : /^# (.*)/.exec(before[head + 1] ?? '')?.[1]
}

/** A word in the strong quotes of HAProxy where it needs them (Configuration Manual 2.2): nothing inside them is expanded. */
export function quote(word: string): string {
  if (/[\n\r\0]/.test(word)) throw new TypeError(`${JSON.stringify(word)} does not fit into a line`)
  if (word !== '' && /^[^\s#"'\\$]+$/.test(word)) return word
  return `'${word.replaceAll("'", `'\\''`)}'`
}
