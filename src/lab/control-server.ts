import { createServer, type IncomingMessage } from 'node:http'

/** Answers one control request; what it returns is sent as JSON. */
export type ControlRoute = (body: unknown) => unknown

/** Says no to a control request with a message for the user. */
export class ControlRefusal extends Error {}

const maximumBodyBytes = 1 << 20

/** The lab's control socket: `POST /<route>` with a JSON body; open to root alone, as the run directory's file modes say. */
export async function serveControl(path: string, routes: Readonly<Record<string, ControlRoute>>): Promise<void> {
  const server = createServer(async (request, response) => {
    const reply = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify(body ?? {}))
    }
    const route = routes[(request.url ?? '').slice(1)]
    if (route === undefined || request.method !== 'POST') {
      reply(404, { error: `no control route ${request.method} ${request.url}` })
      return
    }
    try {
      reply(200, await route(await readBody(request)))
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      reply(error instanceof ControlRefusal ? 409 : 500, { error: message })
    }
  })
  const before = process.umask(0o077)
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, resolve)
    })
  } finally {
    process.umask(before)
  }
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maximumBodyBytes) throw new ControlRefusal('the request is larger than 1 MiB')
    chunks.push(chunk)
  }
  return size === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString())
}
