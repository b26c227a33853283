import { type Family, families } from '../addr/index.ts'
import type { Because, Finding, Snapshot } from '../cluster/index.ts'
import { type GatewayModel, hostText, type RequestAnswer } from '../gateways/index.ts'
import { nodeAddresses } from '../pods/index.ts'
import type { Answer, End, Question, Step } from './answer.ts'
import { base, type ClusterFacts } from './asked.ts'
import { explainConnection } from './connection.ts'
import { findPlainService, sayPlain } from './plain-service.ts'
import { requestBranches, requestVerdict } from './request-branches.ts'
import { routeByPort, sayEntrance } from './request-entrance.ts'
import { findGate, type Gate } from './request-gate.ts'

/** An HTTP request as a client sends it. */
export interface RequestAsked {
  readonly url: string
  readonly method?: string
  /** By name in lower case. */
  readonly headers?: Readonly<Record<string, string>>
  /** Unless told, the URL's host; empty for a client that sends none. */
  readonly sni?: string
  /** By which the client connects; the first that both ends have unless told. */
  readonly family?: Family
}

/**
 * Which way an HTTP request goes through an Ingress or Gateway: to a node, by the rule that takes it, to the pods behind it; and
 * why the other rules did not take it. `url` is one that `URL` reads.
 */
export function explainRequestWay(
  snapshot: Snapshot,
  from: End,
  asked: RequestAsked,
  model: GatewayModel,
  facts: ClusterFacts,
): Answer {
  const { protocol, hostname, port, pathname, searchParams } = new URL(asked.url)
  const tls = protocol === 'https:'
  const question: Question = {
    from,
    to: { kind: 'name', name: asked.url },
    transport: 'tcp',
    ...(asked.family === undefined ? {} : { family: asked.family }),
  }
  const host = asked.headers?.host ?? hostname
  const request = {
    host,
    path: pathname,
    query: Object.fromEntries(searchParams),
    ...(tls ? { sni: asked.sni ?? hostname } : {}),
    ...(asked.method === undefined ? {} : { method: asked.method }),
    ...(asked.headers === undefined ? {} : { headers: asked.headers }),
  }
  const shown = port === '' ? (tls ? 443 : 80) : Number(port)
  const plain = findPlainService(snapshot, hostname, shown, from.kind === 'pod' ? from.namespace : undefined)
  if (plain !== undefined) {
    const way = explainConnection(snapshot, { ...question, to: plain.to, port: shown }, facts)
    return { ...way, assumptions: [...way.assumptions, sayPlain(plain, hostname)] }
  }
  const { answer: routed, assumptions: chosen } = routeByPort(model, snapshot, request, shown)
  const entry = enter(snapshot, question, routed.entrance?.port ?? shown, facts)
  const before = entry?.answer.steps ?? []
  const node = entry?.node ?? ''
  const steps = [...before, ...requestSteps(routed, node)]
  const findings = findingsOf(model, routed, host)
  const { gate, assumptions: trusted } = findGate(routed, entry?.answer.seenAs, asked.headers ?? {})
  const assumptions = [
    ...base(question).assumptions,
    `the name ${hostname} leads to a node, and the request to the gateway of ${node}`,
    ...chosen,
    ...trusted,
  ]
  const rest = { ...base(question), assumptions, findings }
  if (entry !== undefined && entry.answer.verdict.kind === 'deny')
    return { ...rest, verdict: entry.answer.verdict, steps: before, branches: [] }
  const ended = gate === undefined ? endOf(routed, findings, host) : shut(gate)
  if (ended !== undefined) return { ...rest, verdict: ended, steps, branches: [] }
  const { branches, unanswered } = requestBranches(snapshot, routed, model, node, facts)
  return { ...rest, verdict: requestVerdict(routed, branches, unanswered), steps, branches }
}

function shut({ status, says, because }: Gate): Answer['verdict'] {
  return { kind: 'deny', says: `the gateway answers ${status} itself: ${says}`, because }
}

/** The way to a node's gateway; the first node by name, for no object says to which one the network hands it. */
function enter(
  snapshot: Snapshot,
  { from, family }: Question,
  port: number,
  facts: ClusterFacts,
): { node: string; answer: Answer } | undefined {
  const [first] = [...snapshot.nodes.values()].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  if (first === undefined) return undefined
  const asked = from.kind === 'address' ? (from.address.includes(':') ? 6 : 4) : undefined
  const wanted = family ?? asked
  const addresses = nodeAddresses(first)
  const address = families.flatMap((one) => (wanted === undefined || one === wanted ? (addresses[one] ?? []) : []))[0]
  if (address === undefined) return undefined
  const answer = explainConnection(snapshot, { from, to: { kind: 'address', address }, transport: 'tcp', port }, facts)
  return { node: first.metadata.name, answer }
}

function requestSteps({ entrance, listener, lost, ...answer }: RequestAnswer, node: string): Step[] {
  const step = (says: string, because?: Because): Step => ({
    stage: 'request',
    node,
    says,
    ...(because === undefined ? {} : { because }),
  })
  const rule = 'rule' in answer ? answer.rule : undefined
  return [
    ...(entrance === undefined
      ? []
      : [step(`${sayEntrance(entrance)} listens on ${entrance.shownPort} (${entrance.protocol})`, entrance.because)]),
    ...(listener === undefined || listener.host.kind === 'any'
      ? []
      : [step(`listener ${hostText(listener.host)} takes the name`, listener.because)]),
    ...lost.slice(0, 5).map((one) => step(`not taken: ${one.says}`, one.because)),
    ...(rule === undefined
      ? []
      : [step(`${rule.path.kind} ${rule.path.value || '/'} takes the request`, rule.because)]),
  ]
}

/** Of findings about the objects of a request the one that explains its end: about the rule that took it, or, where none did, about no single rule. */
export function decisiveFinding(findings: readonly Finding[], rule: Because | undefined): Finding | undefined {
  if (rule === undefined) return findings.find(({ field }) => !/rules\[|paths\[|tls/.test(field))
  // A rule of a route is named by the match that took the request, and what is wrong with it lies beside the matches.
  const place = rule.field.replace(/\.matches\[\d+\]$/, '')
  return findings.find(({ object, field }) => object === rule.object && field.startsWith(place))
}

/** What keeps a request from any pod. */
function endOf(routed: RequestAnswer, findings: readonly Finding[], host: string): Answer['verdict'] | undefined {
  if (routed.kind === 'forwarded' || routed.kind === 'stream') return undefined
  const rule = 'rule' in routed ? routed.rule : undefined
  const status = routed.kind === 'answered' ? `the gateway answers ${routed.status} itself` : 'the connection is closed'
  const finding = decisiveFinding(findings, rule?.because)
  const because = rule?.because ??
    routed.lost[0]?.because ?? {
      object: finding?.object ?? `request/${host}`,
      field: finding?.field ?? 'host',
      value: host,
    }
  const kind = routed.kind === 'answered' && routed.status < 400 ? 'allow' : 'deny'
  return {
    kind,
    says: `${status}: ${finding?.says ?? routed.says}`,
    because: finding === undefined ? because : { object: finding.object, field: finding.field, value: '' },
  }
}

function findingsOf(model: GatewayModel, routed: RequestAnswer, host: string): readonly Finding[] {
  const rule = 'rule' in routed ? routed.rule : undefined
  const objects = [rule?.because.object, ...routed.lost.map(({ because }) => because.object)]
  return model.findings.filter(({ object, says }) => objects.includes(object) || says.includes(host))
}
