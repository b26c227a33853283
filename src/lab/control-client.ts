import { request } from 'node:http'
import { type RunDirectory, runFile } from './run-directory.ts'

/** The lab does not answer on its control socket: it is gone, starting or stuck. */
export class LabUnreachable extends Error {}

/** Asks a running lab. Throws `LabUnreachable` when nobody listens, and the lab's own words when it refuses. */
export function askLab<T>(directory: RunDirectory, route: string, body: unknown = {}, timeoutMs = 10_000): Promise<T> {
  return new Promise((resolve, reject) => {
    const socketPath = runFile(directory, 'control.sock')
    const asked = request({ socketPath, path: `/${route}`, method: 'POST', timeout: timeoutMs }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const answer = JSON.parse(Buffer.concat(chunks).toString() || '{}')
        if (response.statusCode === 200) resolve(answer as T)
        else reject(new Error(answer.error ?? `lab ${directory.name}: HTTP ${response.statusCode}`))
      })
    })
    asked.on('timeout', () => asked.destroy(new LabUnreachable(`lab ${directory.name} does not answer`)))
    asked.on('error', (error: NodeJS.ErrnoException) =>
      reject(
        error instanceof LabUnreachable
          ? error
          : new LabUnreachable(`lab ${directory.name} does not answer: ${error.code ?? error.message}`),
      ),
    )
    asked.end(JSON.stringify(body))
  })
}
