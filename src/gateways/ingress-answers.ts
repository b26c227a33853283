import type { AnnotationReader } from './annotation-reader.ts'
import type { Filter, Replacement } from './model.ts'

const word = String.raw`[\x21\x23-\x5b\x5d-\x7e]{1,500}`

/** What pods say of their own address becomes the outer one (`proxy-redirect-*`, `proxy-cookie-*`). */
export function readAnswers(read: AnnotationReader): Filter[] {
  const plain = new RegExp(`^(?!~)${word}$`)
  const from = read.like('proxy-redirect-from', plain, 'the beginning of a URL, or off')
  const to = read.like('proxy-redirect-to', plain, 'the beginning of a URL')
  if (from === 'default')
    read.refuse(
      'proxy-redirect-from',
      'pods have no one address that could be replaced',
      'name the URL',
      'AnnotationIgnored',
    )
  const isRedirect = from !== undefined && to !== undefined && from !== 'off' && from !== 'default' && to !== 'off'
  const domain = pairOf(read, 'proxy-cookie-domain')
  const path = pairOf(read, 'proxy-cookie-path')
  if (!isRedirect && domain === undefined && path === undefined) return []
  return [
    {
      kind: 'answers',
      ...(isRedirect && { location: { from, to } }),
      ...(domain && { domain }),
      ...(path && { path }),
    },
  ]
}

/** Two words as nginx has them, the second in place of the first. */
function pairOf(read: AnnotationReader, name: string): Replacement | undefined {
  const text = read.like(name, new RegExp(`^(off|(?!~)${word} +${word})$`), 'two words, or off')
  const [from, to] = text?.split(/ +/) ?? []
  return from === undefined || to === undefined ? undefined : { from, to }
}
