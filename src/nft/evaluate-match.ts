import { evaluate, type Scene, toNumber } from './evaluate.ts'
import { partTypes } from './fields.ts'
import type { Statement } from './language.ts'
import { compareValues, parseRange, valueBytes } from './value-text.ts'
import type { ValueType } from './value-type.ts'

type Match = Extract<Statement, { kind: 'match' }>

/** Whether a match holds, with the value that it looked at; undefined when the packet has no such value. */
export function evaluateMatch(
  scene: Scene,
  match: Match,
): { readonly holds: boolean; readonly value: string } | undefined {
  const { left, operator, right } = match
  const parts = evaluate(scene, left)
  if (parts === undefined) return undefined
  const value = parts.join(' . ')
  if (typeof right === 'object' && 'set' in right) {
    const found = scene.findSet(right.set).find(value) !== undefined
    return { holds: found === (operator === '=='), value }
  }
  const types = partTypes(left)
  if (typeof right === 'object') {
    const found = right.of.some((key) => inKey(types, parts, key))
    return { holds: found === (operator === '=='), value }
  }
  const [type] = types
  const [part] = parts
  if (type === undefined || part === undefined) return undefined
  return { holds: compareConstant(match, type, part, right), value }
}

/** Whether values lie in a key of an anonymous set, part by part. */
export function inKey(types: readonly ValueType[], parts: readonly string[], key: string): boolean {
  return key.split(' . ').every((text, i) => {
    const type = types[i]
    const part = parts[i]
    return type !== undefined && part !== undefined && inRange(type, part, text)
  })
}

function inRange(type: ValueType, part: string, text: string): boolean {
  const bytes = bytesOfValue(type, part)
  const { low, high } = parseRange(type, text)
  return compareValues(type, low, bytes) <= 0 && compareValues(type, bytes, high) <= 0
}

function bytesOfValue(type: ValueType, text: string): Uint8Array {
  return text === '""' ? new Uint8Array(type.size) : valueBytes(type, text)
}

function compareConstant({ left, operator }: Match, type: ValueType, part: string, right: string): boolean {
  if (left.kind === 'fib' && (part === 'missing' || part === 'exists')) {
    if (right === 'missing' || right === 'exists') return (part === right) === (operator === '==')
    return (part === 'missing' && right === '0') === (operator === '==')
  }
  if (operator === '==' && type.bitmask !== undefined && left.kind !== 'bitwise') {
    return (toNumber(type, part) & toNumber(type, right)) !== 0
  }
  const wildcard = type.name === 'ifname' ? /^"?([^"*]+)\*"?$/.exec(right)?.[1] : undefined
  if (wildcard !== undefined) return part.startsWith(`"${wildcard}`) === (operator === '==')
  if (operator === '==' || operator === '!=') return inRange(type, part, right) === (operator === '==')
  const order = compareValues(type, bytesOfValue(type, part), valueBytes(type, right))
  switch (operator) {
    case '<':
      return order < 0
    case '<=':
      return order <= 0
    case '>':
      return order > 0
    case '>=':
      return order >= 0
    default:
      return operator satisfies never
  }
}
