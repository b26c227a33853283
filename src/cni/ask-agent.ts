import { request } from 'node:http'

/** A call to an agent's unix socket that brought no answer. `absent` when nobody listens there (yet), so that it may be tried again. */
export class AgentUnreachable extends Error {
  readonly absent: boolean
  constructor(message: string, absent: boolean) {
    super(message)
    this.name = 'AgentUnreachable'
    this.absent = absent
  }
}

/** `POST path` with a JSON body on an agent's unix socket: the status and the parsed JSON. Throws `AgentUnreachable`. */
export function askAgent<T>(
  socketPath: string,
  path: string,
  body: unknown,
  timeoutMs: number,
): Promise<{ readonly status: number; readonly answer: T & { readonly error?: string } }> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' }
    const asked = request({ socketPath, path, method: 'POST', headers, timeout: timeoutMs }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        try {
          resolve({ status: response.statusCode ?? 0, answer: JSON.parse(text === '' ? '{}' : text) })
        } catch {
          reject(new AgentUnreachable(`the agent's answer is not JSON: ${text.slice(0, 200)}`, false))
        }
      })
    })
    asked.on('timeout', () =>
      asked.destroy(new AgentUnreachable(`${socketPath}: no answer in ${timeoutMs / 1000} s`, false)),
    )
    asked.on('error', (error: NodeJS.ErrnoException) => {
      if (error instanceof AgentUnreachable) reject(error)
      else {
        const absent = ['ENOENT', 'ECONNREFUSED', 'ECONNRESET'].includes(error.code ?? '')
        reject(new AgentUnreachable(`the node's agent does not answer (${error.code ?? error.message})`, absent))
      }
    })
    asked.end(JSON.stringify(body))
  })
}
