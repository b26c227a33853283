import { findAddress } from '../addr/index.ts'
import { type GrantPeer, grantBetween, grantOf, hasPort, type Kin } from '../policies/index.ts'
import type { Transport } from './answer.ts'
import { outsiderAt } from './outside.ts'
import { analyseCast, type Cast } from './workloads.ts'

/** One line of an assertion file: `from` must, or must not, reach `to`. */
export interface Assertion {
  readonly name?: string
  /** `deployment/shop/web`, `pod/shop/web`, or an address outside the cluster. */
  readonly from: string
  readonly to: string
  readonly port: number
  readonly protocol?: Transport
  readonly expect: 'allow' | 'deny'
}

export interface CheckResult {
  readonly assertion: Assertion
  readonly outcome: 'passed' | 'failed' | 'broken'
  readonly says: string
}

/** Reads the parsed content of an assertion file; what is wrong with it is told by item and field. */
export function readAssertions(value: unknown): readonly Assertion[] | string {
  const list = (value as { assertions?: unknown } | null)?.assertions
  if (!Array.isArray(list)) return 'the file needs a list "assertions"'
  for (const [index, one] of list.entries()) {
    const wrong = findMistake(one as Partial<Assertion> | null)
    if (wrong !== undefined) return `assertions[${index}]${wrong}`
  }
  return list as Assertion[]
}

function findMistake(one: Partial<Assertion> | null): string | undefined {
  if (typeof one !== 'object' || one === null) return ' is not an object'
  if (typeof one.from !== 'string') return '.from: write KIND/NAMESPACE/NAME or an address'
  if (typeof one.to !== 'string') return '.to: write KIND/NAMESPACE/NAME or an address'
  const { port, protocol = 'tcp', expect } = one
  if (!Number.isInteger(port) || port! < 1 || port! > 65535) return `.port: ${port} is not a number from 1 to 65535`
  if (!['tcp', 'udp', 'sctp'].includes(protocol)) return `.protocol: ${protocol} is not tcp, udp or sctp`
  return expect === 'allow' || expect === 'deny' ? undefined : `.expect: ${expect} is neither allow nor deny`
}

/** Holds assertions against what the policies of manifests say. */
export function check(cast: Cast, assertions: readonly Assertion[]): readonly CheckResult[] {
  const analysis = analyseCast(cast)
  const podOf = new Map([...cast.nameOf].map(([pod, name]) => [name, pod]))
  const find = (name: string): Kin | undefined => {
    const pod = podOf.get(name)
    return pod === undefined ? undefined : analysis.find(pod)
  }
  return assertions.map((assertion): CheckResult => {
    const { from, to, port, protocol = 'tcp', expect } = assertion
    const broken = (name: string): CheckResult => {
      return { assertion, outcome: 'broken', says: `there is no ${name} in the manifests, and it is no address` }
    }
    const source = find(from)
    const target = find(to)
    const sourceAddress = findAddress(from)
    const targetAddress = findAddress(to)
    if (source === undefined && sourceAddress === undefined) return broken(from)
    if (target === undefined && targetAddress === undefined) return broken(to)
    const outside = (address: typeof sourceAddress): GrantPeer =>
      address === undefined ? { selections: undefined } : outsiderAt(cast, address)
    const grant =
      source !== undefined && target !== undefined
        ? grantBetween(source, target)
        : source !== undefined
          ? grantOf(source.egress, outside(targetAddress), [])
          : target !== undefined
            ? grantOf(target.ingress, outside(sourceAddress), target.ports)
            : ({ kind: 'all' } as const)
    const got = hasPort(grant, protocol, port) ? 'allow' : 'deny'
    const says = `${from} → ${to}:${port}/${protocol}: ${got === 'allow' ? 'allowed' : 'denied'}`
    return { assertion, outcome: got === expect ? 'passed' : 'failed', says }
  })
}

/** The results as JUnit XML, which CI systems read. */
export function renderJunit(results: readonly CheckResult[]): string {
  const failed = results.filter(({ outcome }) => outcome === 'failed').length
  const broken = results.filter(({ outcome }) => outcome === 'broken').length
  const cases = results.map(({ assertion, outcome, says }) => {
    const head = `    <testcase classname="plumb.check" name="${escapeXml(nameOf(assertion))}"`
    if (outcome === 'passed') return `${head}/>`
    const tag = outcome === 'failed' ? 'failure' : 'error'
    return `${head}>\n      <${tag} message="${escapeXml(says)}"/>\n    </testcase>`
  })
  const counts = `tests="${results.length}" failures="${failed}" errors="${broken}"`
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts}>`,
    `  <testsuite name="plumb check" ${counts}>`,
    ...cases,
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n')
}

/** What an assertion is called: its name, or what it says. */
export function nameOf({ name, from, to, port, protocol = 'tcp', expect }: Assertion): string {
  return name ?? `${from} ${expect === 'allow' ? 'reaches' : 'does not reach'} ${to}:${port}/${protocol}`
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
