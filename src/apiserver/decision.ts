import { errors, type Status } from '../objects/index.ts'
import { type Attempt, masters, reasonToAllow } from './authorization.ts'
import { judgeNode, nodeOf } from './node-authorizer.ts'
import type { NodeGraph } from './node-graph.ts'
import { Refusal } from './refusal.ts'
import type { User } from './scope.ts'
import type { Reader } from './store.ts'

/** What is decided of an attempt, and why; a refusal may have no reason. */
export interface Decision {
  readonly allowed: boolean
  readonly reason: string
}

/** What the authorizers say together, asked in upstream's order: Node, then RBAC. */
export function decide(reader: Reader, graph: NodeGraph, user: User, attempt: Attempt): Decision {
  const node = user.groups.includes(masters) ? undefined : nodeOf(user)
  const verdict = node === undefined ? undefined : judgeNode(graph, node, attempt)
  if (verdict?.allowed) return { allowed: true, reason: '' }
  const reason = reasonToAllow(reader, user, attempt)
  return reason === undefined ? { allowed: false, reason: verdict?.reason ?? '' } : { allowed: true, reason }
}

/** Why the user may do it; throws upstream's 403 when nothing allows it. */
export function authorize(reader: Reader, graph: NodeGraph, user: User, attempt: Attempt): string {
  const { allowed, reason } = decide(reader, graph, user, attempt)
  if (allowed) return reason
  throw new Refusal(withReason(forbidden(user, attempt), reason))
}

function withReason(status: Status, reason: string): Status {
  return reason === '' ? status : { ...status, message: `${status.message}: ${reason}` }
}

function forbidden(user: User, attempt: Attempt): Status {
  if ('path' in attempt) return forbiddenPath(user, attempt.verb, attempt.path)
  const { verb, group, resource, namespace, name } = attempt
  const [plural = '', subresource] = resource.split('/')
  return errors.forbidden({
    user: user.name,
    verb,
    target: { group, plural },
    ...(subresource === undefined ? {} : { subresource }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
  })
}

function forbiddenPath(user: User, verb: string, path: string) {
  const message = `forbidden: User ${JSON.stringify(user.name)} cannot ${verb} path ${JSON.stringify(path)}`
  return { ...errors.forbiddenBecause({ group: '', plural: '' }, '', ''), message, details: {} }
}
