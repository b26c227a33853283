import { findAddress } from '../addr/index.ts'
import type { EndpointSlice, Service } from '../objects/index.ts'
import type { Finding, Hashing } from './model.ts'

/** On a Service: `random`, `maglev` (by the client's address and port) or `maglev-source-address`. */
const balancingAnnotation = 'plumb.network/load-balancing'
/** On a slice: the weight of all its endpoints. */
const weightAnnotation = 'plumb.network/weight'
/** On a slice: `ADDRESS=WEIGHT,…`, as the EndpointSlice controller writes it for pods that are annotated with a weight. */
const weightsAnnotation = 'plumb.network/weights'

const maxWeight = 100

/** How a Service wants its connections spread; by chance unless told. */
export function hashingOf({ metadata, spec }: Service, object: string, findings: Finding[]): Hashing | undefined {
  const value = metadata.annotations?.[balancingAnnotation]
  if (value === undefined || value === 'random') return undefined
  const field = `metadata.annotations[${balancingAnnotation}]`
  const because = { object, field, value }
  if (value !== 'maglev' && value !== 'maglev-source-address') {
    const says = `"${value}" is no way of load balancing: connections are spread by chance`
    findings.push({
      code: 'UnknownLoadBalancing',
      object,
      field,
      says,
      try: 'write random, maglev or maglev-source-address',
    })
    return undefined
  }
  if (spec.sessionAffinity === 'ClientIP') {
    const says = 'sessionAffinity ClientIP decides instead'
    findings.push({ code: 'LoadBalancingIgnored', object, field, says, try: 'set sessionAffinity to None' })
    return undefined
  }
  return { by: value === 'maglev' ? 'connection' : 'source-address', because }
}

/** The weights of a slice's endpoints by address; 1 unless told, and what cannot be read is a finding and counts as 1. */
export function weightsOf({ metadata }: EndpointSlice): (address: string) => number {
  const { annotations } = metadata
  const all = readWeight(annotations?.[weightAnnotation]) ?? 1
  const text = annotations?.[weightsAnnotation]
  if (text === undefined) return all === 1 ? one : () => all
  const weights = new Map<string, number>()
  for (const part of text.split(',')) {
    const [address = '', weight] = part.split('=')
    const found = findAddress(address.trim())
    const number = readWeight(weight)
    if (found !== undefined && number !== undefined) weights.set(found, number)
  }
  return (address) => weights.get(address) ?? all
}

/** What is wrong with the weights of a slice. */
export function weightFindings({ metadata }: EndpointSlice, object: string): Finding[] {
  const { annotations } = metadata
  const all = annotations?.[weightAnnotation]
  const each = annotations?.[weightsAnnotation]
  const wrong = (annotation: string, value: string, remedy: string): Finding => ({
    code: 'BrokenWeight',
    object,
    field: `metadata.annotations[${annotation}]`,
    says: `"${value}" gives no weight from 0 to ${maxWeight}: it counts as 1`,
    try: remedy,
  })
  const findings: Finding[] = []
  if (all !== undefined && readWeight(all) === undefined) {
    findings.push(wrong(weightAnnotation, all, `write a whole number from 0 to ${maxWeight}`))
  }
  const part = each?.split(',').find((one) => {
    const [address = '', weight] = one.split('=')
    return findAddress(address.trim()) === undefined || readWeight(weight) === undefined
  })
  if (part !== undefined) findings.push(wrong(weightsAnnotation, part, 'write ADDRESS=WEIGHT, several with commas'))
  return findings
}

const one = (): number => 1

function readWeight(text: string | undefined): number | undefined {
  if (text === undefined || !/^\s*\d{1,3}\s*$/.test(text)) return undefined
  const weight = Number(text)
  return weight <= maxWeight ? weight : undefined
}
