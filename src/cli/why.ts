import {
  type Answer,
  type confirm,
  explainConnection,
  explainRequestWay,
  renderAnswer,
  renderDot,
  renderMermaid,
  whySchema,
} from '../explain/index.ts'
import type { GatewayModel } from '../gateways/index.ts'
import { type Asked, type AskedOptions, parseAsked } from './asked.ts'
import { answerFrom, groundOfCluster, groundOfManifests } from './ground.ts'
import { exit, print, say } from './output.ts'
import { type Cluster, openCluster } from './read-cluster.ts'

interface WhyOptions extends AskedOptions {
  name: string
  kubeconfig?: string
  context?: string
  node?: string
  probe: boolean
  schema?: boolean
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
  const asked = parseAsked(from, to, options)
  if (typeof asked === 'string') {
    say(`plumb why: ${asked}`)
    process.exitCode = exit.usage
    return
  }
  if (options.filename.length > 0) return fromManifests(asked, options.filename, options)
  if (options.capsule !== undefined) return fromCapsule(asked, options.capsule, options.output)
  const cluster = await openCluster('plumb why', options)
  if (cluster === undefined) return
  try {
    const { answer, evidence, gateways } = await answerFrom(groundOfCluster(cluster), asked)
    if (options.save !== undefined) await save(options.save, cluster, evidence, gateways)
    for (const says of cluster.sight.blind) say(`plumb why: ${says}`)
    const isProbed = options.probe && asked.kind === 'connection'
    report(isProbed ? await probe(answer, cluster) : answer, options.output)
  } finally {
    cluster.client.close()
  }
}

async function save(
  path: string,
  cluster: Cluster,
  evidence: Parameters<typeof confirm>[1],
  gateways: GatewayModel | undefined,
): Promise<void> {
  const { saveWhyCapsule } = await import('./why-capsule.ts')
  const bytes = saveWhyCapsule(path, cluster, evidence, gateways)
  say(`saved to ${path}, ${Math.ceil(bytes / 1024)} KiB; plumb why --capsule ${path} answers from it anywhere`)
}

/** Answers from a capsule's objects and from what its kernels said, as far as they were asked the same. */
async function fromCapsule(asked: Asked, path: string, output: WhyOptions['output']): Promise<void> {
  const { openWhyCapsule } = await import('./why-capsule.ts')
  const { snapshot, facts, gateways, confirmed } = openWhyCapsule(path)
  if (asked.kind === 'connection') {
    report(confirmed(explainConnection(snapshot, asked.question, facts)), output)
    return
  }
  if (gateways === undefined) throw new Error(`${path} has no gateways: it answers no questions about URLs`)
  report(confirmed(explainRequestWay(snapshot, asked.source, asked.request, gateways, facts)), output)
}

/** Answers from manifests, without a cluster: only what is desired is known. */
async function fromManifests(asked: Asked, paths: readonly string[], { probe, output }: WhyOptions): Promise<void> {
  if (probe) say('plumb why: no packet was sent: manifests have no network')
  const { readManifestPaths } = await import('../lab/index.ts')
  const ground = groundOfManifests(readManifestPaths(paths).map(({ object }) => object))
  report((await answerFrom(ground, asked)).answer, output)
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
