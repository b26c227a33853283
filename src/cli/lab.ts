import type { LabSummary } from '../lab/index.ts'
import { exit, print, renderTable, say } from './output.ts'

export async function runUp(options: {
  name: string
  nodes: number
  segments: number
  heartbeatInterval?: number
  filename: string[]
  timeout: number
  image: string[]
  restore?: string
  auditPolicyFile?: string
  auditLogPath?: string
}): Promise<void> {
  const { LabFailure, up } = await import('../lab/index.ts')
  const audit = parseAudit(options.auditPolicyFile, options.auditLogPath)
  try {
    const summary = await up(
      {
        name: options.name,
        nodes: options.nodes,
        segments: options.segments,
        ...(options.heartbeatInterval === undefined ? {} : { heartbeatMs: options.heartbeatInterval }),
        files: options.filename,
        timeoutMs: options.timeout * 1000,
        images: options.image.map(parseImage),
        ...(options.restore === undefined ? {} : { restore: options.restore }),
        ...audit,
      },
      (text, ms) => say(`${String(ms).padStart(6)} ms  ${text}`),
    )
    for (const warning of summary.warnings) say(`warning: ${warning}`)
    say(renderSummary(summary))
    process.exitCode = summary.unsettled.length === 0 ? exit.ok : exit.unhealthy
  } catch (error) {
    if (!(error instanceof LabFailure)) throw error
    for (const line of error.tail) say(`  ${line}`)
    say(`plumb: ${error.message}`)
    process.exitCode = exit.cannot
  }
  // Sockets of the client that are kept alive must not keep the command.
  process.exit()
}

/** `--audit-policy-file` and `--audit-log-path`, which go together. */
function parseAudit(policyFile: string | undefined, path: string | undefined) {
  if (policyFile === undefined && path === undefined) return {}
  if (policyFile === undefined)
    throw new TypeError(`--audit-log-path ${path} needs --audit-policy-file: a file with an audit.k8s.io/v1 Policy`)
  if (path === undefined)
    throw new TypeError(`--audit-policy-file ${policyFile} needs --audit-log-path: where the events are written`)
  return { audit: { policyFile, path } }
}

/** `PATTERN=PROGRAM` of `--image`. */
function parseImage(text: string): { pattern: string; program: string } {
  const at = text.lastIndexOf('=')
  const program = text.slice(at + 1)
  if (at < 1 || !program.startsWith('/'))
    throw new TypeError(`--image: "${text}" is not IMAGE=/PATH; the program is named by its absolute path`)
  return { pattern: text.slice(0, at), program }
}

function renderSummary(summary: LabSummary): string {
  const { name, nodes, pods, services, ms, unsettled } = summary
  const flag = name === 'lab' ? '' : ` --name ${name}`
  const lines = [
    '',
    `Lab ${name}: ${nodes} nodes, ${pods.ready} of ${pods.total} pods Ready, ${(ms / 1000).toFixed(1)} s`,
    '',
    renderTable(
      services.map((one) => [
        `  ${one.namespace}/${one.name}`,
        one.type,
        one.addresses.join(', ') || 'None',
        one.ports,
      ]),
    ),
  ]
  if (unsettled.length > 0) {
    lines.push('', 'Not Ready:', ...unsettled.map(({ object, reason }) => `  ${object}: ${reason}`))
  }
  const shop =
    services.find((one) => one.namespace === 'default' && one.name === 'web') ??
    services.find((one) => one.namespace === 'default')
  const target = shop?.name ?? 'kubernetes'
  lines.push(
    '',
    'Try:',
    `  export KUBECONFIG=$(./plumb kubeconfig${flag})`,
    '  kubectl get pods,services -A -o wide',
    ...(shop?.name === 'web'
      ? [`  ./plumb exec${flag} client -- curl -s http://web`, `  ./plumb why${flag} pod/client svc/web:80`]
      : [`  ./plumb why${flag} node/node-1 svc/${target}`]),
    `  ./plumb exec${flag} --node node-1 -- nft list ruleset`,
    `  ./plumb down${flag}`,
  )
  return lines.join('\n')
}

export async function runDown(options: { name: string }): Promise<void> {
  const { down } = await import('../lab/index.ts')
  const started = performance.now()
  const ended = await down(options.name)
  const ms = Math.round(performance.now() - started)
  say(ended ? `Lab ${options.name} ended in ${ms} ms; nothing is left.` : `There is no lab ${options.name}.`)
}

export async function runKubeconfig(options: { name: string }): Promise<void> {
  const { findLab, listLabs } = await import('../lab/index.ts')
  const lab = await findLab(options.name)
  if (lab === undefined) {
    const others = (await listLabs()).filter((name) => name !== options.name)
    say(
      `plumb: no lab ${options.name} is running${others.length > 0 ? ` (there is ${others.join(', ')})` : ''}; start it with plumb up`,
    )
    process.exitCode = exit.cannot
    return
  }
  print(lab.state.kubeconfig)
}

export async function runExec(
  words: string[],
  options: { name: string; namespace: string; node?: string; outside?: boolean; container?: string },
): Promise<void> {
  const { execIn } = await import('../lab/index.ts')
  const inPod = options.node === undefined && options.outside !== true
  const pod = inPod ? words[0]?.replace(/^pods?\//, '') : undefined
  const command = inPod ? words.slice(1) : words
  if ((inPod && pod === undefined) || command.length === 0) {
    say('plumb exec: say where and what, as in: plumb exec client -- curl -s http://web')
    process.exitCode = exit.usage
    return
  }
  const target =
    pod !== undefined
      ? {
          kind: 'pod' as const,
          namespace: options.namespace,
          pod,
          ...(options.container === undefined ? {} : { container: options.container }),
        }
      : options.node !== undefined
        ? { kind: 'node' as const, node: options.node.replace(/^nodes?\//, '') }
        : { kind: 'outside' as const }
  process.exitCode = await execIn(options.name, target, command)
}

export async function runLabSupervisor(options: { run: string }): Promise<void> {
  const { runSupervisor } = await import('../lab/index.ts')
  await runSupervisor(options.run)
}
