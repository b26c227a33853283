import { mkdirSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { dirname } from 'node:path'
import { HostError } from '../host/index.ts'
import type { AgentOptions, SocketRoute } from './contract.ts'
import type { ConnectionsRequest, ExplainRequest, FlowsRequest, ObserveRequest } from './observe.ts'
import { answerExplain, answerFlows, answerModel, answerObserve, type Sources } from './observe-answers.ts'
import { BadQuestion } from './question.ts'
import { answerSeen } from './seen-flows.ts'

const maxBody = 1 << 20

/** Serves the agent's unix socket: questions (`observe.ts`) and the routes that others add. Only its owner may connect. */
export async function serveSocket(
  { path, routes = {} }: NonNullable<AgentOptions['socket']>,
  sources: Sources,
): Promise<Server> {
  const all: Readonly<Record<string, SocketRoute>> = {
    'POST /explain': (body) => answerExplain(sources, body as ExplainRequest),
    'POST /observe': (body) => answerObserve(sources, body as ObserveRequest),
    'POST /flows': (body) => answerFlows(sources, body as FlowsRequest),
    'POST /connections': (body) => answerSeen(sources, body as ConnectionsRequest),
    'GET /findings': () => sources.findings(),
    ...routes,
  }
  const server = createServer((request, response) => {
    answer(request, all, sources).then(
      (result) => send(response, 200, result),
      (error: unknown) =>
        send(response, codeOf(error), { error: error instanceof Error ? error.message : String(error) }),
    )
  })
  mkdirSync(dirname(path), { recursive: true })
  // What a killed agent left: nobody listens on it.
  rmSync(path, { force: true })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    // Made without access for others from the start: a mode set later leaves a moment.
    const before = process.umask(0o177)
    server.listen({ path }, resolve)
    process.umask(before)
  })
  return server
}

async function answer(
  request: IncomingMessage,
  routes: Readonly<Record<string, SocketRoute>>,
  sources: Sources,
): Promise<unknown> {
  const path = (request.url ?? '/').split('?')[0] ?? '/'
  const model = /^\/model\/services\/([^/]+)\/([^/]+)$/.exec(path)
  if (model !== null && request.method === 'GET') return answerModel(sources, `${model[1]}/${model[2]}`)
  const name = `${request.method} ${path}`
  const route = Object.hasOwn(routes, name) ? routes[name] : undefined
  if (route === undefined) throw new BadQuestion(`there is no ${name}`, 404)
  return route(request.method === 'GET' ? undefined : await readBody(request))
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBody) throw new BadQuestion(`the body is longer than ${maxBody} bytes`, 413)
    chunks.push(chunk)
  }
  try {
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'))
    if (typeof body === 'object' && body !== null) return body
  } catch {
    // Told below.
  }
  throw new BadQuestion('the body is not a JSON object')
}

function codeOf(error: unknown): number {
  if (error instanceof BadQuestion) return error.code
  if (error instanceof HostError) return error.code === 'missing' ? 404 : 500
  return 500
}

function send(response: ServerResponse, code: number, result: unknown): void {
  response.writeHead(code, { 'Content-Type': 'application/json' })
  response.end(JSON.stringify(result ?? {}))
}
