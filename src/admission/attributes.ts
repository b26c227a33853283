import type { KubeObject } from '../objects/index.ts'

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'

/** What is written where: enough to know whose rules match. */
export interface Target {
  readonly operation: Operation
  readonly group: string
  readonly version: string
  /** The plural. */
  readonly resource: string
  /** Empty for the object itself. */
  readonly subresource: string
  readonly namespaced: boolean
  /** The versions under which the same objects are served, this one included. */
  readonly versions: readonly string[]
}

/** Who writes (authentication.k8s.io/v1 UserInfo, in this program's words). */
export interface Writer {
  readonly name: string
  readonly uid: string
  readonly groups: readonly string[]
  readonly extra: Readonly<Record<string, readonly string[]>>
}

/** One write as admission sees it. */
export interface Attributes {
  readonly target: Target
  /** The kind of `object`: that of the resource, or a subresource's own (`Scale`, `Binding`, `PodExecOptions`). */
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string }
  /** Empty while a name has still to be generated, and for each object of a deleted collection. */
  readonly name: string
  /** Empty for cluster-scoped objects; a namespace's own name for namespaces. */
  readonly namespace: string
  /** Undefined for a deletion. */
  readonly object: KubeObject | undefined
  readonly oldObject: KubeObject | undefined
  readonly user: Writer
  readonly dryRun: boolean
  /** CreateOptions, UpdateOptions, PatchOptions or DeleteOptions; null when a connection has none. */
  readonly options: Readonly<Record<string, unknown>> | null
}

/** The `kind` and `resource` of an AdmissionRequest, and what the variable `request` of expressions holds besides objects. */
export function requestOf(
  { target, kind, name, namespace, user, dryRun, options }: Attributes,
  version = target.version,
) {
  const { group, resource, subresource } = target
  const own = kind.group === group && kind.version === target.version
  return {
    kind: own ? { ...kind, version } : kind,
    resource: { group, version, resource },
    ...(subresource === '' ? {} : { subResource: subresource }),
    requestKind: kind,
    requestResource: { group, version: target.version, resource },
    ...(subresource === '' ? {} : { requestSubResource: subresource }),
    ...(name === '' ? {} : { name }),
    ...(namespace === '' ? {} : { namespace }),
    operation: target.operation,
    userInfo: {
      username: user.name,
      ...(user.uid === '' ? {} : { uid: user.uid }),
      groups: user.groups,
      ...(Object.keys(user.extra).length === 0 ? {} : { extra: user.extra }),
    },
    dryRun,
    options,
  }
}
