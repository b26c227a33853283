import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../agent/index.ts'
import type { Client } from '../client/index.ts'
import type { Finding } from '../cluster/index.ts'
import { refusedAnnotation, renderRefusals } from '../gateways/index.ts'
import { Events, type KubeEvent, type KubeObject, Nodes } from '../objects/index.ts'

const component = 'plumb-gateway'
/** After a write that failed the next one waits so long. */
const retryMs = 2000
/** Remembered events; beyond it they are told again. */
const mostTold = 1000

/** Tells the cluster what HAProxy of a node refuses: on the Node, from which controllers make conditions, and as an event of each object. */
export class Refusals {
  readonly #client: Pick<Client, 'create' | 'patch'>
  readonly #node: string
  readonly #log: Log
  /** Unknown at the start: a former run may have left a word. */
  #written: string | null | undefined
  #wanted: string | null | undefined
  #work: Promise<void> | undefined
  readonly #told = new Set<string>()
  readonly #closing = new AbortController()

  constructor(client: Pick<Client, 'create' | 'patch'>, node: string, log: Log) {
    this.#client = client
    this.#node = node
    this.#log = log
  }

  /** These are refused, and nothing else. `find` knows the objects that findings name. Returns at once. */
  update(findings: readonly Finding[], find: (object: string) => KubeObject | undefined): void {
    this.#wanted = renderRefusals(findings)
    this.#work ??= this.#write().finally(() => {
      this.#work = undefined
    })
    for (const finding of findings) {
      const object = find(finding.object)
      if (object !== undefined) this.#tell(object, finding)
    }
  }

  close(): void {
    this.#closing.abort()
  }

  async #write(): Promise<void> {
    const { signal } = this.#closing
    let isTold = false
    while (this.#written !== this.#wanted && !signal.aborted) {
      const wanted = this.#wanted
      const patch = { metadata: { annotations: { [refusedAnnotation]: wanted } } }
      try {
        await this.#client.patch(Nodes, undefined, this.#node, 'merge', patch)
        this.#written = wanted
      } catch (error) {
        if (!isTold) this.#log.warn({ error: String(error) }, 'what the gateway refuses cannot be told now')
        isTold = true
        await sleep(retryMs, undefined, { ref: false, signal }).catch(() => undefined)
      }
    }
  }

  /** Every node finds the same, so the event's name is made of what it says, and the first node's is kept. Best effort. */
  #tell({ apiVersion, kind, metadata }: KubeObject, { code, says, try: remedy }: Finding): void {
    const { name, namespace = 'default', uid = '', generation = 0 } = metadata
    const hash = createHash('sha256').update([uid, generation, says].join(' ')).digest('hex').slice(0, 16)
    if (this.#told.has(hash)) return
    if (this.#told.size >= mostTold) this.#told.clear()
    this.#told.add(hash)
    const time = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
    const event: KubeEvent = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${name}.${hash}`, namespace },
      involvedObject: { apiVersion, kind, name, namespace, ...(uid !== '' && { uid }) },
      type: 'Warning',
      reason: code,
      // The API bounds it to 1024 bytes.
      message: `${says.slice(0, 800)}; ${remedy}`.slice(0, 1000),
      count: 1,
      firstTimestamp: time,
      lastTimestamp: time,
      source: { component, host: this.#node },
      reportingComponent: component,
    }
    this.#client.create(Events, event).catch(() => undefined)
  }
}
