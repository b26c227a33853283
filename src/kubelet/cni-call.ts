import { AgentUnreachable, askAgent } from '../cni/index.ts'

/** The part of a CNI answer that a kubelet reads (CNI 1.1, section 5). */
export interface CniAnswer {
  readonly ips?: readonly { readonly address: string }[]
  readonly code?: number
  readonly msg?: string
  readonly details?: string
  /** The agent could not even ask the plugin. */
  readonly error?: string
}

/** The plugin said no; `again` when it asks to be called again later (CNI error code 11). */
export class CniRefusal extends Error {
  readonly again: boolean
  constructor(message: string, again: boolean) {
    super(message)
    this.again = again
  }
}

/** Calls a node's agent over its socket as `plumb cni` does, without the process. Throws `CniRefusal` for the plugin's errors. */
export async function callCni(socketPath: string, call: Readonly<Record<string, unknown>>): Promise<CniAnswer> {
  const { status, answer } = await askAgent<CniAnswer>(socketPath, '/cni', call, 30_000).catch((error) => {
    throw error instanceof AgentUnreachable && error.absent ? new CniRefusal(error.message, true) : error
  })
  if (answer.error !== undefined) throw new CniRefusal(answer.error, status >= 500)
  if (answer.code === undefined) return answer
  throw new CniRefusal(`${answer.msg}${answer.details ? `: ${answer.details}` : ''}`, answer.code === 11)
}
