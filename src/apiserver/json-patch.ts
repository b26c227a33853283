import { errors, type Status } from '../objects/index.ts'
import { bodyLimitBytes } from './body.ts'
import { Refusal } from './refusal.ts'
import { isRecord } from './value.ts'

const operationLimit = 10_000
const names = new Set(['add', 'remove', 'replace', 'move', 'copy', 'test'])

/** Applies an RFC 6902 patch to `target`, which is changed; 400 for a malformed patch, 422 when an operation fails. */
export async function jsonPatcher(patch: unknown): Promise<(target: unknown) => unknown> {
  const { applyPatch, Pointer } = await import('rfc6902')
  const operations = checked(patch)
  return (target) => {
    const holder = { '': target }
    let copied = 0
    for (const operation of operations) {
      // Repeated copies double the document each time; upstream bounds their sum by the body limit as well.
      if (operation.op === 'copy') {
        const source = Pointer.fromJSON(operation.from as string).evaluate(holder['']).value as unknown
        copied += JSON.stringify(source)?.length ?? 0
        if (copied > bodyLimitBytes) throw new Refusal(errors.tooLarge(bodyLimitBytes))
      }
      if (operation.path === '') holder[''] = whole(operation, holder[''])
      else if (!isRecord(holder['']) && !Array.isArray(holder[''])) throw failed(`${operation.path} does not exist`)
      else {
        const [error] = applyPatch(holder[''], [operation as never])
        if (error) throw failed(error.message)
      }
    }
    return holder['']
  }
}

type Operation = { op: string; path: string; from?: unknown; value?: unknown }

function checked(patch: unknown): Operation[] {
  if (!Array.isArray(patch))
    throw new Refusal(errors.badRequest('error decoding patch: a JSON patch is a list of operations'))
  if (patch.length > operationLimit) throw new Refusal(errors.tooLarge(operationLimit))
  for (const [index, item] of patch.entries()) {
    const where = `error decoding patch: operation ${index}`
    if (!isRecord(item) || !names.has(item.op as string)) throw new Refusal(errors.badRequest(`${where}: unknown "op"`))
    for (const key of item.op === 'move' || item.op === 'copy' ? ['path', 'from'] : ['path']) {
      if (typeof item[key] !== 'string' || !/^(\/([^~]|~[01])*)?$/.test(item[key]))
        throw new Refusal(errors.badRequest(`${where}: "${key}" is not a JSON pointer`))
      if (/(^|\/)(__proto__|constructor|prototype)(\/|$)/.test(item[key]))
        throw new Refusal(errors.badRequest(`${where}: "${key}" names a field that is not allowed`))
    }
    if (['add', 'replace', 'test'].includes(item.op as string) && item.value === undefined)
      throw new Refusal(errors.badRequest(`${where}: "value" is missing`))
  }
  return patch as Operation[]
}

function whole(operation: Operation, target: unknown): unknown {
  switch (operation.op) {
    case 'add':
    case 'replace':
      return operation.value
    case 'test':
      if (JSON.stringify(operation.value) === JSON.stringify(target)) return target
      throw failed('testing path "" failed')
    default:
      throw failed(`${operation.op} of the whole document is not possible`)
  }
}

/** 422 as upstream words it, with the cause at its end. */
function failed(cause: string): Refusal {
  const status: Status = {
    apiVersion: 'v1',
    kind: 'Status',
    metadata: {},
    status: 'Failure',
    message: `the server rejected our request due to an error in our request: ${cause}`,
    reason: 'Invalid',
    details: { causes: [{ reason: 'UnexpectedServerResponse', message: cause }] },
    code: 422,
  }
  return new Refusal(status)
}
