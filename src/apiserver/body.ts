import type { IncomingMessage } from 'node:http'
import { decodeProtobuf, errors, ProtobufError, protobufType } from '../objects/index.ts'
import { Refusal } from './refusal.ts'

/** The largest body that is read, in bytes; kube-apiserver's bound. */
export const bodyLimitBytes = 3 * 1024 * 1024
/** Deeper values are refused: encoding them again would exhaust the stack. */
const depthLimit = 400

/** The whole body; refused with 413 beyond the limit. */
export async function readBody(request: IncomingMessage, limitBytes = bodyLimitBytes): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) throw new Refusal(errors.tooLarge(limitBytes))
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += (chunk as Buffer).length
    if (size > limitBytes) throw new Refusal(errors.tooLarge(limitBytes))
    chunks.push(chunk as Buffer)
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
}

/** The media type of a Content-Type header, without parameters, in lower case. */
export function mediaType(header: string | undefined): string {
  return (header ?? '').split(';', 1)[0]!.trim().toLowerCase()
}

/** The value of a JSON, YAML or protobuf body; 415 for another type, 400 with the parser's words when it cannot be read. */
export async function parseBody(body: Buffer, contentType: string | undefined): Promise<unknown> {
  const type = mediaType(contentType)
  if (type === '' || type === 'application/json' || type === '*/*') return parseJson(body)
  if (type === 'application/yaml' || type === 'text/yaml' || type === 'application/x-yaml') return parseYaml(body)
  if (type === protobufType) return parseProtobuf(body)
  throw new Refusal(errors.unsupportedMediaType(['application/json', 'application/yaml', protobufType]))
}

/** The value of a protobuf body, as its JSON would be; 415 for kinds that have no protobuf form. */
function parseProtobuf(body: Buffer): unknown {
  try {
    return bounded(decodeProtobuf(body).object)
  } catch (error) {
    if (!(error instanceof ProtobufError)) throw error
    if (error.reason === 'unknown-kind')
      throw new Refusal(errors.unsupportedMediaType(['application/json', 'application/yaml']))
    throw new Refusal(errors.badRequest(`couldn't decode the protobuf body: ${error.message}`))
  }
}

/** The JSON value of a body, bounded in depth. */
export function parseJson(body: Buffer): unknown {
  let value: unknown
  try {
    value = JSON.parse(body.toString())
  } catch (error) {
    throw new Refusal(errors.badRequest(`couldn't get version/kind; json parse error: ${(error as Error).message}`))
  }
  return bounded(value)
}

/** The YAML value of a body (one document), bounded in depth and aliases. */
export async function parseYaml(body: Buffer): Promise<unknown> {
  const { parse } = await import('yaml')
  try {
    return bounded(parse(body.toString(), { maxAliasCount: 100, logLevel: 'error' }))
  } catch (error) {
    if (error instanceof Refusal) throw error
    throw new Refusal(errors.badRequest(`error converting YAML to JSON: yaml: ${(error as Error).message}`))
  }
}

/** The value itself, when it is not too deep and names no key that JavaScript would take for the prototype. */
function bounded(value: unknown): unknown {
  let level: unknown[] = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > depthLimit)
      throw new Refusal(errors.badRequest(`the body is nested more than ${depthLimit} levels deep`))
    const next: unknown[] = []
    for (const item of level) {
      if (typeof item !== 'object' || item === null) continue
      if (Object.hasOwn(item, '__proto__'))
        throw new Refusal(errors.badRequest('a field may not be called "__proto__"'))
      for (const child of Object.values(item)) if (typeof child === 'object' && child !== null) next.push(child)
    }
    level = next
  }
  return value
}
