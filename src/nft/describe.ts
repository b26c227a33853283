import type { MessageSource } from './encode.ts'
import type { Operation } from './language.ts'
import { renderRule } from './render-rule.ts'

/** An operation in words, for error messages: `add rule ip plumb pre: meta priority vmap @classes`. */
export function describeOperation(operation: Operation): string {
  const where = `${operation.family} ${operation.table}`
  switch (operation.kind) {
    case 'add-table':
      return `add table ${where}`
    case 'delete-table':
    case 'destroy-table':
      return `delete table ${where}`
    case 'add-chain':
      return `add chain ${where} ${operation.chain.name}`
    case 'flush-chain':
      return `flush chain ${where} ${operation.chain}`
    case 'delete-chain':
      return `delete chain ${where} ${operation.chain}`
    case 'add-rule':
      return `add rule ${where} ${operation.chain}: ${renderRule(operation.family, operation.rule)}`
    case 'add-set':
      return `add ${operation.set.value === undefined ? 'set' : 'map'} ${where} ${operation.set.name}`
    case 'add-flowtable':
      return `add flowtable ${where} ${operation.flowtable.name} on ${operation.flowtable.devices.join(', ')}`
    case 'delete-set':
      return `delete set ${where} ${operation.set}`
    case 'flush-set':
      return `flush set ${where} ${operation.set}`
    case 'add-elements':
    case 'delete-elements':
      return describeElements(operation, 0, operation.elements.length)
    default:
      return operation satisfies never
  }
}

/** What one message of a transaction does, in words: the operation, or the elements of it that the message carries. */
export function describeSource(operation: Operation, source: MessageSource): string {
  return 'elements' in operation && source.firstElement !== undefined
    ? describeElements(operation, source.firstElement, source.elementCount ?? 1)
    : describeOperation(operation)
}

function describeElements(
  operation: Extract<Operation, { kind: 'add-elements' | 'delete-elements' }>,
  first: number,
  count: number,
): string {
  const { family, table, set, elements } = operation
  const [verb, word] = operation.kind === 'add-elements' ? ['add', 'to'] : ['delete', 'from']
  const where = `${word} ${set.value === undefined ? 'set' : 'map'} ${family} ${table} ${set.name}`
  const element = elements[first]
  if (count === 1 && element !== undefined) {
    const value = element.value === undefined || verb === 'delete' ? '' : ` : ${element.value}`
    return `${verb} element ${element.key}${value} ${where}`
  }
  return `${verb} ${count} elements (${element?.key ?? 'none'} …) ${where}`
}
