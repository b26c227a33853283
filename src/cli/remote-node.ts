import { ApiError, type Client, type Running } from '../client/index.ts'
import type { Snapshot } from '../cluster/index.ts'
import { findAgentPod } from '../doctor/index.ts'
import { agentDaemonSet } from '../install/index.ts'
import type { Pod } from '../objects/index.ts'
import { decodeLine, encodeLine, type Look, type LookAnswers } from './look-dialog.ts'

/** The nodes whose agents' pods run, to be asked. */
export function remoteNodes(client: Client, snapshot: Snapshot, nodes: readonly string[]): readonly RemoteNode[] {
  return nodes.flatMap((node) => {
    const pod = findAgentPod(snapshot, node)
    return pod?.status?.phase === 'Running' ? [new RemoteNode(client, node, pod)] : []
  })
}

interface Waiting {
  readonly resolve: (answer: never) => void
  readonly reject: (error: Error) => void
}

const timeoutMs = 30_000

/** A node that is asked through the pod of its agent (`pods/exec`, `plumb look`). One dialog for all questions; it ends with the client. */
export class RemoteNode {
  readonly node: string
  readonly #client: Client
  readonly #pod: Pod
  readonly #waiting = new Map<number, Waiting>()
  #running: Promise<Running> | undefined
  #next = 0

  constructor(client: Client, node: string, pod: Pod) {
    this.#client = client
    this.node = node
    this.#pod = pod
  }

  /** Rejects with why the agent's pod cannot be asked, or with what went wrong there. */
  async ask<L extends Look>(look: L): Promise<LookAnswers[L['kind']]> {
    this.#running ??= this.#start()
    const running = await this.#running
    this.#next += 1
    const id = this.#next
    const { promise, resolve, reject } = Promise.withResolvers<never>()
    const late = setTimeout(() => reject(new Error(`no answer for ${timeoutMs / 1000} s`)), timeoutMs)
    this.#waiting.set(id, { resolve, reject })
    void running.ended.then((says) =>
      reject(new Error(says.includes('unknown command') ? 'it is of a version that cannot be asked' : says)),
    )
    running.write(encodeLine({ id, look }))
    return promise.finally(() => {
      clearTimeout(late)
      this.#waiting.delete(id)
    })
  }

  async #start(): Promise<Running> {
    const { namespace = '', name } = this.#pod.metadata
    const { container, program } = agentDaemonSet
    const command = [program, 'look']
    const running = await this.#client
      .exec({ namespace, pod: name, container, command })
      .catch((error: unknown) => Promise.reject(new Error(whyRefused(namespace, error))))
    running.onLine((line) => this.#hear(line))
    return running
  }

  #hear(line: string): void {
    const { id, answer, error } = decodeLine(line) as { id: number; answer?: never; error?: string }
    const waiting = this.#waiting.get(id)
    if (error === undefined) waiting?.resolve(answer as never)
    else waiting?.reject(new Error(error))
  }
}

function whyRefused(namespace: string, error: unknown): string {
  if (error instanceof ApiError && error.code === 403)
    return `that needs the right to exec into pods of ${namespace} (plumb access --agents prints it)`
  return (error as Error).message
}
