import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { ApiError, type Client, type Informer, type Resource } from '../client/index.ts'
import { keyOf, type ObjectKey, splitKey } from '../cluster/index.ts'
import type { KubeObject, Service } from '../objects/index.ts'
import type { Log } from './contract.ts'

/** After a write that failed the next one waits so long, in milliseconds. */
const retryMs = 2000
/** An agent that ends waits so long at most until its word is taken back, in milliseconds. */
const endMs = 500
/** On every object that a node's agent tells something by: whose word it is. */
const nodeLabel = 'plumb.network/node'

type Told = KubeObject & { readonly status?: unknown }

/**
 * Keeps the objects of one kind by which this node tells what it does equal to what is wanted: what a former run or somebody else left is put right too. Nothing
 * waits for it; while the API server is away the newest state waits, once for each object.
 */
export class ToldObjects {
  readonly #client: Client
  readonly #resource: Resource
  readonly #log: Log
  readonly #informer: Informer<Told>
  #wanted: ReadonlyMap<ObjectKey, Told> = new Map()
  readonly #dirty = new Set<ObjectKey>()
  readonly #others = new Set<ObjectKey>()
  #work: Promise<void> | undefined
  #retry: NodeJS.Timeout | undefined
  #refused = false
  #closed = false

  constructor(client: Client, resource: Resource, node: string, log: Log) {
    this.#client = client
    this.#resource = resource
    this.#log = log
    this.#informer = client.informer<Told>(resource, { optional: true, labelSelector: `${nodeLabel}=${labelOf(node)}` })
    this.#informer.onChange((_old, _current, key) => this.#touch([key]))
    this.#informer.start().then(
      () => this.#touch(this.#wanted.keys()),
      () => undefined,
    )
  }

  /** Tells these, and nothing else. */
  want(objects: readonly Told[]): void {
    const before = this.#wanted
    this.#wanted = new Map(objects.map((one) => [keyOf(one), one]))
    const changed = [...before.keys(), ...this.#wanted.keys()].filter(
      (key) => !isDeepStrictEqual(before.get(key), this.#wanted.get(key)),
    )
    this.#touch(changed)
  }

  /** Takes back what another node told that is true no more. */
  retract({ namespace, name }: { readonly namespace: string; readonly name: string }): void {
    const key = `${namespace}/${name}`
    this.#others.add(key)
    this.#touch([key])
  }

  /** Takes everything back and ends; resolves when that is written, or could not be in time. */
  async end(): Promise<void> {
    this.want([])
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(late.resolve, endMs)
    await Promise.race([this.#work, late.promise])
    clearTimeout(timer)
    this.#closed = true
    clearTimeout(this.#retry)
    this.#informer.close()
  }

  #touch(keys: Iterable<ObjectKey>): void {
    for (const key of keys) this.#dirty.add(key)
    if (this.#closed || this.#retry !== undefined || this.#dirty.size === 0 || !this.#informer.synced) return
    this.#work ??= this.#write().finally(() => {
      this.#work = undefined
      if (this.#retry === undefined) this.#touch([])
    })
  }

  async #write(): Promise<void> {
    for (const key of this.#dirty) {
      this.#dirty.delete(key)
      try {
        await this.#put(key)
        this.#refused = false
      } catch (error) {
        this.#dirty.add(key)
        if (this.#closed) return
        if (!this.#refused)
          this.#log.warn({ object: key, error: String(error) }, `${this.#resource.plural} cannot be written now`)
        this.#refused = true
        this.#retry = setTimeout(() => {
          this.#retry = undefined
          this.#touch([])
        }, retryMs).unref()
        return
      }
    }
  }

  async #put(key: ObjectKey): Promise<void> {
    const { namespace, name } = splitKey(key)
    const wanted = this.#wanted.get(key)
    const found = this.#informer.get(key)
    if (wanted === undefined) {
      if (found === undefined && !this.#others.has(key)) return
      await this.#client.delete(this.#resource, namespace, name).catch((error: unknown) => {
        if (!(error instanceof ApiError && error.code === 404)) throw error
      })
      this.#others.delete(key)
    } else if (found === undefined || !isDeepStrictEqual(found.status, wanted.status)) {
      const options = { fieldManager: 'plumb-agent', force: true }
      await this.#client.patch(this.#resource, namespace, name, 'apply', wanted, options)
    }
  }
}

/** An object by which a node tells something of a Service, and which goes with it; `part` tells several of one kind apart. */
export function toldOfService(resource: Resource, service: Service, node: string, part: string, status: object): Told {
  const { name, uid } = service.metadata
  const owner = { apiVersion: 'v1', kind: 'Service', name, uid }
  return {
    apiVersion: `${resource.group}/${resource.version}`,
    kind: resource.kind,
    metadata: {
      ...toldName(service, node, part),
      labels: { [nodeLabel]: labelOf(node), 'kubernetes.io/service-name': name },
      ...(uid === undefined ? {} : { ownerReferences: [{ ...owner, uid }] }),
    },
    status,
  }
}

/** The name of such an object: the same for the same things, and short whatever these are called. */
export function toldName({ metadata: { name, namespace = 'default' } }: Service, node: string, part: string) {
  return { namespace, name: `${name}-${hashOf(`${node}#${part}`).slice(0, 10)}` }
}

/** Names of nodes may be longer than values of labels. */
function labelOf(node: string): string {
  return node.length <= 63 ? node : hashOf(node).slice(0, 63)
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
