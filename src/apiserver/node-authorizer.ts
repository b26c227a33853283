import { type Attempt, ruleAllows } from './authorization.ts'
import type { NodeGraph } from './node-graph.ts'
import type { PolicyRule } from './policy-rules.ts'
import type { User } from './scope.ts'

const nodePrefix = 'system:node:'
const nodesGroup = 'system:nodes'
const leaseNamespace = 'kube-node-lease'

const read = ['get', 'list', 'watch']
const rule = (verbs: readonly string[], group: string, ...resources: string[]): PolicyRule => ({
  verbs,
  apiGroups: [group],
  resources,
})

/** What every kubelet may do, whatever its pods are (upstream's `NodeRules` without what is decided per object). */
const nodeRules: readonly PolicyRule[] = [
  rule(['create'], 'authentication.k8s.io', 'tokenreviews'),
  rule(['create'], 'authorization.k8s.io', 'subjectaccessreviews', 'localsubjectaccessreviews'),
  rule(read, '', 'services'),
  rule(['get'], '', 'endpoints'),
  rule(['create', 'patch', 'update'], '', 'events'),
  rule(['create', ...read], 'certificates.k8s.io', 'certificatesigningrequests'),
  rule(read, 'storage.k8s.io', 'csidrivers'),
  rule(read, 'node.k8s.io', 'runtimeclasses'),
]

/** Allowed, or why not; the reason may be empty. */
export type NodeVerdict = { readonly allowed: true } | { readonly allowed: false; readonly reason: string }

const allow: NodeVerdict = { allowed: true }
const deny = (reason = ''): NodeVerdict => ({ allowed: false, reason })

/** The node that a user is the kubelet of: `system:node:NAME` in the group `system:nodes`. */
export function nodeOf({ name, groups }: User): string | undefined {
  return name.startsWith(nodePrefix) && groups.includes(nodesGroup) ? name.slice(nodePrefix.length) : undefined
}

/**
 * What the kubelet of a node may do: read its own Node, its own pods and what these refer to, and write their status (upstream's Node
 * authorizer with AuthorizeNodeWithSelectors, KEP-4601).
 */
export function judgeNode(graph: NodeGraph, node: string, attempt: Attempt): NodeVerdict {
  if (node === '') return deny(`unknown node for user ${JSON.stringify(nodePrefix)}`)
  if ('path' in attempt) return deny()
  const [resource = '', subresource] = attempt.resource.split('/')
  const request: NodeRequest = { ...attempt, graph, node, resource, subresource }
  switch (`${attempt.group}/${resource}`) {
    case '/secrets':
    case '/configmaps':
      return judgeRead(request)
    case '/persistentvolumeclaims':
    case '/persistentvolumes':
      return judgeGet(request)
    case '/serviceaccounts':
      return judgeToken(request)
    case 'coordination.k8s.io/leases':
      return judgeLease(request)
    case '/nodes':
      return judgeOwnNode(request)
    case '/pods':
      return judgePods(request)
    default:
      return nodeRules.some((item) => ruleAllows(item, attempt)) ? allow : deny()
  }
}

interface NodeRequest {
  readonly graph: NodeGraph
  readonly node: string
  readonly verb: string
  readonly resource: string
  readonly subresource: string | undefined
  readonly namespace: string | undefined
  readonly name: string | undefined
  readonly fields?: string | undefined
}

function judgeRelation({ graph, node, resource, namespace, name }: NodeRequest): NodeVerdict {
  if (name === undefined) return deny('No Object name found')
  if (graph.relates(node, resource, namespace ?? '', name)) return allow
  return deny(`no relationship found between node '${node}' and this object`)
}

function judgeRead(request: NodeRequest): NodeVerdict {
  if (!read.includes(request.verb)) return deny('can only read resources of this type')
  if (request.subresource !== undefined) return deny('cannot read subresource')
  if (request.namespace === undefined) return deny('can only read namespaced object of this type')
  return judgeRelation(request)
}

function judgeGet(request: NodeRequest): NodeVerdict {
  if (request.verb !== 'get') return deny('can only get individual resources of this type')
  if (request.subresource !== undefined) return deny('cannot get subresource')
  return judgeRelation(request)
}

function judgeToken(request: NodeRequest): NodeVerdict {
  if (request.verb !== 'create' || request.name === undefined)
    return deny('can only create tokens for individual service accounts')
  if (request.subresource !== 'token') return deny('can only create token subresource of serviceaccount')
  return judgeRelation(request)
}

function judgeLease({ node, verb, namespace, name }: NodeRequest): NodeVerdict {
  if (!['get', 'create', 'update', 'patch', 'delete'].includes(verb))
    return deny('can only get, create, update, patch, or delete a node lease')
  if (namespace !== leaseNamespace) return deny(`can only access leases in the "${leaseNamespace}" system namespace`)
  if (verb !== 'create' && name !== node)
    return deny('can only access node lease with the same name as the requesting node')
  return allow
}

function judgeOwnNode({ node, verb, subresource, name }: NodeRequest): NodeVerdict {
  if (subresource === 'status') return verb === 'update' || verb === 'patch' ? allow : deny()
  if (subresource !== undefined) return deny()
  if (['create', 'update', 'patch'].includes(verb)) return allow
  if (!read.includes(verb)) return deny()
  if (name === node) return allow
  if (name === undefined) return deny(`node '${node}' cannot read all nodes, only its own Node object`)
  return deny(`node '${node}' cannot read '${name}', only its own Node object`)
}

function judgePods(request: NodeRequest): NodeVerdict {
  const { node, verb, subresource, name, fields } = request
  if (subresource === 'status') return verb === 'update' || verb === 'patch' ? allow : deny()
  if (subresource === 'eviction') return verb === 'create' ? allow : deny()
  if (subresource !== undefined) return deny()
  if (verb === 'create' || verb === 'delete') return allow
  if (verb === 'get') return judgeRelation(request)
  if (verb !== 'list' && verb !== 'watch') return deny()
  if (selectsNode(fields, node)) return allow
  if (name !== undefined) return judgeRelation(request)
  return deny('can only list/watch pods with spec.nodeName field selector')
}

/** Whether one requirement of a field selector is the node's name. */
function selectsNode(fields: string | undefined, node: string): boolean {
  return (fields ?? '').split(',').some((part) => /^spec\.nodeName==?(.*)$/.exec(part.trim())?.[1] === node)
}
