import { findAddress } from '../addr/index.ts'
import type { Because } from '../cluster/index.ts'
import type { Answer, End } from './answer.ts'
import { type Assertion, isUrl } from './assertion.ts'
import { explainConnection } from './connection.ts'
import { EndFinder, fullKind } from './named-ends.ts'
import { explainRequestWay } from './request-way.ts'
import type { Setting } from './setting.ts'

export interface CheckResult {
  readonly assertion: Assertion
  /** `broken`: it cannot be judged, because something that it names is not there. */
  readonly outcome: 'passed' | 'failed' | 'broken'
  readonly says: string
  /** What decides it, as `plumb why` names it. */
  readonly because?: Because
}

/** Holds assertions against what connections and requests become; of workloads one pod on each node is asked. */
export function check(setting: Setting, assertions: readonly Assertion[]): readonly CheckResult[] {
  const finder = new EndFinder(setting)
  return assertions.map((assertion) => judge(setting, finder, assertion))
}

function judge(setting: Setting, finder: EndFinder, assertion: Assertion): CheckResult {
  const from = finder.find(assertion.from)
  const to = isUrl(assertion.to) ? undefined : finder.find(assertion.to)
  const via = assertion.via === undefined ? undefined : viaOf(finder, assertion.via)
  for (const wrong of [from, to, via])
    if (typeof wrong === 'string') return { assertion, outcome: 'broken', says: wrong }
  if (typeof from === 'string' || typeof to === 'string' || typeof via === 'string') throw new Error('told above')
  if (from.ends[0]?.kind === 'service')
    return {
      assertion,
      outcome: 'broken',
      says: `${assertion.from} sends nothing; write a pod, workload, node or address`,
    }
  const unasked = from.more + (to?.more ?? 0)
  const note = unasked > 0 ? `; ${unasked} more nodes have such pods and were not asked` : ''
  let last: Answer | undefined
  for (const source of from.ends) {
    for (const target of to?.ends ?? [undefined]) {
      if (target !== undefined && isSame(source, target) && from.ends.length * (to?.ends.length ?? 1) > 1) continue
      const answer = ask(setting, assertion, source, target)
      last = answer
      const because = answer.verdict.because
      const wrong = findDifference(setting, assertion, via?.object, answer)
      if (wrong === undefined) continue
      const who = from.ends.length > 1 && source.kind === 'pod' ? ` (from pod/${source.namespace}/${source.name})` : ''
      return { assertion, outcome: 'failed', says: `${wrong}${who}`, because }
    }
  }
  if (last === undefined)
    return { assertion, outcome: 'broken', says: `${assertion.from} and ${assertion.to} are one pod` }
  const { says, because } = last.verdict
  return { assertion, outcome: 'passed', says: `${says}${note}`, because }
}

function ask(setting: Setting, assertion: Assertion, from: End, to: End | undefined): Answer {
  const { snapshot, gateways, facts } = setting
  const { family, port, protocol = 'tcp' } = assertion
  const own = family === undefined ? {} : { family }
  if (to !== undefined) {
    const question = { from, to, transport: protocol, ...own, ...(port === undefined ? {} : { port }) }
    return explainConnection(snapshot, question, facts)
  }
  const { to: url, method, headers = {}, sni } = assertion
  const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])
  const request = {
    url,
    headers: Object.fromEntries(lower),
    ...own,
    ...(method === undefined ? {} : { method }),
    ...(sni === undefined ? {} : { sni }),
  }
  return explainRequestWay(snapshot, from, request, gateways, facts)
}

/** In what the answer is not what was expected. */
function findDifference(
  { workloadOf }: Setting,
  { expect, exit, route }: Assertion,
  via: string | undefined,
  answer: Answer,
): string | undefined {
  const { verdict, steps, branches } = answer
  const got = verdict.kind === 'deny' ? 'deny' : 'allow'
  const { object, field } = verdict.because
  if (got !== expect) return `${got === 'deny' ? 'denied' : 'allowed'}: ${verdict.says} (${object} ${field})`
  const all = [...steps, ...branches.flatMap((one) => one.steps)]
  const met = new Set([
    verdict.because.object,
    ...all.flatMap(({ because, node }) => [because?.object ?? '', `node/${node}`]),
  ])
  for (const { endpoint } of branches)
    if (endpoint.pod !== undefined) met.add(`pod/${endpoint.pod}`).add(workloadOf.get(endpoint.pod) ?? '')
  if (route !== undefined && object !== route) return `taken by ${object} ${field}, not by ${route}`
  if (via !== undefined && !met.has(via)) return `does not lead over ${via}: ${verdict.says}`
  if (exit === undefined) return undefined
  const seen =
    branches.length > 0
      ? branches.flatMap(({ seenAs }) => seenAs ?? [])
      : [answer.seenAs ?? 'an address that no object tells']
  const other = seen.find((address) => address !== findAddress(exit))
  return other === undefined && seen.length > 0 ? undefined : `leaves as ${other ?? 'nobody'}, not as ${exit}`
}

/** How steps name the object. Pods, Services and nodes that are not there are mistakes, and no differences. */
function viaOf(finder: EndFinder, text: string): { readonly object: string } | string {
  const object = fullKind(text)
  const found = /^(pod|service|node)\//.test(object) ? finder.find(object) : undefined
  return typeof found === 'string' ? found : { object }
}

function isSame(a: End, b: End): boolean {
  return a.kind === 'pod' && b.kind === 'pod' && a.name === b.name && a.namespace === b.namespace
}
