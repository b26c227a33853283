import { errors, type KubeObject } from '../objects/index.ts'
import { attributesOf, targetOf, type View, type Written } from './admission-gate.ts'
import { runMutating, runValidating } from './admission-hooks.ts'
import { judge } from './admission-policies.ts'
import type { Call, Core } from './core.ts'
import { Refusal } from './refusal.ts'
import { scaleOf, withScale } from './scale.ts'
import type { Scope } from './scope.ts'
import { isRecord } from './value.ts'

const optionsOf: Readonly<Record<string, string>> = {
  POST: 'CreateOptions',
  PUT: 'UpdateOptions',
  PATCH: 'PatchOptions',
  DELETE: 'DeleteOptions',
}

/** A write of a request, with its options as webhooks see them; `body` is that of a deletion. */
export function writtenBy(scope: Scope, call: Call, dryRun: boolean, body?: unknown): Written {
  const { query, method } = call
  const options: Record<string, unknown> = { kind: optionsOf[method], apiVersion: 'meta.k8s.io/v1' }
  for (const name of ['fieldManager', 'fieldValidation'] as const) if (query.get(name)) options[name] = query.get(name)
  if (query.has('force')) options.force = query.get('force') === 'true'
  if (dryRun) options.dryRun = ['All']
  if (isRecord(body)) Object.assign(options, body, { kind: 'DeleteOptions', apiVersion: 'meta.k8s.io/v1' })
  return { scope, call, dryRun, options }
}

/** Admission sees the Scale, not the object that has it. */
export function scaleView({ kind }: Scope): View {
  return {
    kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
    show: (object) => scaleOf(kind, object),
    take: (object, scale) => withScale(kind, object, scale),
  }
}

/**
 * The body of a request to a subresource that is no state of an object (`binding`, `eviction`, `token`), as admission leaves it;
 * for CONNECT the options of a connection, which admission cannot change.
 */
export async function admitBody<T>(
  core: Core,
  written: Written,
  operation: 'CREATE' | 'CONNECT',
  kind: View['kind'],
  body: T,
): Promise<T> {
  if (core.plans.idle) return body
  const target = targetOf(core, written.scope, operation)
  const plan = core.plans.find(target)
  if (plan === undefined) return body
  if (!isRecord(body)) throw new Refusal(errors.badRequest('the body is not an object'))
  const remarks = { warnings: [] as string[], annotations: new Map<string, string>() }
  const asker = { caller: core.webhooks, reader: core.reader }
  const asked = { apiVersion: apiVersion(kind), kind: kind.kind, metadata: {}, ...body } as unknown as KubeObject
  try {
    const object = await runMutating(asker, plan, attributesOf(target, written, asked, undefined, kind), remarks)
    const attributes = attributesOf(target, written, object, undefined, kind)
    judge(plan.policies, attributes, core.registry, core.reader, remarks)
    await runValidating(asker, plan, attributes, remarks)
    return object as T
  } finally {
    for (const text of remarks.warnings) written.call.warn(text)
    for (const [key, text] of remarks.annotations) written.call.annotate(key, text)
  }
}

function apiVersion({ group, version }: View['kind']): string {
  return group === '' ? version : `${group}/${version}`
}

const connections: Readonly<Record<string, string>> = {
  exec: 'PodExecOptions',
  attach: 'PodAttachOptions',
  portforward: 'PodPortForwardOptions',
}

/** Asks admission about a connection (`exec`, `attach`, `portforward`, `proxy`). */
export async function admitConnect(core: Core, scope: Scope, call: Call): Promise<void> {
  const name = scope.subresource === 'proxy' ? `${scope.kind.kind}ProxyOptions` : connections[scope.subresource ?? '']
  if (name === undefined || core.plans.idle) return
  const { query } = call
  const body: Record<string, unknown> = {}
  for (const word of ['stdin', 'stdout', 'stderr', 'tty'])
    if (query.has(word)) body[word] = query.get(word) === 'true' || query.get(word) === '1'
  if (query.get('container')) body.container = query.get('container')
  if (query.has('command')) body.command = query.getAll('command')
  if (query.has('ports')) body.ports = query.getAll('ports').map(Number)
  await admitBody(
    core,
    { scope, call, dryRun: false, options: null },
    'CONNECT',
    { group: '', version: 'v1', kind: name },
    body,
  )
}
