import { findAddress } from '../addr/index.ts'
import {
  type Answer,
  type ClusterFacts,
  confirm,
  type End,
  explainConnection,
  explainRequestWay,
  observationsOf,
  type Question,
  type RequestAsked,
  rehearse,
  renderAnswer,
  renderDot,
  renderMermaid,
  whySchema,
  withoutAgent,
} from '../explain/index.ts'
import type { GatewayModel } from '../gateways/index.ts'
import { exit, print, say } from './output.ts'
import { type Cluster, factsOf, openCluster } from './read-cluster.ts'

interface WhyOptions {
  name: string
  kubeconfig?: string
  context?: string
  node?: string
  namespace: string
  protocol: 'tcp' | 'udp' | 'sctp' | 'icmp'
  family?: '4' | '6'
  probe: boolean
  schema?: boolean
  method?: string
  header: string[]
  sni?: string
  capsule?: string
  save?: string
  filename: string[]
  output: 'text' | 'json' | 'mermaid' | 'dot'
}

/** `plumb why FROM TO[:PORT]`: exit status 0 when it arrives, 1 when something refuses it, 3 when nobody could be asked. */
export async function runWhy(from: string | undefined, to: string | undefined, options: WhyOptions): Promise<void> {
  if (options.schema === true) {
    print(JSON.stringify(whySchema, null, 2))
    return
  }
  if (from === undefined || to === undefined) {
    say('plumb why: say from where and where to, as in: plumb why pod/client svc/web:80')
    process.exitCode = exit.usage
    return
  }
  if (/^https?:\/\//.test(to)) return toUrl(from, to, options)
  const question = parseQuestion(from, to, options)
  if (typeof question === 'string') {
    say(`plumb why: ${question}`)
    process.exitCode = exit.usage
    return
  }
  if (options.capsule !== undefined) return fromCapsule(question, options.capsule, options.output)
  if (options.filename.length > 0) return fromManifests(question, options.filename, options)
  const cluster = await openCluster('plumb why', options)
  if (cluster === undefined) return
  const { snapshot, client, sight } = cluster
  try {
    const model = explainConnection(snapshot, question, factsOf(cluster))
    const fitting = withoutAgent(model, factsOf(cluster))
    const evidence = await sight.ask(observationsOf(fitting))
    if (options.save !== undefined) await save(options.save, cluster, evidence)
    const confirmed = confirm(fitting, evidence)
    for (const says of sight.blind) say(`plumb why: ${says}`)
    report(options.probe ? await probe(confirmed, cluster) : confirmed, options.output)
  } finally {
    client.close()
  }
}

/** The way of a request through a gateway: by the model, and in a cluster by the kernels on the way. */
async function toUrl(from: string, url: string, options: WhyOptions): Promise<void> {
  const source = parseEnd(from, options.namespace)
  const asked = parseRequest(url, options)
  const mistake = [source, asked].find((one) => typeof one === 'string')
  if (typeof source === 'string' || typeof asked === 'string') {
    say(`plumb why: ${mistake}`)
    process.exitCode = exit.usage
    return
  }
  if (options.filename.length > 0) {
    const { snapshot, gateways, assumptions } = await rehearseFiles(options.filename)
    const answer = explainRequestWay(snapshot, source, asked, gateways, noFacts)
    report({ ...answer, assumptions: [...assumptions, ...answer.assumptions] }, options.output)
    return
  }
  if (options.capsule !== undefined) {
    const { openWhyCapsule } = await import('./why-capsule.ts')
    const { snapshot, facts, gateways, confirmed } = openWhyCapsule(options.capsule)
    if (gateways === undefined)
      throw new Error(`${options.capsule} has no gateways: it answers no questions about URLs`)
    report(confirmed(explainRequestWay(snapshot, source, asked, gateways, facts)), options.output)
    return
  }
  const cluster = await openCluster('plumb why', options)
  if (cluster === undefined) return
  try {
    const { readGateways } = await import('./doctor-request.ts')
    const { model } = await readGateways(cluster)
    const answer = explainRequestWay(cluster.snapshot, source, asked, model, factsOf(cluster))
    const fitting = withoutAgent(answer, factsOf(cluster))
    const evidence = await cluster.sight.ask(observationsOf(fitting))
    if (options.save !== undefined) await save(options.save, cluster, evidence, model)
    report(confirm(fitting, evidence), options.output)
  } finally {
    cluster.client.close()
  }
}

async function save(
  path: string,
  cluster: Cluster,
  evidence: Parameters<typeof confirm>[1],
  gateways?: GatewayModel,
): Promise<void> {
  const { saveWhyCapsule } = await import('./why-capsule.ts')
  const bytes = saveWhyCapsule(path, cluster, evidence, gateways)
  say(`saved to ${path}, ${Math.ceil(bytes / 1024)} KiB; plumb why --capsule ${path} answers from it anywhere`)
}

/** The request in the words of the command line, or what is wrong with it. */
function parseRequest(url: string, { header, method, sni, family }: WhyOptions): RequestAsked | string {
  if (!URL.canParse(url)) return `"${url}" is no URL`
  const wrong = header.find((one) => !one.includes(':'))
  if (wrong !== undefined) return `-H "${wrong}" is not NAME: VALUE`
  const headers = header.map((one) => {
    const colon = one.indexOf(':')
    return [one.slice(0, colon).trim().toLowerCase(), one.slice(colon + 1).trim()]
  })
  return {
    url,
    headers: Object.fromEntries(headers),
    ...(method === undefined ? {} : { method }),
    ...(sni === undefined ? {} : { sni }),
    ...(family === undefined ? {} : { family: family === '4' ? 4 : 6 }),
  }
}

/** Answers from a capsule's objects and from what its kernels said, as far as they were asked the same. */
async function fromCapsule(question: Question, path: string, output: WhyOptions['output']): Promise<void> {
  const { openWhyCapsule } = await import('./why-capsule.ts')
  const { snapshot, facts, confirmed } = openWhyCapsule(path)
  report(confirmed(explainConnection(snapshot, question, facts)), output)
}

/** Answers from manifests, without a cluster: only what is desired is known. */
async function fromManifests(
  question: Question,
  paths: readonly string[],
  { probe, output }: WhyOptions,
): Promise<void> {
  if (probe) say('plumb why: no packet was sent: manifests have no network')
  const { snapshot, assumptions } = await rehearseFiles(paths)
  const answer = explainConnection(snapshot, question, noFacts)
  report({ ...answer, assumptions: [...assumptions, ...answer.assumptions] }, output)
}

/** What manifests leave open. */
const noFacts: ClusterFacts = { clusterDomain: 'cluster.local', servicePrefixes: [] }

async function rehearseFiles(paths: readonly string[]) {
  const { readManifestPaths } = await import('../lab/index.ts')
  return rehearse(readManifestPaths(paths).map(({ object }) => object))
}

/** The answer with what a real packet met; unchanged, and said so, where none can be sent. */
async function probe(answer: Answer, cluster: Cluster): Promise<Answer> {
  const { sendProbe } = await import('./why-probe.ts')
  const probed = await sendProbe(answer, cluster)
  if (typeof probed !== 'string') return probed
  say(`plumb why: no packet was sent: ${probed}`)
  return answer
}

const forms: Readonly<Record<WhyOptions['output'], (answer: Answer) => string>> = {
  text: (answer) => renderAnswer(answer),
  json: (answer) => JSON.stringify(answer, null, 2),
  mermaid: renderMermaid,
  dot: renderDot,
}

function report(answer: Answer, output: WhyOptions['output']): void {
  print(forms[output](answer))
  process.exitCode = answer.verdict.kind === 'deny' ? exit.found : exit.ok
}

/** The question in the words of the command line, or what is wrong with it. */
export function parseQuestion(from: string, to: string, options: WhyOptions): Question | string {
  const source = parseEnd(from, options.namespace)
  if (typeof source === 'string') return source
  if (source.kind === 'service') return `"${from}" sends nothing; ask from pod/NAME or node/NAME`
  const split = splitPort(to)
  const target = parseEnd(split.end, options.namespace)
  if (typeof target === 'string') return target
  const port = split.port === undefined ? undefined : /^\d+$/.test(split.port) ? Number(split.port) : split.port
  if (typeof port === 'number' && (port < 1 || port > 65535)) return `port ${port} is not between 1 and 65535`
  return {
    from: source,
    to: target,
    transport: options.protocol,
    ...(port === undefined ? {} : { port }),
    ...(options.family === undefined ? {} : { family: options.family === '4' ? 4 : 6 }),
  }
}

/** `svc/web:80`, `10.0.0.1:80`, `[fd00::1]:80`; a bare IPv6 address has no port. */
export function splitPort(text: string): { end: string; port?: string } {
  const bracketed = /^\[(.+)\](?::(.+))?$/.exec(text)
  if (bracketed !== null)
    return { end: bracketed[1] ?? '', ...(bracketed[2] === undefined ? {} : { port: bracketed[2] }) }
  if (findAddress(text) !== undefined) return { end: text }
  const colon = text.lastIndexOf(':')
  return colon < 0 ? { end: text } : { end: text.slice(0, colon), port: text.slice(colon + 1) }
}

const kinds: Readonly<Record<string, 'pod' | 'service' | 'node'>> = {
  pod: 'pod',
  pods: 'pod',
  po: 'pod',
  svc: 'service',
  service: 'service',
  services: 'service',
  node: 'node',
  nodes: 'node',
  no: 'node',
}

/** A target that may leave its type out: `web` and `shop/web` are Services. */
export function parseTarget(text: string, namespace: string): End | string {
  const typed = Object.hasOwn(kinds, text.split('/')[0] ?? '') || findAddress(text) !== undefined
  return parseEnd(typed ? text : `svc/${text}`, namespace)
}

/** `TYPE/NAME`, `TYPE/NAMESPACE/NAME` or an address; otherwise what is wrong with it. */
export function parseEnd(text: string, namespace: string): End | string {
  const address = findAddress(text)
  if (address !== undefined) return { kind: 'address', address }
  const [type = '', ...names] = text.split('/')
  const kind = kinds[type]
  if (kind === undefined || names.length < 1 || names.length > 2 || names.some((name) => name === '')) {
    return `"${text}" is not pod/NAME, svc/NAME, node/NAME or an IP address`
  }
  const name = names.at(-1) ?? ''
  if (kind === 'node') return { kind, name }
  return { kind, name, namespace: names.length === 2 ? (names[0] ?? '') : namespace }
}
