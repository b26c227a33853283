import type { Readable } from 'node:stream'
import type { KubeObject, Status } from '../objects/index.ts'

/** The API server refused: its Status, whole. */
export class ApiError extends Error {
  /** HTTP status code. */
  readonly code: number
  /** `NotFound`, `AlreadyExists`, `Conflict`, `Invalid`, `Expired`, `Forbidden`, … */
  readonly reason: string
  readonly status: Status
  constructor(status: Status) {
    super(status.message ?? status.reason ?? `HTTP ${status.code}`)
    this.name = 'ApiError'
    this.code = status.code ?? 0
    this.reason = status.reason ?? ''
    this.status = status
  }
}

/** How to address a kind; every entry of the registry in `objects` satisfies it, and so does any custom kind. */
export interface Resource {
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly namespaced: boolean
  readonly kind: string
}

export interface ListOptions {
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  readonly limit?: number
  readonly continue?: string
  readonly resourceVersion?: string
}

export interface WriteOptions {
  readonly subresource?: string
  readonly fieldManager?: string
  readonly dryRun?: boolean
  /** What becomes of fields that the server does not know: `Strict` refuses them. The server decides when left out. */
  readonly fieldValidation?: 'Strict' | 'Warn' | 'Ignore'
  readonly force?: boolean
}

export type PatchType = 'merge' | 'json' | 'strategic' | 'apply'

/** A thin Kubernetes client over one keep-alive agent. Refusals throw `ApiError`; a broken connection throws the socket's error. */
export interface Client {
  readonly server: string
  list<T extends KubeObject>(
    resource: Resource,
    options?: ListOptions,
  ): Promise<{ items: T[]; metadata: { resourceVersion: string; continue?: string } }>
  get<T extends KubeObject>(resource: Resource, namespace: string | undefined, name: string): Promise<T>
  find<T extends KubeObject>(resource: Resource, namespace: string | undefined, name: string): Promise<T | undefined>
  create<T extends KubeObject>(resource: Resource, object: T, options?: WriteOptions): Promise<T>
  update<T extends KubeObject>(resource: Resource, object: T, options?: WriteOptions): Promise<T>
  patch<T extends KubeObject>(
    resource: Resource,
    namespace: string | undefined,
    name: string,
    type: PatchType,
    patch: unknown,
    options?: WriteOptions,
  ): Promise<T>
  delete(
    resource: Resource,
    namespace: string | undefined,
    name: string,
    options?: {
      propagationPolicy?: 'Background' | 'Foreground' | 'Orphan'
      gracePeriodSeconds?: number
      preconditions?: { uid?: string; resourceVersion?: string }
    },
  ): Promise<void>
  /** Any request; answers the parsed JSON, or text when the answer is not JSON. */
  request<T>(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<T>
  /** The answer to a GET as it arrives, such as a file; throws `ApiError` when it is a refusal. */
  download(path: string): Promise<Readable>
  /** A cache of one kind that follows the server; shared when asked for twice with the same options. */
  informer<T extends KubeObject>(resource: Resource, options?: InformerOptions): Informer<T>
  /** Starts a command in a container (`pods/exec`) with its input open; rejects with `ApiError` when that is refused. It ends with the client. */
  exec(command: Command): Promise<Running>
  close(): void
}

/** What is to run where. */
export interface Command {
  readonly namespace: string
  readonly pod: string
  readonly container: string
  readonly command: readonly string[]
}

/** A command that runs in a container. */
export interface Running {
  write(text: string): void
  /** Calls back with each line of its output. */
  onLine(callback: (line: string) => void): void
  /** Resolves when it is over, with the end of what it wrote to stderr, or with what ended it. */
  readonly ended: Promise<string>
  close(): void
}

export interface InformerOptions extends Pick<ListOptions, 'namespace' | 'labelSelector' | 'fieldSelector'> {
  /** The kind may be one that is not installed: then there are no objects of it until it is, instead of trouble. */
  readonly optional?: boolean
}

/** `namespace/name`, or `name` for cluster-scoped objects. */
export type ObjectKey = string

export interface Informer<T extends KubeObject> {
  /** Starts on first use; idempotent. Resolves when the first list is in the cache and its callbacks have run; rejects when closed before. */
  start(): Promise<void>
  readonly synced: boolean
  /** The last failure to list or watch, until the next list succeeds; the informer tries again by itself, also on 403 and 404. */
  readonly trouble?: Error | undefined
  get(key: ObjectKey): T | undefined
  values(): IterableIterator<T>
  readonly size: number
  /**
   * Calls back once for each change, in order: `(undefined, new)`, `(old, new)`, `(old, undefined)`. A relist yields only
   * the differences; an object replaced under its name is a removal and an addition. What is in the cache already is told at
   * once, as additions. Objects are shared and must not be changed. Returns the way to stop.
   */
  onChange(callback: (old: T | undefined, current: T | undefined, key: ObjectKey) => void): () => void
  close(): void
}
