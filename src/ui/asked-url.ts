/** A path and parameters of which each comes once. */
export interface AskedUrl {
  readonly path: string
  readonly parameters: Readonly<Record<string, string>>
}

/** So many characters a URL may have. */
export const longestUrl = 2048
const longestValue = 512

/** Reads the URL of a request, or tells what is wrong with it. */
export function parseAskedUrl(text: string): AskedUrl | string {
  if (text.length > longestUrl) return `the URL has ${text.length} characters, and ${longestUrl} are the most`
  if (!text.startsWith('/') || !URL.canParse(text, 'http://localhost')) return 'that is no path'
  const { pathname, searchParams } = new URL(text, 'http://localhost')
  const parameters: Record<string, string> = Object.create(null)
  for (const [name, value] of searchParams) {
    if (value.length > longestValue) return `${name} has ${value.length} characters, and ${longestValue} are the most`
    if (Object.hasOwn(parameters, name)) return `${name} is given twice`
    parameters[name] = value
  }
  return { path: pathname, parameters }
}
