import { errors, type Kind, type Shape, schemaOf } from '../objects/index.ts'
import { mediaType, parseJson } from './body.ts'
import { jsonPatcher } from './json-patch.ts'
import { applyMergePatch } from './merge-patch.ts'
import { Refusal } from './refusal.ts'
import { applyStrategicMergePatch } from './strategic-merge.ts'
import { isRecord } from './value.ts'

const jsonPatch = 'application/json-patch+json'
const mergePatch = 'application/merge-patch+json'
const strategicPatch = 'application/strategic-merge-patch+json'
/** Server-side apply: the body is a configuration, not a change. */
export const applyPatch = 'application/apply-patch+yaml'

/** A patch that was read: makes the new value of a private copy of the stored one. */
export interface Patch {
  readonly apply: (value: unknown) => unknown
  /** Its text, for the words of a refusal. */
  readonly text: string
}

/** Reads the body of a PATCH; 415 for a type that this resource does not take. */
export async function readPatch(kind: Kind, body: Buffer, contentType: string | undefined): Promise<Patch> {
  const shape = shapeOf(kind)
  const type = mediaType(contentType)
  const text = body.toString()
  switch (type) {
    case jsonPatch:
      return { apply: await jsonPatcher(parseJson(body)), text }
    case mergePatch: {
      const patch = recordOf(parseJson(body))
      return { apply: (value) => applyMergePatch(value, structuredClone(patch)), text }
    }
    case strategicPatch: {
      if (shape === undefined) throw new Refusal(errors.unsupportedMediaType([jsonPatch, mergePatch, applyPatch]))
      const patch = recordOf(parseJson(body))
      return { apply: (value) => applyStrategicMergePatch(value, structuredClone(patch), shape), text }
    }
    default: {
      const served = shape === undefined ? [jsonPatch, mergePatch] : [jsonPatch, mergePatch, strategicPatch]
      throw new Refusal(errors.unsupportedMediaType([...served, applyPatch]))
    }
  }
}

function shapeOf(kind: Kind): Shape | undefined {
  const schema = schemaOf(kind)
  return schema === undefined ? undefined : { kind: 'struct', type: schema.key }
}

function recordOf(patch: unknown): unknown {
  if (isRecord(patch)) return patch
  throw new Refusal(errors.badRequest('error decoding patch: a merge patch of an object must be an object'))
}
