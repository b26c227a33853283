import { request } from 'node:http'

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
export function callCni(socketPath: string, call: Readonly<Record<string, unknown>>): Promise<CniAnswer> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { socketPath, path: '/cni', method: 'POST', headers: { 'content-type': 'application/json' }, timeout: 30_000 },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const answer = parse(Buffer.concat(chunks).toString())
          if (answer.error !== undefined) reject(new CniRefusal(answer.error, (response.statusCode ?? 500) >= 500))
          else if (answer.code === undefined) resolve(answer)
          else reject(new CniRefusal(`${answer.msg}${answer.details ? `: ${answer.details}` : ''}`, answer.code === 11))
        })
      },
    )
    asked.on('timeout', () => asked.destroy(new Error(`${socketPath}: no answer in 30 s`)))
    asked.on('error', (error: NodeJS.ErrnoException) => {
      const absent = error.code === 'ENOENT' || error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET'
      reject(absent ? new CniRefusal(`the node's agent does not answer (${error.code})`, true) : error)
    })
    asked.end(JSON.stringify(call))
  })
}

function parse(text: string): CniAnswer {
  try {
    return text === '' ? {} : (JSON.parse(text) as CniAnswer)
  } catch {
    return { code: 100, msg: `the agent's answer is not JSON: ${text.slice(0, 200)}` }
  }
}
