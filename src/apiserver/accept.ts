import { errors } from '../objects/index.ts'
import { Refusal } from './refusal.ts'

/** One entry of an Accept header. */
export interface Media {
  readonly type: string
  readonly parameters: Readonly<Record<string, string>>
}

/** How objects are shown. */
export type Form =
  | { readonly kind: 'json' }
  | { readonly kind: 'yaml' }
  | { readonly kind: 'table'; readonly version: 'v1' | 'v1beta1' }
  | { readonly kind: 'partial'; readonly version: 'v1' | 'v1beta1' }

/** The entries of an Accept header in the client's order; quality values are not weighed, as upstream. */
export function parseAccept(header: string | undefined): Media[] {
  return (header ?? '*/*')
    .slice(0, 4096)
    .split(',')
    .map((item) => {
      const [type = '', ...rest] = item.split(';').map((part) => part.trim())
      const parameters: Record<string, string> = {}
      for (const part of rest) {
        const at = part.indexOf('=')
        if (at > 0) parameters[part.slice(0, at).trim()] = part.slice(at + 1).trim()
      }
      return { type: type.toLowerCase(), parameters }
    })
}

const served = [
  'application/json',
  'application/json;as=Table;v=v1;g=meta.k8s.io',
  'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
  'application/yaml',
]

/** The first form that the client accepts and that is served; 406 when there is none. */
export function negotiate(header: string | undefined, streaming = false): Form {
  for (const media of parseAccept(header)) {
    const form = formOf(media, streaming)
    if (form !== undefined) return form
  }
  throw new Refusal(errors.notAcceptable(served))
}

function formOf({ type, parameters }: Media, streaming: boolean): Form | undefined {
  if (type === '' || type === '*/*' || type === 'application/*') return { kind: 'json' }
  if (type === 'application/yaml') return streaming ? undefined : { kind: 'yaml' }
  if (type !== 'application/json') return undefined
  const { as, g, v } = parameters
  if (as === undefined) return { kind: 'json' }
  if (g !== 'meta.k8s.io' || (v !== 'v1' && v !== 'v1beta1')) return undefined
  if (as === 'Table') return { kind: 'table', version: v }
  if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') return { kind: 'partial', version: v }
  return undefined
}
